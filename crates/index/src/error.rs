//! Kinds of errors, each with the values that tell a user what to mend.

use std::path::{Path, PathBuf};

use crate::Model;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no index.
    #[error("{}: there is no index", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or folder that is no index.
    #[error("{}: it is no index, but {found}", path.display())]
    NoIndex {
        /// Where it is.
        path: PathBuf,
        /// The thing that is there instead, in words.
        found: &'static str,
    },
    /// An index that is damaged.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The state it is in, and the one that was wanted.
        reason: String,
    },
    /// An index of another version of the program.
    #[error("{}: an index of format {found}, and this program reads format {wanted}; {advice}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        wanted: u32,
        /// A way out.
        advice: &'static str,
    },
    /// An index of another model's vectors.
    #[error(
        "{place}: its vectors are of the model `{}` (fingerprint {}), and not of `{}` (fingerprint {}), so they can't be compared",
        has.name, short(&has.fingerprint), wanted.name, short(&wanted.fingerprint)
    )]
    Model {
        /// The index.
        place: String,
        /// Its model.
        has: Box<Model>,
        /// The model asked for.
        wanted: Box<Model>,
    },
    /// A vector that can't be the model's.
    #[error("a vector of {got} values, wanted {wanted} that are finite")]
    Vector {
        /// Values it has.
        got: usize,
        /// The index's width.
        wanted: usize,
    },
    /// A change that can't be made.
    #[error("{what}")]
    Change {
        /// The change, and why it can't be made.
        what: String,
    },
    /// Another process is writing.
    #[error("{}: another process{} is writing to this index; wait until it has ended", path.display(), by(*.pid))]
    Locked {
        /// The index.
        path: PathBuf,
        /// Which process, if it told.
        pid: Option<u32>,
    },
    /// The database does not do what it is asked.
    #[error("{}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Its message.
        reason: String,
    },
    /// A server that does not do what it is asked.
    #[error("{url}: {reason}")]
    Server {
        /// Where it is.
        url: String,
        /// Its message.
        reason: String,
    },
    /// A file that can't be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    /// A database's error about its file.
    pub(crate) fn database(path: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(NotADatabase) => Self::NoIndex {
                path: path.to_owned(),
                found: OTHER_KIND,
            },
            Some(DatabaseCorrupt) => Self::Damaged {
                path: path.to_owned(),
                reason: format!("the index is damaged: {error}"),
            },
            _ => Self::Database {
                path: path.to_owned(),
                reason: sql(&error),
            },
        }
    }
}

/// Description of a file that does not begin as an index.
pub(crate) const OTHER_KIND: &str = "a file of another kind, or one whose beginning is damaged";

/// The beginning of a fingerprint, enough to tell two apart.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" ({pid})"))
}

/// SQLite's message, in words where it has a code that people meet.
fn sql(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull) => {
            "there is no room left on the disk; what was stored before is kept".into()
        }
        Some(ReadOnly | PermissionDenied) => "the index can't be written here".into(),
        Some(CannotOpen) => "the index can't be opened; may its file, those beside it and their folder be read?".into(),
        Some(SystemIoFailure) => {
            "the system could not read or write the index; the disk may be at fault, or its connection".into()
        }
        _ => error.to_string(),
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
