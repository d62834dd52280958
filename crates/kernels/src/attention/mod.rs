//! Multi-head attention: `stacked` for training, `dense` and along `paths` for inference.

mod dense;
mod head;
mod paths;
mod stacked;

#[cfg(test)]
pub(crate) use dense::attend_with;
pub use dense::{attend, attend_biased};
pub use paths::Paths;
pub use stacked::Attention;
