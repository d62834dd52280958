//! WebP: lossy, lossless, with alpha; of an animation the first frame.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::orient::Orientation;
use crate::image::picture::{Mode, Picture};

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<(Picture, Orientation), ImageError> {
    let damaged = |error| ImageError::damaged(Format::WebP, error);
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = limit.check(width, height)?;
    let mode = if decoder.has_alpha() {
        Mode::Rgba
    } else {
        Mode::Rgb
    };
    let mut data = vec![0; width * height * mode.channels()];
    decoder.read_image(&mut data).map_err(damaged)?;
    // A damaged EXIF block costs nothing but the orientation.
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif
        .as_deref()
        .map(Orientation::from_exif)
        .unwrap_or_default();
    Ok((Picture::new(width, height, mode, data)?, orientation))
}
