//! Layers that networks are made of, forward and backward: what a capability's network is written
//! with, as the towers are.
//!
//! Flow: named tensors ([`Source`]) → [`Builder`] → **layers** → tensors. Invariant: no file, no
//! architecture, no task. A parameter's path in the module tree is its key in a state dict, and its
//! shape is the shape there (a linear weight is `[out, in]`, a convolution's `[out, in, K, K]`).
//!
//! On the CPU they compute on `kernels`; elsewhere by Burn's own operations. Maps are
//! channels-last, `[N, H, W, C]`.
//!
//! A network of one's own, drawn afresh; `weights::Tensors` of a file is a source in the same way:
//!
//! ```
//! use diptych::burn::tensor::Tensor;
//! use diptych::layers::{Activation, Builder, LayerNorm, Linear, activation};
//! use diptych::model::{Fresh, Init, Table};
//!
//! # fn main() -> diptych::Result<()> {
//! let norm = Table::new()
//!     .tensor("weight", &[8], Init::Constant(1.0))
//!     .tensor("bias", &[8], Init::Constant(0.0));
//! let linear = Table::new()
//!     .tensor("weight", &[3, 8], Init::Normal(0.02))
//!     .tensor("bias", &[3], Init::Constant(0.0));
//! let table = Table::new().part("norm", norm).part("head", linear);
//!
//! let device = diptych::Device::flex().autodiff();
//! let mut source = Fresh::of_table(table, 1);
//! let mut b = Builder::new(&mut source, &device);
//! let norm = LayerNorm::build(&mut b, "norm", 1e-5)?;
//! let head = Linear::build(&mut b, "head")?;
//!
//! let x = Tensor::<2>::ones([4, 8], &device); // [N, 8]
//! let y = activation(head.forward(norm.forward(x)), Activation::Gelu); // [N, 3]
//! assert_eq!(y.dims(), [4, 3]);
//! # Ok(())
//! # }
//! ```
//!
//! A network of one's own derives Burn's `Module`, which wants `use diptych::burn;` in scope. To
//! train it, `diptych_train::run` is a loop for any such module, with `diptych_train::optimise` for
//! its optimisers; Burn's own optimisers are behind Burn's feature `optim`.

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
