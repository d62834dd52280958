//! Convolutions of channels-last maps.
//!
//! `N` inputs, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use diptych_kernels::Rounding;

use super::Builder;
use super::ops::convolution;
use crate::Error;

/// A convolution without bias, padded so that stride 1 keeps the side.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<4>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    rounding: Rounding,
}

impl Convolution {
    /// The layer whose weight is `path.weight`, `[O, I, K, K]` with `K` odd.
    ///
    /// # Errors
    /// What the source reports.
    pub fn build(b: &mut Builder, path: &str, stride: usize) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            stride,
            rounding: b.rounding(),
        })
    }

    /// Convolves `[N, H, W, I]` into `[N, H / stride, W / stride, O]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        convolution(x, self.weight.val(), self.stride, self.rounding)
    }
}
