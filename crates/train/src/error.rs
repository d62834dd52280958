//! Errors of data, packing and runs: a kind for whatever a caller can act on.

use std::path::{Path, PathBuf};

use diptych::image::ImageError;
use diptych::text::TextError;

use crate::samples::{Reason, Tally};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model can't be read, built or written.
    #[error(transparent)]
    Model(#[from] diptych::Error),
    /// A run file that can't be followed.
    #[error("{origin}: {reason}")]
    RunFile {
        /// The run file, or the part of it that is wrong.
        origin: String,
        /// Found and wanted, in words.
        reason: String,
    },
    /// A model that a run file names and that can't be opened.
    #[error("`{key}`: {error}")]
    Named {
        /// The key.
        key: &'static str,
        /// The model's error.
        error: Box<diptych::Error>,
    },
    /// A run that its architecture or its device can't do.
    #[error("{origin}: {reason}")]
    Unsupported {
        /// The architecture, or the key of the run file that asks for it.
        origin: String,
        /// The part that is missing, or was wanted.
        reason: String,
    },
    /// A pattern of files that can't be read or matches nothing.
    #[error("{reason}")]
    Pattern {
        /// The pattern, and what is wrong with it.
        reason: String,
    },
    /// A set whose samples are not as its run file says.
    #[error("{set}: {reason}")]
    Set {
        /// The set, by the name of its first file.
        set: String,
        /// Found and wanted, in words.
        reason: String,
    },
    /// Data that does not fill a batch.
    #[error("the run's data: {samples} samples are fewer than `batch_size`, {batch_size}")]
    TooFewSamples {
        /// Samples of one pass.
        samples: usize,
        /// Samples of a batch.
        batch_size: usize,
    },
    /// Sample after sample can't be used.
    #[error("the run's data: {tries} pictures in a row can't be used: {passed_over}")]
    Unusable {
        /// Samples that were tried.
        tries: usize,
        /// Number, reason and example of what is wrong with them.
        passed_over: Tally,
    },
    /// A run that is to be measured, on nothing.
    #[error(
        "`[validation]`: there is nothing to measure; wanted `shards` of captioned pictures, or a set of classes with \
         `hold_out` or `withhold`"
    )]
    NothingToMeasure,
    /// A model to start from, of another kind than the run's.
    #[error(
        "{init}: `init` has another architecture, tokenizer or preprocessing than {architecture}"
    )]
    OtherModel {
        /// The model to start from.
        init: String,
        /// The run's architecture.
        architecture: String,
    },
    /// A checkpoint of a run that was begun otherwise than the run file says.
    #[error("{}: {reason}", checkpoint.display())]
    OtherRun {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The part that is not the same.
        reason: String,
    },
    /// A training run that would be overwritten.
    #[error("{}: there is a run of {step} steps already", out.display())]
    UnfinishedRun {
        /// The run's folder.
        out: PathBuf,
        /// Its steps so far.
        step: usize,
    },
    /// A folder that holds what must not be overwritten.
    #[error("{}: {reason}", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// Found there and wanted, in words.
        reason: String,
    },
    /// A run that another process is at work on.
    #[error("{}: another process is at work on this run", out.display())]
    Busy {
        /// The run's folder.
        out: PathBuf,
    },
    /// A training run that stopped being a number.
    #[error("step {step}: {what} is {value} at a learning rate of {learning_rate:.2e}; {context}")]
    Diverged {
        /// The step, from 1.
        step: usize,
        /// The number that was not finite.
        what: &'static str,
        /// Its value.
        value: f32,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Where its batch is listed, and where to go on from.
        context: String,
    },
    /// A batch whose parts don't belong together, or to the model.
    #[error("a batch of {got}, wanted {want}")]
    Batch {
        /// The sizes of its parts.
        got: String,
        /// The sizes that were wanted.
        want: String,
    },
    /// A gradient that does not fit its parameter.
    #[error("parameter `{name}`: {reason}")]
    Parameter {
        /// The parameter, by its path in the module tree.
        name: String,
        /// Found and wanted, in words.
        reason: String,
    },
    /// A file to pack that is none of the kinds that are known.
    #[error(
        "{}: neither its name nor its first line tells what it is; wanted a .csv or .tsv table, a folder per class, \
         COCO's captions or a Flickr token file",
        path.display()
    )]
    UnknownSource {
        /// The file.
        path: PathBuf,
    },
    /// A packing whose options don't go together.
    #[error("{}: {reason}", path.display())]
    Packing {
        /// The source or the folder that an option does not go with.
        path: PathBuf,
        /// Found and wanted, in words.
        reason: String,
    },
    /// A shard, table or folder, or a sample in it, that can't be used.
    #[error("{}: {reason}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// Found and wanted, in words.
        reason: String,
    },
    /// A part of a data set that would be passed over, where nothing must be.
    #[error("{example} (it would be passed over: {reason})")]
    PassedOver {
        /// Why.
        reason: Reason,
        /// A sentence that names it.
        example: String,
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
    /// A model that a run file's key names.
    #[cfg(feature = "training")]
    pub(crate) fn named(key: &'static str, error: diptych::Error) -> Self {
        let error = Box::new(error);
        Self::Named { key, error }
    }

    /// An input or output error that names its file.
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io(std::io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        ))
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
