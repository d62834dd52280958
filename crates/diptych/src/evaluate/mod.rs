//! Measuring models by the field's protocols.

mod retrieval;

pub use retrieval::{Recall, retrieval};
