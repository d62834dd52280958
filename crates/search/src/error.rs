//! Errors while an index is made or asked, each kind with the values that tell a user what to mend.

use std::path::{Path, PathBuf};

use diptych::image::ImageError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model can't be used, or can't read what it is given.
    #[error(transparent)]
    Model(#[from] diptych::Error),
    /// The index can't be read or written, or is another model's.
    #[error(transparent)]
    Index(#[from] diptych_index::Error),
    /// A pattern of what is left out that can't be followed.
    #[error("exclude `{pattern}`: {reason}")]
    Pattern {
        /// Pattern, as it was given.
        pattern: String,
        /// Fault in it.
        reason: String,
    },
    /// An index that no threshold was found for yet; [`calibrate`](crate::query::calibrate) does.
    #[error("the index has no threshold yet")]
    NoThreshold,
    /// A note of the index that can't be read or written.
    #[error("the index's note `{name}`: {reason}")]
    Note {
        /// Name of the note.
        name: &'static str,
        /// Reason, in words: found and wanted.
        reason: String,
    },
    /// Embeddings of another program that can't be taken in.
    #[error("{}: {reason}", path.display())]
    Import {
        /// The file or folder.
        path: PathBuf,
        /// Reason, in words: found and wanted.
        reason: String,
    },
    /// An array that can't be read or written.
    #[error(transparent)]
    Array(#[from] diptych_files::npy::NpyError),
    /// A file or folder that can't be looked at, read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Answer of the system, which is a part of the message.
        error: std::io::Error,
    },
    /// A file that can't be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        Self::Model(error.into())
    }
}

impl Error {
    /// Wraps what the system says of a file that it does not name.
    pub(crate) fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            error,
        }
    }

    /// A vector of an index that has another width than the index.
    pub(crate) fn width(got: usize, wanted: usize) -> Self {
        Self::Index(diptych_index::Error::Vector { got, wanted })
    }

    /// A note that does not become JSON.
    pub(crate) fn note(name: &'static str, error: &serde_json::Error) -> Self {
        Self::Note {
            name,
            reason: error.to_string(),
        }
    }

    /// Embeddings that can't be taken in.
    pub(crate) fn import(path: &Path, reason: impl Into<String>) -> Self {
        Self::Import {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
