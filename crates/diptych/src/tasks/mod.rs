//! What people do with embeddings: one file a task.

mod zero_shot;

pub use zero_shot::{Prediction, ZeroShot};
