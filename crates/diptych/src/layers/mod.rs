//! Layers that networks are made of, forward and backward: what a capability's network is written with, as the towers are.
//!
//! Flow: named tensors ([`Source`]) → [`Builder`] → **layers** → tensors; backward → gradients by names.
//! Invariant: no file, no architecture, no task. A parameter's path in the module tree is its key in a state dict, and its shape
//! is the shape there (a linear weight is `[out, in]`, a convolution's `[out, in, K, K]`).
//!
//! On the CPU they compute on `kernels`; elsewhere by Burn's own operations. Maps are channels-last, `[N, H, W, C]`.

mod attention;
mod batch_norm;
mod build;
mod convolution;
mod embedding;
mod linear;
mod norm;
pub(crate) mod ops;

pub(crate) use attention::attend;
pub use attention::{Attention, Mask};
pub use batch_norm::{BatchNorm, Phase};
pub use build::{Builder, ParameterPath, named_parameters};
pub use convolution::Convolution;
pub use diptych_kernels::Activation;
pub use embedding::Embedding;
pub use linear::{Linear, Mlp};
pub use norm::LayerNorm;
pub use ops::{has_kernels, plain_values};

pub use crate::model::Source;
