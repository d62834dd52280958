//! `Pixels`: what the image tower reads.

use super::ImageError;

/// Normalised square pictures, `[N, 3, S, S]` in f32: `N` pictures, planes red, green, blue, side `S`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    side: usize,
    data: Vec<f32>,
}

impl Pixels {
    /// No pictures yet, of side `side`.
    #[must_use]
    pub fn empty(side: usize) -> Self {
        Self {
            side,
            data: Vec::new(),
        }
    }

    /// `n` pictures of side `side`, all values zero.
    pub(super) fn zeros(n: usize, side: usize) -> Self {
        Self {
            side,
            data: vec![0.0; n * 3 * side * side],
        }
    }

    /// All values, `[N, 3, S, S]`, to be written.
    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Takes the values of whole pictures, `[N, 3, side, side]`.
    ///
    /// # Errors
    /// [`ImageError::Length`] if `data` does not hold a whole number of pictures.
    pub fn from_vec(side: usize, data: Vec<f32>) -> Result<Self, ImageError> {
        let each = 3 * side * side;
        if each == 0 || !data.len().is_multiple_of(each) {
            let want = if each == 0 {
                0
            } else {
                data.len().next_multiple_of(each)
            };
            return Err(ImageError::Length {
                what: "pixels",
                shape: format!("[N, 3, {side}, {side}]"),
                got: data.len(),
                want,
            });
        }
        Ok(Self { side, data })
    }

    /// Number of pictures, `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / (3 * self.side * self.side).max(1)
    }

    /// Whether there is no picture.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Side `S` of every picture.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// All values, `[N, 3, S, S]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, `[N, 3, S, S]`, given away.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// The pictures one by one, each `[3, S, S]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact((3 * self.side * self.side).max(1))
    }

    /// Adds the pictures of `more` at the end.
    ///
    /// # Errors
    /// [`ImageError::Side`] if they have another side.
    pub fn push(&mut self, more: &Self) -> Result<(), ImageError> {
        if more.side != self.side {
            return Err(ImageError::Side {
                got: more.side,
                want: self.side,
            });
        }
        self.data.extend_from_slice(&more.data);
        Ok(())
    }

    /// Joins several sets of pictures of side `side`, in order.
    ///
    /// # Errors
    /// [`ImageError::Side`] if one has another side.
    pub fn concat<'a>(
        side: usize,
        parts: impl IntoIterator<Item = &'a Self>,
    ) -> Result<Self, ImageError> {
        let mut all = Self::empty(side);
        for part in parts {
            all.push(part)?;
        }
        Ok(all)
    }
}
