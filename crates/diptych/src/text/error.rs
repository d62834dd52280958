//! Errors on the way from a string to its tokens.

/// An error of the text stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The text has more tokens, start and end included, than the model reads.
    #[error("text has {tokens} tokens, but the context length is {context_length}")]
    TooLong {
        /// Tokens of the text, start and end token included.
        tokens: usize,
        /// Tokens that fit.
        context_length: usize,
    },

    /// One text of a batch failed.
    #[error("text {index} of the batch (from 0): {error}")]
    InBatch {
        /// Position of the text in the batch, from 0.
        index: usize,
        /// Why it failed.
        error: Box<TextError>,
    },

    /// The context can't even hold the start and the end token.
    #[error("context length is {context_length}, but the start and end tokens alone need 2")]
    ContextTooShort {
        /// The context length asked for.
        context_length: usize,
    },

    /// No vocabulary of this size can be cut from CLIP's merges list.
    #[error("vocabulary size is {got}, but CLIP's list of merges gives sizes from {min} to {max}")]
    VocabSize {
        /// The size asked for.
        got: usize,
        /// The smallest size: the byte alphabet, twice, and two special tokens.
        min: usize,
        /// The standard size.
        max: usize,
    },

    /// Texts do not give a vocabulary of this size.
    #[error("a vocabulary of {size} entries can't be learned: {}", match most {
        Some(most) => format!("the texts give {most} at the most"),
        None => "wanted at least 514: each byte needs two".into(),
    })]
    Vocabulary {
        /// The size asked for.
        size: usize,
        /// Entries that the texts give, if it is not too small in itself.
        most: Option<usize>,
    },

    /// A `tokenizer.json` isn't JSON of the expected shape.
    #[error("tokenizer.json: {0}")]
    Json(String),

    /// A `tokenizer.json` describes another tokenizer than CLIP's.
    #[error("tokenizer.json: {field} is {found}, but CLIP's tokenizer has {wanted}")]
    NotClip {
        /// Path of the field inside the file.
        field: String,
        /// The value in the file.
        found: String,
        /// The value that is wanted.
        wanted: String,
    },

    /// A file of SigLIP's tokenizer can't be followed.
    #[error("SigLIP's tokenizer: {reason}")]
    Siglip {
        /// The fault that was found.
        reason: String,
    },
}

impl From<serde_json::Error> for TextError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}
