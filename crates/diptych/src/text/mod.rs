//! Text stage: strings → [`Tokens`], with CLIP's byte-pair encoding.
//!
//! Flow: string → `clean` → `split` → `bpe` → **[`Tokens`]** → text tower.
//! Source: `SimpleTokenizer` (clean = `lower`) in open_clip 3.3.0 `tokenizer.py`.
//! Invariant: ids are those of the source (with ftfy 6.3.1 and Python 3.11) for every string of
//! characters that Unicode 14 assigns; no input panics, and time and memory grow about linearly with
//! the text. `parity/tokens.py` compares.
//!
//! `N` texts, `L` context length.

mod bpe;
mod clean;
mod error;
mod ftfy;
mod html;
mod split;
#[cfg(test)]
mod tests;
mod tokenizer_json;
mod tokens;

use rayon::prelude::*;

use bpe::{Merges, N_BYTE_IDS};
pub use error::TextError;
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

/// What to do with a text that has more tokens than the model reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Fail with [`TextError::TooLong`].
    #[default]
    Refuse,
    /// Drop tokens from the end of the text; the end token is kept.
    Truncate,
}

/// CLIP's tokenizer. Cheap to copy: the merges list is parsed once in a process and shared.
#[derive(Clone, Copy, Debug)]
pub struct Tokenizer {
    merges: &'static Merges,
    start: u32,
    kind: SpecialTokens,
}

impl Tokenizer {
    /// The standard vocabulary of 49,408 entries.
    #[must_use]
    pub fn clip(kind: SpecialTokens) -> Self {
        let merges = Merges::standard();
        Self {
            merges,
            start: N_BYTE_IDS + merges.len() as u32,
            kind,
        }
    }

    /// The first `size` − 514 merges of the standard list, for models with a smaller vocabulary.
    ///
    /// # Errors
    /// [`TextError::VocabSize`] unless `size` is from 514 to 49,408.
    pub fn with_vocab_size(size: usize, kind: SpecialTokens) -> Result<Self, TextError> {
        let standard = Self::clip(kind);
        let (min, max) = (N_BYTE_IDS as usize + 2, standard.vocab_size());
        if !(min..=max).contains(&size) {
            return Err(TextError::VocabSize {
                got: size,
                min,
                max,
            });
        }
        Ok(Self {
            start: size as u32 - 2,
            ..standard
        })
    }

    /// Number of entries, start and end token included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.start as usize + 2
    }

    /// Id of the start token, the second highest.
    #[must_use]
    pub fn start_id(&self) -> u32 {
        self.start
    }

    /// Id of the end token, the highest: models find the end of a text by the largest id.
    #[must_use]
    pub fn end_id(&self) -> u32 {
        self.start + 1
    }

    /// How special tokens inside texts are spelled.
    #[must_use]
    pub fn special_tokens(&self) -> SpecialTokens {
        self.kind
    }

    /// Encodes one text: start token, the text's tokens, end token; not padded.
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
        if context_length < 2 {
            return Err(TextError::ContextTooShort { context_length });
        }
        let mut ids = vec![self.start_id()];
        let [start, end] = self.kind.spelling();
        for word in split::words(&clean::clean(text), self.kind) {
            if word == start {
                ids.push(self.start_id());
            } else if word == end {
                ids.push(self.end_id());
            } else {
                self.merges.encode(word, self.start, &mut ids);
            }
        }
        ids.push(self.end_id());

        if ids.len() > context_length {
            match overflow {
                Overflow::Refuse => {
                    return Err(TextError::TooLong {
                        tokens: ids.len(),
                        context_length,
                    });
                }
                Overflow::Truncate => {
                    ids.truncate(context_length - 1);
                    ids.push(self.end_id());
                }
            }
        }
        Ok(ids)
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
            ids.push(row.map_err(|source| TextError::InBatch {
                index,
                source: Box::new(source),
            })?);
        }
        Tokens::from_rows(&ids, context_length)
    }

    /// The words of `ids`, separated by single spaces.
    ///
    /// Start, end and unknown ids are left out; bytes that aren't UTF-8, as truncation may leave
    /// them, become U+FFFD.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in ids.iter().filter(|&&id| id < self.start) {
            bytes.extend(self.merges.bytes(id));
            if self.merges.ends_word(id) {
                bytes.push(b' ');
            }
        }
        String::from_utf8_lossy(&bytes)
            .trim_end_matches(' ')
            .to_owned()
    }
}
