//! HEIC and AVIF stills, through the system's libheif and the codecs that it finds.
//!
//! The pixels are those that libheif computes, so another version of it may differ by a level where
//! colours are stored at half the resolution. Rotation and mirroring belong to the format and are
//! done by it; an orientation in EXIF says the same a second time and is not read.
//! Source: ISO/IEC 23008-12; libheif's `heif.h`, 1.14.
//! Invariant: the size in the header is checked before pixels are decoded, that of the pixels
//! after. A stream that is larger than its header says is decoded before that shows, up to the
//! limits of libheif's own (32,768 a side).

use std::sync::OnceLock;

use libheif_rs::{ColorSpace, HeifContext, HeifError, HeifErrorCode, LibHeif, RgbChroma};

use super::Limit;
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture, divide_alpha};

/// libheif, with its codecs loaded once and for all.
static LIBRARY: OnceLock<LibHeif> = OnceLock::new();

/// Decodes the primary picture, upright.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let failed = |error: HeifError| match error.code {
        HeifErrorCode::UnsupportedFeature | HeifErrorCode::UnsupportedFileType => {
            ImageError::unsupported(
                limit.format,
                format!("a feature libheif lacks ({})", error.message),
            )
        }
        _ => ImageError::damaged(limit.format, error.message),
    };
    let library = LIBRARY.get_or_init(LibHeif::new);
    let mut context = HeifContext::read_from_bytes(bytes).map_err(failed)?;
    // Pictures are decoded beside each other already; within one, tiles need no threads of their
    // own.
    context.set_max_decoding_threads(0);
    let handle = context.primary_image_handle().map_err(failed)?;
    limit.check(handle.width(), handle.height())?;

    let (mode, chroma) = if handle.has_alpha_channel() {
        (Mode::Rgba, RgbChroma::Rgba)
    } else {
        (Mode::Rgb, RgbChroma::Rgb)
    };
    // No options: libheif-rs 0.20 frees them before libheif reads them.
    let image = library
        .decode(&handle, ColorSpace::Rgb(chroma), None)
        .map_err(failed)?;
    let planes = image.planes();
    let plane = planes
        .interleaved
        .ok_or_else(|| ImageError::damaged(limit.format, "libheif gave no pixels"))?;
    let (width, height) = limit.check(plane.width, plane.height)?;
    // Lines begin at multiples of some length of libheif's choice.
    let line = width * mode.channels();
    let mut data = Vec::with_capacity(line * height);
    for stored in plane.data.chunks(plane.stride.max(1)).take(height) {
        data.extend_from_slice(stored.get(..line).unwrap_or_default());
    }
    if mode == Mode::Rgba && handle.is_premultiplied_alpha() {
        data = divide_alpha::<4>(data);
    }
    Picture::new(width, height, mode, data)
}
