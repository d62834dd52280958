//! Measuring a model on labelled data.

mod classification;
mod retrieval;

pub use classification::{Accuracy, classification};
pub use retrieval::{Recall, retrieval};
