//! CLIP as a task: a run file → batches of pairs → the contrastive loss → gradients; measured by
//! retrieval and zero-shot.
//!
//! Source: section 2 of the paper (Radford et al., arXiv 2103.00020) and open_clip's trainer for
//! what it leaves open.

mod augment;
mod batch;
mod data;
mod extends;
mod gradients;
mod held_out;
mod identity;
mod init;
mod language;
mod loss;
mod matrices;
mod meaning;
mod order;
mod positives;
mod run_file;
mod task;
#[cfg(test)]
mod tests;
mod tokenizer;
mod validation;

use std::ops::ControlFlow;

pub use batch::{Batch, Batches};
pub use data::{Data, TextKind};
pub use gradients::{BatchGradients, Contrastive};
pub use language::Language;
pub use loss::{Loss, logits_per_image, normalise};
pub use positives::{Positives, Relation};
pub use run_file::{Augmentation, Negatives, Run};
pub use task::{ClipTask, Numbers, Opened};
pub use tokenizer::learn_tokenizer;
pub use validation::{HeldOut, InLanguage, Measured};

pub use diptych_evaluate::{Accuracy, Recall};

use crate::Result;
use crate::run::{self, Outcome};
use diptych::Device;

/// An event of a run of CLIP while it works.
pub type Event = run::Event<Numbers, Measured>;
/// Numbers of one step of CLIP.
pub type Progress = run::Progress<Numbers>;

/// Trains as `run` says, from its last checkpoint if `resume` is set.
///
/// `on_event` is called after every step and may break the run off; what is done by then is kept.
///
/// # Errors
/// Those of [`ClipTask::new`] and of [`run::train`].
pub fn train(
    run: &Run,
    device: Device,
    resume: bool,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome> {
    let task = ClipTask::new(run, device)?;
    run::train(&task, &run.settings, resume, on_event)
}
