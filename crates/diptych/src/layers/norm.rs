//! Layer norm and group norm.
//!
//! Sources: Ba, Kiros & Hinton, arXiv 1607.06450; Wu & He, arXiv 1803.08494; `nn.LayerNorm` and
//! `nn.GroupNorm` of PyTorch.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Builder;
use super::ops::{group_norm, layer_norm};
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
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, epsilon: f64) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            epsilon,
        })
    }

    /// Normalises `[…, W]`; the shape stays.
    ///
    /// # Panics
    /// If the parameters have another width.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let parameters = [self.weight.val(), self.bias.val()];
        layer_norm(x, parameters, self.epsilon)
    }
}

/// Normalises each picture's groups of channels to mean 0 and variance 1, then scales and shifts
/// each channel.
#[derive(Module, Debug)]
pub struct GroupNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    epsilon: f64,
}

impl GroupNorm {
    /// The layer whose parameters are called `path.…`, with so many groups, which divide the
    /// channels.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, groups: usize, epsilon: f64) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            groups,
            epsilon,
        })
    }

    /// Normalises `[N, H, W, C]`; the shape stays.
    ///
    /// # Panics
    /// If the groups do not divide the channels, or the parameters have other channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let parameters = [self.weight.val(), self.bias.val()];
        group_norm(x, parameters, self.groups, self.epsilon)
    }
}
