//! Named tensors to layers of `kernels`, one at a time, so that few are in memory twice.

use diptych_kernels::{
    Linear, Normed, PackedConvolution, Packing, Rows, Then, layer_norm, layer_norm_into,
};
use rayon::prelude::*;

use super::precision::Formats;
use crate::Result;
use crate::model::Source;

/// Reads a tower's tensors.
pub(super) struct Loader<'a> {
    source: &'a mut dyn Source,
    formats: Formats,
}

impl<'a> Loader<'a> {
    pub(super) fn new(source: &'a mut dyn Source, formats: Formats) -> Self {
        Self { source, formats }
    }

    /// The values of the tensor `name`.
    pub(super) fn tensor(&mut self, name: &str) -> Result<Vec<f32>> {
        Ok(self.source.read(name)?.into_values())
    }

    /// The linear layer at `path`.
    pub(super) fn linear(&mut self, path: &str) -> Result<Linear> {
        self.linear_in(path, self.formats.weights)
    }

    /// The linear layer that follows attention, at `path`.
    pub(super) fn out_proj(&mut self, path: &str) -> Result<Linear> {
        self.linear_in(path, self.formats.out_proj)
    }

    fn linear_in(&mut self, path: &str, packing: Packing) -> Result<Linear> {
        let weight = self.tensor(&format!("{path}.weight"))?;
        let bias = self.tensor(&format!("{path}.bias"))?;
        let inputs = weight.len() / bias.len().max(1);
        Ok(Linear::new(
            &weight,
            &bias,
            inputs,
            self.formats.weight(packing, inputs),
        ))
    }

    /// A linear layer of `weight` `[out, in]` and as many biases as outputs.
    pub(super) fn packed(&self, weight: &[f32], bias: &[f32]) -> Linear {
        let inputs = weight.len() / bias.len().max(1);
        Linear::new(
            weight,
            bias,
            inputs,
            self.formats.weight(self.formats.weights, inputs),
        )
    }

    /// The projection to embeddings `x W`, by its matrix `W` `[in, out]`. It is f32 in every
    /// precision: only one row of each input goes through it, and an error there is an error of the
    /// result.
    pub(super) fn projection(&mut self, name: &str, outputs: usize) -> Result<Linear> {
        Ok(Linear::from_matrix(
            &self.tensor(name)?,
            outputs,
            Packing::F32,
        ))
    }

    /// [`Loader::projection`] by the linear layer at `path`.
    pub(super) fn projection_with_bias(&mut self, path: &str) -> Result<Linear> {
        self.linear_in(path, Packing::F32)
    }

    /// The layer norm at `path`.
    pub(super) fn norm(&mut self, path: &str, epsilon: f64) -> Result<Norm> {
        Ok(Norm {
            weight: self.tensor(&format!("{path}.weight"))?,
            bias: self.tensor(&format!("{path}.bias"))?,
            epsilon: epsilon as f32,
        })
    }

    /// The convolution `conv`, whose weight is `[O, I, K, K]`, with the batch norm `norm` after it:
    /// `γ (w x − μ) / √(σ² + ε) + β`.
    pub(super) fn convolution(
        &mut self,
        conv: &str,
        norm: &str,
        epsilon: f64,
        [inputs, kernel, stride]: [usize; 3],
    ) -> Result<PackedConvolution> {
        let mut weight = self.tensor(&format!("{conv}.weight"))?;
        let scale = self.tensor(&format!("{norm}.weight"))?;
        let shift = self.tensor(&format!("{norm}.bias"))?;
        let mean = self.tensor(&format!("{norm}.running_mean"))?;
        let variance = self.tensor(&format!("{norm}.running_var"))?;
        let factor = |i: usize| f64::from(scale[i]) / (f64::from(variance[i]) + epsilon).sqrt();
        let outputs = weight.par_chunks_exact_mut(inputs * kernel * kernel);
        outputs.enumerate().for_each(|(i, weight)| {
            let factor = factor(i);
            weight
                .iter_mut()
                .for_each(|w| *w = (f64::from(*w) * factor) as f32);
        });
        let shifted = |i| (f64::from(shift[i]) - f64::from(mean[i]) * factor(i)) as f32;
        let bias: Vec<f32> = (0..shift.len()).map(shifted).collect();
        Ok(PackedConvolution::new(
            &weight,
            &bias,
            [inputs, kernel, stride],
            self.formats
                .weight(self.formats.weights, kernel * kernel * inputs),
        ))
    }
}

/// A layer norm.
pub(super) struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl Norm {
    /// The normalised rows of `x`.
    pub(super) fn of(&self, x: &[f32]) -> Vec<f32> {
        layer_norm(self.epsilon, x, &self.weight, &self.bias)
    }

    /// Normalises the rows of `x` in their place.
    pub(super) fn replace(&self, x: &mut Vec<f32>) {
        *x = self.of(x);
    }

    /// Maps the normalised rows of `x` to `features`, in f32.
    pub(super) fn project(&self, x: &[f32], projection: &Linear, features: &mut [f32]) {
        let x = Rows::of(diptych_kernels::Rounding::F32, &self.of(x));
        projection.apply(&x, features, Then::Store);
    }

    /// Normalises the rows of `x` into `out`, which takes their size.
    pub(super) fn apply(&self, x: &[f32], out: &mut Normed) {
        layer_norm_into(self.epsilon, x, &self.weight, &self.bias, out);
    }
}
