//! CPU kernels: matrix products, convolutions and batch norm, forward and backward.
//!
//! Flow: slices of f32 in, vectors of f32 out. The layouts are those of the towers: activations are
//! channels-last, weights `[out, in, K, K]` as a checkpoint has them.
//! Invariant: no model, no picture, no text, no file. This is the only crate with `unsafe`, in one
//! file per instruction set; every kernel has a scalar twin that the tests hold it against, and which
//! of them runs is decided in [`Isa::current`] alone.
//!
//! `N` pictures, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side.

mod convolution;
mod element;
mod isa;
mod norm;
mod product;
#[cfg(test)]
mod tests;
mod tile;
mod vectorised;

pub use convolution::Convolution;
pub use element::Precision;
pub use isa::Isa;
pub use norm::{Norm, NormGradients, batch_norm, batch_norm_backward};
