//! Errors, each kind with the values that tell a user what to mend.

use std::path::{Path, PathBuf};

use crate::image::{ImageError, Size};
use crate::text::{TextError, shortened};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An architecture that can't be read or is not built here.
    #[error("{origin}: {reason}")]
    Architecture {
        /// The file or name that it came from.
        origin: String,
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// A preprocessing that can't be read or followed.
    #[error("{origin}: {reason}")]
    Preprocess {
        /// The file that it came from.
        origin: String,
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// A tokenizer that can't be read, is missing, or is not the architecture's.
    #[error("{origin}: {reason}")]
    Tokenizer {
        /// The file that it came from, or that asks for it.
        origin: String,
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// A small file of a checkpoint that is not small.
    #[error("{}: it has {got} bytes, wanted at most {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        got: u64,
        /// Bytes at the most.
        limit: u64,
    },
    /// A file of tensors that is not whole or holds numbers we can't read.
    #[error("{}: {reason}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// A checkpoint whose tensors are not the architecture's.
    #[error(
        "{}: these are not the tensors that the architecture wants:\n  {}",
        path.display(),
        list(problems)
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// One sentence a tensor: missing, unexpected, misshapen or not finite.
        problems: Vec<String>,
    },
    /// A tensor that a layer can't take.
    #[error("tensor `{name}` has shape {got:?}, wanted {want} dimensions")]
    Dimensions {
        /// Its name.
        name: String,
        /// Its shape.
        got: Vec<usize>,
        /// The number of dimensions that the layer's has.
        want: usize,
    },
    /// Something else than a checkpoint, where one was to be written.
    #[error("{}: {reason}", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
        /// In words, what is there.
        reason: String,
    },
    /// A model that a layout of checkpoints has no words for.
    #[error("{}: {reason}", path.display())]
    Layout {
        /// Where it was to be written.
        path: PathBuf,
        /// The part of the model that the layout has no words for.
        reason: String,
    },
    /// A name that no model can be opened by.
    #[error("model `{name}` {reason}")]
    Model {
        /// The name that was asked for.
        name: String,
        /// Why it can't be had.
        reason: String,
    },
    /// A name of a model without weights, where they are needed: an architecture, or a directory
    /// without a file of them.
    #[error("model `{name}` {reason}")]
    NoWeights {
        /// The name that was asked for.
        name: String,
        /// In words, what it is, and where its weights may be had.
        reason: String,
    },
    /// A published model that can't be had.
    #[error("model `{name}` is not on this machine: {reason}")]
    Hub {
        /// The name that was asked for.
        name: String,
        /// In words, what is there, and what is missing.
        reason: String,
    },
    /// A text that can't be encoded.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Labels and templates that make no classifier.
    #[error("zero-shot classification: {reason}")]
    Prompts {
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// A query that can't be followed.
    #[error("query `{}`: {reason}", shortened(query))]
    Query {
        /// The query that was asked for.
        query: String,
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// Features or embeddings of another width: two models' have no similarity.
    #[error("{got} values, wanted rows of {wanted}: they are another model's")]
    Dim {
        /// Number of values found: in all, or in a row.
        got: usize,
        /// Number of values wanted in a row.
        wanted: usize,
    },
    /// A picture that can't be decoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Tokens that this model's tokenizer can't have made.
    #[error("tokens of another model: {reason}")]
    Tokens {
        /// The fault: what was found, and what was wanted.
        reason: String,
    },
    /// Pixels of another size than the image tower takes.
    #[error("the pixels are {got}, but the image tower takes {want}")]
    Size {
        /// Their size.
        got: Size,
        /// The tower's.
        want: Size,
    },
    /// Features that a tower does not have, or not of these pixels.
    #[error("no features of {exit}: {reason}")]
    Exit {
        /// The features that were asked for.
        exit: String,
        /// In words, what the tower has or takes.
        reason: String,
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

    /// A file that could not be put into JSON.
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }

    /// A tokenizer's file that can't be followed.
    pub(crate) fn tokenizer(path: &Path, error: TextError) -> Self {
        Self::Tokenizer {
            origin: path.display().to_string(),
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
