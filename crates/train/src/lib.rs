//! Training: image-text pairs → checkpoint.
//!
//! Flow: data → batches → towers → contrastive loss → gradients → AdamW or Muon → checkpoint.
//! Source: section 2 of the paper (Radford et al., arXiv 2103.00020) and open_clip's trainer for
//! what the paper leaves open.

mod augment;
mod batch;
mod checkpoint;
mod config;
mod curves;
mod data;
mod error;
mod gradients;
mod held_out;
mod identity;
mod init;
mod loss;
mod meaning;
mod metrics;
mod muon;
mod optimizer;
mod positives;
mod session;
#[cfg(test)]
mod tests;
mod trainer;
mod validation;

pub use batch::{Batch, Batches};
pub use config::{
    Algorithm, Augmentation, Data, Negatives, Optimization, Run, TextKind, Validation,
};
pub use data::{PassedOver, Reason, Sample, Tally, pack, read_shard, read_shards};
pub use error::{Error, Result};
pub use gradients::NamedGradients;
pub use loss::{Loss, logits_per_image, normalise};
pub use optimizer::Optimizer;
pub use positives::{Positives, Relation};
pub use session::{Event, Outcome, Progress, train};
pub use trainer::{Step, Trainer};
pub use validation::{HeldOut, Measured};
