//! Measuring a model on labelled data.

mod classification;
mod encode;
mod retrieval;

pub use classification::{Accuracy, classification};
pub use retrieval::{Recall, retrieval};
