//! Small pictures for pages.

use std::path::Path;

use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture};

/// Longer side of a thumbnail at the most, in pixels.
pub const THUMBNAIL: usize = 320;

/// The bytes of a small JPEG of a picture's file; none if it can't be read.
pub fn thumbnail(path: &Path, options: &DecodeOptions) -> Option<Vec<u8>> {
    let picture = Picture::open_small(path, THUMBNAIL, options).ok()?;
    let small = picture.shrunk(THUMBNAIL, Interpolation::Bicubic);
    let shown = small.as_ref().unwrap_or(&picture);
    Encoding::Jpeg.encode(shown).ok()
}
