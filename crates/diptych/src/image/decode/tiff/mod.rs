//! TIFF: every kind of samples and compression that Pillow reads; the first page.
//!
//! Flow: directory → `page` → strips and tiles, `unpack`ed, their predictors undone → planes (`chunks`) → `colours`.
//! Source: TIFF 6.0 and the notes that each file here names; what is alpha, and what samples of more than 8 bits become,
//! follows `TiffImagePlugin.py` of Pillow 13.
//! Invariant: nothing is read but the first directory and what it points to, so what follows it may be anything.

mod chunks;
mod colours;
mod old_jpeg;
mod page;
mod subsampled;
mod unpack;

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::picture::Picture;
use page::Page;

fn unsupported(found: impl Into<String>) -> ImageError {
    ImageError::unsupported(Format::Tiff, found)
}

/// Decodes the pixels, as they are stored.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let page = Page::read(bytes)?;
    let (width, height) = limit.size(page.width as u64, page.height as u64)?;
    // The planes, a strip or tile, and the picture.
    limit.hold(width * height * page.samples * page.bits.div_ceil(8) * 3);
    let colours = colours::Colours::of(&page)?;
    let planes = match page.compression {
        unpack::OLD_JPEG => vec![old_jpeg::read(&page, limit)?],
        _ => chunks::read(&page, colours.samples())?,
    };
    colours.picture(&page, planes)
}
