//! What can go wrong while an index is made or asked.

use std::path::Path;

use diptych::image::ImageError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model can't be used.
    #[error(transparent)]
    Model(#[from] diptych::Error),
    /// The index can't be read or written.
    #[error(transparent)]
    Index(#[from] diptych_index::Error),
    /// A pattern of what is left out that can't be followed.
    #[error("exclude `{pattern}`: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
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

impl Error {
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
