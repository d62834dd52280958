//! JPEG: grey, YCbCr, RGB, CMYK and YCCK, sequential or progressive.
//!
//! `libjpeg-turbo-rs` repeats the arithmetic of libjpeg-turbo, Pillow's decoder, to the last bit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libjpeg_turbo_rs::common::types::{ColorSpace, DecodeLimits};
use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat};

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::orient::Orientation;
use crate::image::picture::{Mode, Picture};

/// Most scans of a progressive picture: writers make a dozen, hostile files thousands.
const MAX_SCANS: usize = 500;

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<(Picture, Orientation), ImageError> {
    // The decoder is young: of a million damaged files some hundred made it panic, all of the kind that
    // `decode_unguarded` now refuses. Should there be another, it costs one picture, not the whole run.
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(bytes, limit)))
        .unwrap_or_else(|_| Err(ImageError::damaged(Format::Jpeg, "the decoder gave up")))
}

fn decode_unguarded(bytes: &[u8], limit: &Limit) -> Result<(Picture, Orientation), ImageError> {
    let damaged = |error: JpegError| ImageError::damaged(Format::Jpeg, error);
    let unsupported = |found: &str| Err(ImageError::unsupported(Format::Jpeg, found));
    let limits = DecodeLimits {
        max_scans: MAX_SCANS,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(damaged)?;
    let header = decoder.header();
    let (width, height) = limit.check(header.width, header.height)?;
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
    let mut data = decoder.decode_image().map_err(damaged)?.data;
    if mode == Mode::Cmyk {
        // Stored inverted after Adobe's custom; Pillow takes that for granted, too.
        data.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    Ok((Picture::new(width, height, mode, data)?, orientation))
}
