//! What people do with embeddings: one file a task.

mod search;
mod zero_shot;

pub use search::{Hit, search};
pub use zero_shot::{Prediction, ZeroShot};
