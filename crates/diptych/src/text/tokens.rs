//! A batch of encoded texts, one of the four types that cross the borders of Diptych's modules.
//!
//! `N` texts, `L` context length.

use super::TextError;

/// Encoded texts: `[N, L]` ids, each row from its start to its end token and zero from there on;
/// SigLIP's fill the context with padding of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    context_length: usize,
}

impl Tokens {
    /// Pads encoded texts with zeros to `context_length`.
    ///
    /// # Errors
    /// [`TextError::InBatch`] with [`TextError::TooLong`] if a row doesn't fit.
    pub fn from_rows<R: AsRef<[u32]>>(
        rows: &[R],
        context_length: usize,
    ) -> Result<Self, TextError> {
        let mut ids = Vec::with_capacity(rows.len().saturating_mul(context_length));
        let mut lengths = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let row = row.as_ref();
            if row.len() > context_length {
                let error = Box::new(TextError::TooLong {
                    tokens: row.len(),
                    context_length,
                });
                return Err(TextError::InBatch { index, error });
            }
            ids.extend_from_slice(row);
            ids.resize(ids.len() + context_length - row.len(), 0);
            lengths.push(row.len());
        }
        Ok(Self {
            ids,
            lengths,
            context_length,
        })
    }

    /// Number of texts, `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Ids in a row, `L`.
    #[must_use]
    pub fn context_length(&self) -> usize {
        self.context_length
    }

    /// All ids, row by row: `[N, L]`, zero after the end token.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Tokens of each text, start and end included: `[N]`. Beyond them a row is zero.
    ///
    /// CLIP's row `i` ends with the end token at `lengths()[i] - 1`. If the text itself spells end
    /// tokens out, there are more before it, and models read the first.
    #[must_use]
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The padded rows, `L` ids each.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.ids.chunks_exact(self.context_length.max(1))
    }
}
