//! Layer norm.
//!
//! Source: Ba, Kiros & Hinton, arXiv 1607.06450; `nn.LayerNorm` of PyTorch.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Builder;
use super::ops::layer_norm;
use crate::Error;

/// Normalises the last dimension to mean 0 and variance 1, then scales and shifts it.
#[derive(Module, Debug)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// The layer whose parameters are called `path.…`.
    ///
    /// # Errors
    /// What the source reports.
    pub fn build(b: &mut Builder, path: &str, epsilon: f64) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            epsilon,
        })
    }

    /// Normalises `[…, W]`; the shape stays.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let parameters = [self.weight.val(), self.bias.val()];
        layer_norm(x, parameters, self.epsilon)
    }
}
