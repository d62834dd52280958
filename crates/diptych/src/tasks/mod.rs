//! What people do with embeddings: one file or folder a task.

pub mod index;
pub mod query;
mod search;
mod zero_shot;

pub use search::{Hit, search};
pub use zero_shot::{Prediction, ZeroShot};
