//! Text stage: strings → [`Tokens`], by CLIP's byte-pair encoding or by SigLIP's tokenizers.
//!
//! Flow: string → `clip` or `siglip` → **[`Tokens`]** → text tower.
//!
//! `N` texts, `L` context length.

mod bpe;
mod clean;
mod clip;
mod error;
mod ftfy;
mod html;
mod sentencepiece;
mod shortened;
mod siglip;
mod split;
#[cfg(test)]
mod tests;
mod tokenizer_json;
mod tokens;
mod vocabulary;

use rayon::prelude::*;

pub use clip::ClipTokenizer;
pub use error::TextError;
pub use shortened::shortened;
pub use siglip::SiglipTokenizer;
pub use tokens::Tokens;

/// Entries of the standard vocabulary: 512 single bytes, 48,894 merges, start and end token.
pub const VOCAB_SIZE: usize = 49_408;

/// Tokens that OpenAI's models read, start and end token included.
pub const CONTEXT_LENGTH: usize = 77;

/// How special tokens are spelled where they appear inside a text. Their ids don't depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SpecialTokens {
    /// `<start_of_text>` and `<end_of_text>`, as open_clip has it.
    #[default]
    OpenClip,
    /// `<|startoftext|>` and `<|endoftext|>`, as OpenAI and Hugging Face have it.
    OpenAi,
}

impl SpecialTokens {
    /// The start and the end token, spelled out.
    #[must_use]
    pub const fn spelling(self) -> [&'static str; 2] {
        match self {
            Self::OpenClip => ["<start_of_text>", "<end_of_text>"],
            Self::OpenAi => ["<|startoftext|>", "<|endoftext|>"],
        }
    }
}

/// Treatment of a text that has more tokens than the model reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Fail with [`TextError::TooLong`].
    #[default]
    Refuse,
    /// Drop tokens from the end of the text; the end token is kept.
    Truncate,
}

/// A model's tokenizer. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Tokenizer {
    /// CLIP's.
    Clip(ClipTokenizer),
    /// SigLIP's or SigLIP 2's.
    Siglip(SiglipTokenizer),
}

impl From<ClipTokenizer> for Tokenizer {
    fn from(tokenizer: ClipTokenizer) -> Self {
        Self::Clip(tokenizer)
    }
}

impl Tokenizer {
    /// Number of entries, special tokens included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Clip(tokenizer) => tokenizer.vocab_size(),
            Self::Siglip(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// CLIP's tokenizer, if it is that.
    #[must_use]
    pub fn as_clip(&self) -> Option<&ClipTokenizer> {
        match self {
            Self::Clip(tokenizer) => Some(tokenizer),
            Self::Siglip(_) => None,
        }
    }

    /// Encodes one text: for CLIP start token, the text's tokens, end token, not padded; for SigLIP
    /// the text's tokens, end token and padding, `context_length` in all, because its text
    /// tower reads the padding.
    ///
    /// # Errors
    /// [`TextError::TooLong`] if there are more than `context_length` and `overflow` refuses;
    /// [`TextError::ContextTooShort`] if `context_length` is less than 2.
    pub fn encode(
        &self,
        text: &str,
        context_length: usize,
        overflow: Overflow,
    ) -> Result<Vec<u32>, TextError> {
        match self {
            Self::Clip(tokenizer) => tokenizer.encode(text, context_length, overflow),
            Self::Siglip(tokenizer) => tokenizer.encode(text, context_length, overflow),
        }
    }

    /// Encodes texts in parallel, one row a text, in order.
    ///
    /// # Errors
    /// [`TextError::InBatch`] names the first text that [`encode`](Self::encode) fails on.
    pub fn encode_batch<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        context_length: usize,
        overflow: Overflow,
    ) -> Result<Tokens, TextError> {
        let rows: Vec<Result<Vec<u32>, TextError>> = texts
            .par_iter()
            .map(|text| self.encode(text.as_ref(), context_length, overflow))
            .collect();
        let mut ids = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            ids.push(row.map_err(|error| TextError::InBatch {
                index,
                error: Box::new(error),
            })?);
        }
        Tokens::from_rows(&ids, context_length)
    }

    /// The words of `ids`, separated by single spaces; start, end, padding and unknown ids are left
    /// out.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        match self {
            Self::Clip(tokenizer) => tokenizer.decode(ids),
            Self::Siglip(tokenizer) => tokenizer.decode(ids),
        }
    }
}
