//! Attention of the next token of each text that is being written to those before it.
//!
//! `N` texts, `C` tokens that there is memory for, `L` of them written, `W` width, `H` heads.

use super::{Heads, Paths};
use crate::isa::Isa;

/// The shape of one step of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextAttention {
    /// Tokens `C` of a text that the memory has room for.
    pub capacity: usize,
    /// Tokens `L` that are attended to, from the first: those written, the next one included.
    pub tokens: usize,
    /// Width `W`, over all heads.
    pub width: usize,
    /// Heads `H`.
    pub heads: usize,
}

impl NextAttention {
    /// Attention of `queries` `[N, W]` to the first `L` of `keys_values` `[N, C, 2 W]`, keys first:
    /// `[N, W]`.
    ///
    /// # Panics
    /// If there is no token, or more than there is room for, or the lengths do not fit each other.
    pub fn forward(&self, queries: &[f32], keys_values: &[f32]) -> Vec<f32> {
        let Self {
            capacity,
            tokens,
            width,
            heads,
        } = *self;
        assert!((1..=capacity).contains(&tokens), "tokens: {self:?}");
        let n = queries.len() / width.max(1);
        assert_eq!(keys_values.len(), n * capacity * 2 * width, "lengths");
        let mut paths = Paths::default();
        for text in 0..n {
            let first = (text * capacity) as u32;
            paths.push(first..first + tokens as u32);
        }
        let mut out = vec![0f32; queries.len()];
        let shape = Heads { width, heads };
        paths.attend_with(Isa::current(), shape, [queries, keys_values], &mut out[..]);
        out
    }
}
