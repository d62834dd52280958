//! JPEG: grey, YCbCr, RGB, CMYK and YCCK, sequential or progressive.
//!
//! `libjpeg-turbo-rs` repeats the arithmetic of libjpeg-turbo, Pillow's decoder, to the last bit; at ½, ¼
//! and ⅛ of the size, too, where fewer pixels are computed from a block of 8×8.

use libjpeg_turbo_rs::common::types::{ColorSpace, DecodeLimits};
use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat, ScalingFactor};

use super::{Format, Limit, skim};
use crate::image::error::ImageError;
use crate::image::orient::Orientation;
use crate::image::picture::{Mode, Picture};

/// Most scans of a progressive picture: writers make a dozen, hostile files thousands.
const MAX_SCANS: usize = 500;

/// The picture, its columns and rows at full scale, and how to turn it.
pub(super) type Scaled = (Picture, (usize, usize), Orientation);

/// Decodes at the smallest scale that is not smaller than `wanted` says of the full size.
pub(super) fn decode(
    bytes: &[u8],
    limit: &Limit,
    wanted: &dyn Fn((usize, usize)) -> (usize, usize),
) -> Result<Scaled, ImageError> {
    let damaged = |error: JpegError| ImageError::damaged(Format::Jpeg, error);
    let unsupported = |found: &str| Err(ImageError::unsupported(Format::Jpeg, found));
    let limits = DecodeLimits {
        max_scans: MAX_SCANS,
        // `limit` has the say.
        max_width: usize::MAX,
        max_height: usize::MAX,
        max_pixels: u64::MAX,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(damaged)?;
    let header = decoder.header();
    let full = (usize::from(header.width), usize::from(header.height));
    let reduction = reduction(full, wanted(full));
    let (width, height) = limit.check_reduced(header.width, header.height, reduction)?;
    // Of a progressive picture the decoder keeps every coefficient until the last scan.
    let kept = if header.is_progressive { 1 } else { reduction };
    if header.precision != 8 {
        return unsupported(&format!("{} bits a sample", header.precision));
    }
    let sampling = |i: usize| {
        header
            .components
            .get(i)
            .map(|c| (c.horizontal_sampling, c.vertical_sampling))
    };
    if header.components.len() == 4 && (1..4).any(|i| sampling(i) != sampling(0)) {
        return unsupported("four inks of different resolution");
    }

    let orientation = decoder
        .exif_data()
        .map(Orientation::from_exif)
        .unwrap_or_default();
    let (format, mode) = match decoder.jpeg_color_space() {
        ColorSpace::Grayscale => (PixelFormat::Grayscale, Mode::Grey),
        ColorSpace::YCbCr | ColorSpace::Rgb => (PixelFormat::Rgb, Mode::Rgb),
        ColorSpace::Cmyk | ColorSpace::Ycck => (PixelFormat::Cmyk, Mode::Cmyk),
        ColorSpace::Unknown => return unsupported("an unknown colour space"),
    };
    decoder.set_output_format(format);
    let scale = ScalingFactor::try_new(1, reduction as u32).map_err(damaged)?;
    decoder.set_scale(scale);
    let colours = decoder.jpeg_color_space();
    let skims = reduction == 8 && matches!(colours, ColorSpace::Grayscale | ColorSpace::YCbCr);
    let skimmed = skims.then(|| skim::eighth(bytes, MAX_SCANS)).flatten();
    let mut data = match skimmed {
        Some(data) => data,
        None => {
            limit.check_reduced(width as u64, height as u64, kept)?;
            decoder.decode_image().map_err(damaged)?.data
        }
    };
    if mode == Mode::Cmyk {
        // Stored inverted after Adobe's custom; Pillow takes that for granted, too.
        data.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    let [w, h] = [width, height].map(|side| side.div_ceil(reduction));
    let picture = Picture::new(w, h, mode, data)?;
    Ok((picture, (width, height), orientation))
}

/// The largest of 8, 4, 2 and 1 that divides both sides of `full` to no less than `wanted`, as Pillow's
/// `draft` picks it.
pub(in crate::image) fn reduction(full: (usize, usize), wanted: (usize, usize)) -> usize {
    let enough = |by: &usize| full.0 / by >= wanted.0 && full.1 / by >= wanted.1;
    [8, 4, 2].into_iter().find(enough).unwrap_or(1)
}
