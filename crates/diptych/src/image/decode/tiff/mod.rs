//! TIFF: the kinds of samples and compressions that Pillow reads, but for a few that are as good as
//! extinct; the first page.
//!
//! Flow: directory → `page` → strips and tiles, `unpack`ed, their predictors undone → planes
//! (`chunks`) → `colours`. Source: TIFF 6.0 and the notes that each file here names; what is alpha,
//! and what samples of more than 8 bits become, follows `TiffImagePlugin.py` of Pillow 13.
//! Invariant: nothing is read but the first directory and what it points to, so what follows it may
//! be anything.

mod chunks;
mod colours;
mod old_jpeg;
mod page;
mod subsampled;
mod unpack;

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::picture::Picture;
use page::{Page, Predictor};

/// Bytes of a pixel, if the picture is as large as it may be: three samples of 32 bits.
const MAX_PIXEL: u64 = 12;

fn unsupported(found: impl Into<String>) -> ImageError {
    ImageError::unsupported(Format::Tiff, found)
}

/// Decodes the pixels, as they are stored.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let page = Page::read(bytes)?;
    let (width, height) = limit.size(page.width as u64, page.height as u64)?;
    let pixel = page.samples * page.bits.div_ceil(8);
    if (width * height) as u64 * pixel as u64 > limit.max_pixels() * MAX_PIXEL {
        let Page { samples, bits, .. } = page;
        let found = format!("{samples} samples of {bits} bits for {width}×{height} pixels");
        return Err(unsupported(found));
    }
    // The planes, a strip that is all of them, and the picture.
    limit.hold(width * height * pixel * 3);
    if subsampled::of(&page).is_some() && page.predictor != Predictor::None {
        return Err(unsupported("a predictor before chroma of less resolution"));
    }
    let colours = colours::Colours::of(&page)?;
    let planes = match page.compression {
        unpack::OLD_JPEG => vec![old_jpeg::read(&page, limit)?],
        _ => chunks::read(&page, colours.samples())?,
    };
    colours.picture(&page, planes)
}
