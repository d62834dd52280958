//! What can go wrong with data and runs.

use std::path::PathBuf;

use diptych::image::ImageError;
use diptych::text::TextError;

use crate::data::Reason;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model can't be read, built or written.
    #[error(transparent)]
    Model(#[from] diptych::Error),
    /// A run that can't be followed.
    #[error("{origin}: {reason}")]
    Run {
        /// The run file, the part of it or the folder that is wrong.
        origin: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// A shard, or a sample in it, that can't be used.
    #[error("{}: {reason}", path.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// What was found and what was wanted.
        reason: String,
    },
    /// Something of a data set that would be passed over, where nothing must be.
    #[error("{example} (it would be passed over: {reason})")]
    PassedOver {
        /// Why.
        reason: Reason,
        /// A sentence that names it.
        example: String,
    },
    /// A training run that would be overwritten.
    #[error("{}: there is a run of {step} steps already", out.display())]
    UnfinishedRun {
        /// The run's folder.
        out: PathBuf,
        /// Its steps so far.
        step: usize,
    },
    /// A training run that stopped being a number.
    #[error("step {step}: {what} is {value} at a learning rate of {learning_rate:.2e}; {context}")]
    Diverged {
        /// The step, from 1.
        step: usize,
        /// What was not finite.
        what: &'static str,
        /// What it was.
        value: f32,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Where its batch is listed, and where to go on from.
        context: String,
    },
    /// A file that can't be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        Self::Model(error.into())
    }
}

impl From<TextError> for Error {
    fn from(error: TextError) -> Self {
        Self::Model(error.into())
    }
}

impl Error {
    /// An input or output error that names its file.
    pub(crate) fn io(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::Io(std::io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        ))
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
