//! Training: image-text pairs → checkpoint.
//!
//! The rooms lie along the flow of the data: [`samples`] reads sets of pictures and texts, [`pack`] makes shards of them;
//! with the feature `training`, `clip` makes batches of samples and gradients of batches, `optimise` moves
//! parameters by gradients, and `run` is the loop of both, with its checkpoints and its record, for any [`run::Task`].
//!
//! Sources: section 2 of the paper (Radford et al., arXiv 2103.00020) and open_clip's trainer for
//! what the paper leaves open.
#![cfg_attr(
    not(feature = "training"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "of rooms that are not there"
    )
)]

#[cfg(feature = "training")]
pub mod clip;
mod error;
#[cfg(feature = "training")]
pub mod optimise;
pub mod pack;
#[cfg(feature = "training")]
pub mod run;
pub mod samples;

pub use error::{Error, Result};
