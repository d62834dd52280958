//! CLIP's tokenizer: `clean` → `split` → `bpe`.
//!
//! Source: `SimpleTokenizer` (clean = `lower`) in open_clip 3.3.0 `tokenizer.py`.
//! Invariant: ids are those of the source (with ftfy 6.3.1 and Python 3.11) for every string of
//! characters that Unicode 14 assigns; no input panics, and time and memory grow about linearly
//! with the text. `parity/tokens.py` compares.

use std::sync::Arc;

use super::bpe::{Merges, N_BYTE_IDS};
use super::{Overflow, SpecialTokens, TextError, clean, split};

/// CLIP's tokenizer, with CLIP's list of merges or another. Cheap to clone: the list is shared.
#[derive(Clone, Debug)]
pub struct ClipTokenizer {
    pub(super) merges: Arc<Merges>,
    start: u32,
    kind: SpecialTokens,
}

impl ClipTokenizer {
    /// The standard vocabulary of 49,408 entries.
    #[must_use]
    pub fn new(kind: SpecialTokens) -> Self {
        Self::of_merges(Arc::clone(Merges::standard()), kind)
    }

    /// All of a list of merges.
    pub(super) fn of_merges(merges: Arc<Merges>, kind: SpecialTokens) -> Self {
        Self {
            start: N_BYTE_IDS + merges.len() as u32,
            merges,
            kind,
        }
    }

    /// The first `size` − 514 merges of the standard list, for models with a smaller vocabulary.
    ///
    /// # Errors
    /// [`TextError::VocabSize`] unless `size` is from 514 to 49,408.
    pub fn with_vocab_size(size: usize, kind: SpecialTokens) -> Result<Self, TextError> {
        let standard = Self::new(kind);
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

    /// Whether the entries are the same ones: ids are, but for texts that spell a special token.
    #[must_use]
    pub fn has_vocabulary_of(&self, other: &Self) -> bool {
        let n = (self.start - N_BYTE_IDS) as usize;
        self.start == other.start
            && (Arc::ptr_eq(&self.merges, &other.merges) || self.merges.begins_as(&other.merges, n))
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

/// Two tokenizers are equal if they give every text the same ids.
impl PartialEq for ClipTokenizer {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.has_vocabulary_of(other)
    }
}
