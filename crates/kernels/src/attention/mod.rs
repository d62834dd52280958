//! Multi-head attention: `stacked` for training, `dense` and along `paths` for inference.

mod dense;
mod head;
mod paths;
mod stacked;

pub use dense::attend;
#[cfg(test)]
pub(crate) use dense::attend_with;
pub use paths::Paths;
pub use stacked::Attention;
