//! Reasons why a film gives no frames.

use std::process::ExitStatus;
use std::time::Duration;

use diptych::image::ImageError;

/// What went wrong with a film, or with the programs that read it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that reads films is not installed.
    #[error("films are read by `{program}`, which is not installed; it is in the package `ffmpeg`")]
    NotInstalled {
        /// Its name.
        program: &'static str,
    },
    /// A program could not be started, or its output not be read.
    #[error("`{program}`: {error}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// A program that reads films is too old or too new to be understood.
    #[error("`{program}` said {said:?}, wanted {wanted}")]
    Unclear {
        /// Its name.
        program: &'static str,
        /// What was not understood.
        said: String,
        /// What had been expected.
        wanted: &'static str,
    },
    /// It is no film that can be read.
    #[error("{reason}")]
    Refused {
        /// Reason, in words.
        reason: String,
    },
    /// A program made no progress.
    #[error("no frame came for {} seconds", .0.as_secs())]
    Stalled(Duration),
    /// A frame of an animated picture.
    #[error(transparent)]
    Picture(#[from] ImageError),
}

/// What this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A film is refused for a reason.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    /// What a program that failed said last, or if it said nothing how it ended.
    pub(crate) fn of_end(program: &'static str, said: &str, status: ExitStatus) -> Self {
        match said.trim() {
            "" => Self::refused(format!("`{program}` failed ({status}) and did not say why")),
            said => Self::refused(said),
        }
    }
}
