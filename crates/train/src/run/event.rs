//! Events of a run while it works, and how it ends.

use std::path::PathBuf;
use std::time::Duration;

use crate::samples::PassedOver;

/// An event of a run while it works; `N` are a step's numbers, `M` a measurement, as its task has
/// them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<N, M> {
    /// The data has been read.
    Ready {
        /// Samples read.
        samples: usize,
        /// Samples in one pass, with repetitions.
        pass: usize,
        /// Steps done before, by a run that this one resumes.
        step: usize,
    },
    /// A part of the data was passed over. Before the run is ready: all of one reason that was
    /// found when the data was opened. After that: a single sample; one in a batch is replaced by
    /// another, one to measure on is left out.
    PassedOver(PassedOver),
    /// The run file asks for something that the data does not give, or a shard may have lost its
    /// end.
    Warning(String),
    /// A step has been done.
    Step(Progress<N>),
    /// A checkpoint has been written, after this many steps.
    Checkpoint(usize),
    /// The model has been measured, after this many steps.
    Validation(usize, M),
}

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub struct Progress<N> {
    /// Steps done, this one included.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// The loss.
    pub loss: f32,
    /// The task's own numbers, beside its loss.
    pub numbers: N,
    /// Norm of the gradient of all parameters together, before clipping.
    pub gradient_norm: f32,
    /// The learning rate.
    pub learning_rate: f64,
    /// Samples a second since the run began or resumed.
    pub samples_per_s: f64,
    /// Time to the end at that speed.
    pub remaining: Duration,
}

/// Outcome of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; the model lies in this directory.
    Finished(PathBuf),
    /// It was interrupted after this many steps, and can be resumed.
    Interrupted(usize),
}
