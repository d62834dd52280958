//! CPU kernels: the layers of both towers, forward and backward, and dot products for search.
//!
//! Flow: for training slices of f32 in, vectors out; for inference [`Rows`], kept in one of several
//! formats, from layer to layer in the caller's memory. The layouts are those of the towers:
//! activations are channels-last, weights `[out, in, K, K]` as a checkpoint has them.
//! Invariant: no model, no picture, no text, no file. This is the only crate with `unsafe`: in
//! files of an instruction set and those that enter them (`tile/`, `complete/`, `row/`, `search/`),
//! in `vectorised`, which compiles plain loops for each set, and in `buffer`, for memory that is
//! filled in parallel. Every kernel runs on the scalar set, too, and tests hold the others against
//! it. Which set runs is decided in [`Isa::current`] alone.
//!
//! | part | kernels |
//! | --- | --- |
//! | training: forward and backward in f32 and bf16 | [`Convolution`], [`PackedWeight`] of one that is frozen, [`Attention`], … |
//! | inference: packed, in f32, bf16 and int8 | [`Linear`], [`PackedConvolution`], [`attend`], … |
//! | search: f32, f16 and int8 | [`dots`], [`top_k`] |
//!
//! ```
//! use diptych_kernels::{Vectors, top_k};
//!
//! // The two of three vectors whose dot products with the query are the largest.
//! let vectors = [1.0, 0.0, 0.6, 0.8, 0.0, 1.0];
//! let best = top_k(&[0.8, 0.6], Vectors::F32(&vectors), 2);
//! assert_eq!([best[0].row, best[1].row], [1, 0]);
//! assert!((best[0].score - 0.96).abs() < 1e-6);
//! ```
//!
//! `N` pictures, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side.

mod activation;
mod adamw;
mod attention;
mod buffer;
mod complete;
mod convolution;
mod element;
mod fir;
mod int8;
mod isa;
mod layer_norm;
mod limit;
mod linear;
mod math;
mod matrix;
mod modulate;
mod norm;
mod pool;
mod product;
mod row;
mod rows;
mod search;
mod taps;
#[cfg(test)]
mod tests;
mod tile;
mod vectorised;

pub use activation::{Activation, add_relu, add_relu_backward};
pub use adamw::{AdamW, sum_of_squares};
pub use attention::{
    Attention, CrossAttention, Heads, NextAttention, Paths, attend, attend_biased,
};
pub use convolution::{Convolution, Direction, Extent, PackedConvolution, PackedWeight};
pub use element::Rounding;
pub use fir::Fir;
pub use int8::INPUTS as INT8_INPUTS;
pub use isa::Isa;
pub use layer_norm::{layer_norm, layer_norm_backward, layer_norm_input_gradient, layer_norm_into};
pub use limit::limit_gops;
pub use linear::{Linear, Packing, Then};
pub use matrix::transposed;
pub use modulate::{modulate, modulate_backward};
pub use norm::{GroupNorm, Norm, NormGradients, batch_norm, batch_norm_backward, column_sums};
pub use pool::AveragePool;
pub use rows::{In, Normed, Out, Part, Rows, keep_rows};
pub use search::{Scored, Vectors, dots, dots_at, to_int8, top_k, top_scores};

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
