//! `Pixels`: what the image tower reads.

use std::fmt;

use super::ImageError;

/// Height and width of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// A square.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self {
            height: side,
            width: side,
        }
    }

    /// Values of a picture in three planes.
    #[must_use]
    pub const fn values(self) -> usize {
        3 * self.height * self.width
    }
}

impl fmt::Display for Size {
    /// Width, then height, as sizes of pictures are told.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// Normalised pictures of one size, `[N, 3, H, W]` in f32: `N` pictures, planes red, green, blue,
/// `H` rows, `W` columns.
///
/// The preprocessing of a model makes squares; pictures of other shapes are for
/// [`crate::Clip::image_exits`].
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    size: Size,
    data: Vec<f32>,
}

impl Pixels {
    /// No pictures yet, of side `side`.
    #[must_use]
    pub fn empty(side: usize) -> Self {
        Self {
            size: Size::square(side),
            data: Vec::new(),
        }
    }

    /// `n` pictures of side `side`, all values zero.
    pub(super) fn zeros(n: usize, side: usize) -> Self {
        let size = Size::square(side);
        Self {
            size,
            data: vec![0.0; n * size.values()],
        }
    }

    /// All values, `[N, 3, H, W]`, to be written.
    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Takes the values of whole squares, `[N, 3, side, side]`.
    ///
    /// # Errors
    /// [`ImageError::Length`] if `data` does not hold a whole number of pictures.
    pub fn from_vec(side: usize, data: Vec<f32>) -> Result<Self, ImageError> {
        Self::of_size(Size::square(side), data)
    }

    /// Takes the values of whole pictures, `[N, 3, H, W]`.
    ///
    /// # Errors
    /// [`ImageError::Length`] if `data` does not hold a whole number of pictures.
    pub fn of_size(size: Size, data: Vec<f32>) -> Result<Self, ImageError> {
        let each = size.values();
        if each == 0 || !data.len().is_multiple_of(each) {
            let want = if each == 0 {
                0
            } else {
                data.len().next_multiple_of(each)
            };
            return Err(ImageError::Length {
                what: "pixels",
                shape: format!("[N, 3, {}, {}]", size.height, size.width),
                got: data.len(),
                want,
            });
        }
        Ok(Self { size, data })
    }

    /// Number of pictures, `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.size.values().max(1)
    }

    /// Whether there is no picture.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Size of every picture.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// All values, `[N, 3, H, W]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, `[N, 3, H, W]`, given away.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// The pictures one by one, each `[3, H, W]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.size.values().max(1))
    }

    /// Adds the pictures of `more` at the end.
    ///
    /// # Errors
    /// [`ImageError::Size`] if they have another size.
    pub fn push(&mut self, more: &Self) -> Result<(), ImageError> {
        if more.size != self.size {
            return Err(ImageError::Size {
                got: more.size,
                want: self.size,
            });
        }
        self.data.extend_from_slice(&more.data);
        Ok(())
    }

    /// Joins several sets of pictures of side `side`, in order.
    ///
    /// # Errors
    /// [`ImageError::Size`] if one has another size.
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
