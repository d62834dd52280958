//! Training: image-text pairs → checkpoint.
//!
//! Flow: shards → batches → towers → symmetric cross-entropy → backward → AdamW → checkpoint.
//! Source: section 2 of the paper (Radford et al., arXiv 2103.00020) and open_clip's trainer for
//! what the paper leaves open.

mod adamw;
mod augment;
mod batch;
mod checkpoint;
mod config;
mod data;
mod hash;
mod init;
mod loss;
mod positives;
#[cfg(test)]
mod tests;
mod trainer;

pub use adamw::AdamW;
pub use batch::{Batch, Batches};
pub use config::{Augmentation, Compute, Data, Optimizer, Run, TextKind, Validation};
pub use data::{Sample, pack, read_shard, read_shards};
pub use init::Fresh;
pub use loss::{contrastive_loss, normalise};
pub use positives::Positives;
pub use trainer::{Event, Outcome, Progress, Trainer, train};
