//! Measuring a model on labelled data.
//!
//! Flow: labelled pictures and a [`Clip`](diptych::Clip) → embeddings → [`classification`], [`retrieval`] → shares of what is right.
//! Invariant: a picture is whatever its caller loads; how models are trained is for others to know.

mod classification;
mod encode;
mod retrieval;

pub use classification::{Accuracy, classification};
pub use encode::Labelled;
pub use retrieval::{Recall, retrieval};
