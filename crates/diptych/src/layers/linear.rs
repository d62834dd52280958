//! Linear layers, and two of them around an activation.
//!
//! Source: `nn.Linear` of PyTorch; `mlp` in OpenAI's `clip/model.py`, commit d05afc4.
//!
//! A weight is `[out, in]`, as in a state dict.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use diptych_kernels::Activation;

use super::Builder;
use super::ops::{Products, activation, linear};
use crate::Error;

/// `y = x Wᵀ + b`, with `weight` `[out, in]` and `bias` `[out]`.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    products: Products,
}

impl Linear {
    /// The layer whose parameters are called `path.…`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one of another shape.
    pub fn build(b: &mut Builder, path: &str) -> Result<Self, Error> {
        let weight: Param<Tensor<2>> = b.param(format!("{path}.weight"))?;
        let bias: Param<Tensor<1>> = b.param(format!("{path}.bias"))?;
        let ([outputs, _], [got]) = (weight.dims(), bias.dims());
        if got != outputs {
            return Err(Error::Tensors {
                path: path.into(),
                reason: format!("`bias` has {got} values, wanted {outputs}, the rows of `weight`"),
            });
        }
        Ok(Self {
            weight,
            bias: Some(bias),
            products: b.products(&format!("{path}.weight")),
        })
    }

    /// The layer of `path.weight` alone: `y = x Wᵀ`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn without_bias(b: &mut Builder, path: &str) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: None,
            products: b.products(&format!("{path}.weight")),
        })
    }

    /// Maps `[…, in]` to `[…, out]`.
    ///
    /// # Panics
    /// If the last dimension is not `in`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        linear(x, self.weight.val(), bias, &self.products)
    }
}

/// Two linear layers with the activation between them.
#[derive(Module, Debug)]
pub struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
    /// Stated by the checkpoint, never guessed.
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    /// The layer whose parameters are called `path.…`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, activation: Activation) -> Result<Self, Error> {
        Ok(Self {
            c_fc: Linear::build(b, &format!("{path}.c_fc"))?,
            c_proj: Linear::build(b, &format!("{path}.c_proj"))?,
            activation,
        })
    }

    /// Maps `[…, W]` to `[…, W]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let hidden = activation(self.c_fc.forward(x), self.activation);
        self.c_proj.forward(hidden)
    }
}
