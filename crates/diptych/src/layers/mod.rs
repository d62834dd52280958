//! Layers that networks are made of, forward and backward: what a capability's network is written
//! with, as the towers are.
//!
//! Flow: named tensors ([`Source`]) → [`Builder`] → **layers** → tensors; backward → gradients by
//! names. Invariant: no file, no architecture, no task. A parameter's path in the module tree is
//! its key in a state dict, and its shape is the shape there (a linear weight is `[out, in]`, a
//! convolution's `[out, in, K, K]`).
//!
//! On the CPU they compute on `kernels`; elsewhere by Burn's own operations. Maps are
//! channels-last, `[N, H, W, C]`.

mod attention;
mod batch_norm;
mod build;
mod convolution;
mod embedding;
mod fir;
mod keys_values;
mod linear;
#[cfg(test)]
mod naive;
mod norm;
pub(crate) mod ops;
#[cfg(test)]
mod tests;

pub use attention::{Attention, CrossAttention, Mask};
pub use batch_norm::{BatchNorm, Phase};
pub use build::{Builder, ParameterPath, named_parameters};
pub use convolution::{
    Convolution, ConvolutionOptions, ModulatedConvolution, ModulationOptions, TransposedConvolution,
};
pub use diptych_kernels::Activation;
pub use embedding::Embedding;
pub use fir::{Fir, FirOptions};
pub use keys_values::KeysValues;
pub use linear::{Linear, Mlp};
pub use norm::{GroupNorm, LayerNorm};
pub use ops::{activation, average_pool, has_kernels, plain_values};

pub use crate::model::Source;
