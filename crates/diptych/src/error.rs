//! What can go wrong, each kind with the values that tell a user what to mend.

use std::path::{Path, PathBuf};

use crate::image::ImageError;
use crate::text::TextError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that can't be read or followed.
    #[error("{origin}: {reason}")]
    Config {
        /// The file or name that the configuration came from.
        origin: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// A file of tensors that is not whole or holds numbers we can't read.
    #[error("{path}: {reason}")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What was found and what was wanted.
        reason: String,
    },
    /// A checkpoint whose tensors are not the architecture's.
    #[error(
        "{path}: the tensors are not this architecture's:\n  {}",
        list(problems)
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// One sentence a tensor: missing, unexpected, misshapen or not finite.
        problems: Vec<String>,
    },
    /// A `tokenizer.json` that can't be read.
    #[error("{path}: {source}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TextError,
    },
    /// A name that no model can be opened by.
    #[error("model `{name}` {reason}")]
    Model {
        /// What was asked for.
        name: String,
        /// Why it can't be had.
        reason: String,
    },
    /// A published model that can't be had.
    #[error("model `{name}` is not on this machine: {reason}")]
    Hub {
        /// What was asked for.
        name: String,
        /// What is there, and what is missing.
        reason: String,
    },
    /// A text that can't be encoded.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Labels and templates that make no classifier.
    #[error("zero-shot classification: {reason}")]
    Prompts {
        /// What was found and what was wanted.
        reason: String,
    },
    /// A query that can't be followed.
    #[error("query `{query}`: {reason}")]
    Query {
        /// What was asked for.
        query: String,
        /// What was found and what was wanted.
        reason: String,
    },
    /// An embedding of another width than the model's.
    #[error("the embedding has {got} values, wanted {wanted}: it is another model's")]
    Dim {
        /// Its values.
        got: usize,
        /// The model's.
        wanted: usize,
    },
    /// A picture that can't be decoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Tokens that this model's tokenizer can't have made.
    #[error("tokens of another model: {reason}")]
    Tokens {
        /// What was found and what was wanted.
        reason: String,
    },
    /// Pixels of another side than the image tower takes.
    #[error("the pixels have side {got}, but the image tower takes {want}")]
    Side {
        /// Their side.
        got: usize,
        /// The tower's.
        want: usize,
    },
    /// A device that this build doesn't have.
    #[error("device `{device}` needs a build with the feature `{device}`")]
    Device {
        /// The device asked for.
        device: &'static str,
    },
    /// A precision that is not computed in here.
    #[error("precision `{precision}` {reason}")]
    Precision {
        /// The precision asked for.
        precision: &'static str,
        /// Why not, and what was wanted.
        reason: &'static str,
    },
    /// A file that can't be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    /// An input or output error that names its file.
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        Self::Io(std::io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        ))
    }

    /// A value of ours that does not become JSON.
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Config {
            origin: "JSON".into(),
            reason: error.to_string(),
        }
    }
}

/// The first problems, one a line.
fn list(problems: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut lines = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    if problems.len() > SHOWN {
        lines.push(format!("and {} more", problems.len() - SHOWN));
    }
    lines.join("\n  ")
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
