//! Multi-head attention: `stacked` for training, `dense` and along `paths` for inference, the
//! `next` token of a text that is being written.

mod dense;
mod head;
mod loops;
mod next;
mod paths;
mod stacked;

#[cfg(test)]
pub(crate) use dense::attend_with;
pub use dense::{attend, attend_biased};
pub use next::NextAttention;
pub use paths::Paths;

pub use stacked::{Attention, CrossAttention};

/// The width of queries, keys and values, and the heads that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Width `W`, over all heads.
    pub width: usize,
    /// Heads `H`, which divide it.
    pub heads: usize,
}
