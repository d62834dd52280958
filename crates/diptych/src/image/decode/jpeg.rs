//! JPEG: grey, YCbCr, RGB, CMYK and YCCK, sequential or progressive.
//!
//! `libjpeg-turbo-rs` repeats the arithmetic of libjpeg-turbo, Pillow's decoder, to the last bit;
//! at ½, ¼ and ⅛ of the size, too, where fewer pixels are computed from a block of 8×8.

use libjpeg_turbo_rs::common::types::{ColorSpace, DecodeLimits, FrameHeader};
use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat, ScalingFactor};

use super::forgiving::{self, Form};
use super::{Decoded, Format, Limit, skim};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture};
use crate::image::segments::{SCAN, segments};

/// Pixels that all scans of a picture may go over. A picture of 200 megapixels, the largest by
/// default, may have 5,000,000,000 / (200,000,000 + 2²⁰) = 24 scans. Writers make a dozen; hostile
/// files thousands, each of which may be a few bytes long.
const MAX_SCANNED: usize = 5_000_000_000;

/// Cost of reading a scan's tables, counted in pixels.
const SCAN_COST: usize = 1 << 20;

/// Scans that a picture may have in any case, and a part of one at the most.
const SCANS: usize = 20;

/// Scans that a picture of so many pixels may have.
fn max_scans(pixels: usize) -> usize {
    (MAX_SCANNED / (pixels + SCAN_COST)).max(SCANS)
}

impl Limit {
    /// Scans that a JPEG of so many pixels may have.
    fn max_scans(&self, pixels: usize) -> usize {
        match self.part {
            Some(_) => SCANS,
            None => max_scans(pixels),
        }
    }
}

/// Markers: the interval of restart markers, the end of the picture.
const RESTART_INTERVAL: u8 = 0xdd;
const END: u8 = 0xd9;

/// Decodes at the smallest scale that is not smaller than `wanted` says of the full size; a damaged
/// file, or one of a rare sampling, at its own.
pub(super) fn decode(
    bytes: &[u8],
    limit: &Limit,
    wanted: &dyn Fn((usize, usize)) -> (usize, usize),
) -> Result<Decoded, ImageError> {
    let error = match in_order(bytes, limit, wanted) {
        Err(error @ (ImageError::Damaged { .. } | ImageError::Unsupported { .. })) => error,
        decided => return decided,
    };
    match forgive(bytes, limit, Form::Seen) {
        Ok(Some((width, height, mode, data))) => {
            let picture = finish(width, height, mode, data)?;
            Ok(picture.into())
        }
        Ok(None) => Err(error),
        Err(fault) => Err(ImageError::damaged(Format::Jpeg, fault)),
    }
}

/// Decodes a file as libjpeg does, damaged or not.
pub(super) fn forgive(bytes: &[u8], limit: &Limit, form: Form) -> forgiving::Outcome {
    forgiving::decode(bytes, form, |width, height, components| {
        let (width, height) = limit.size(width as u64, height as u64).ok()?;
        // Coefficients, planes and the picture.
        limit.hold(4 * components * width * height);
        Some(limit.max_scans(width * height))
    })
}

/// Decodes a file that is in order.
fn in_order(
    bytes: &[u8],
    limit: &Limit,
    wanted: &dyn Fn((usize, usize)) -> (usize, usize),
) -> Result<Decoded, ImageError> {
    let damaged = |error: JpegError| ImageError::damaged(Format::Jpeg, error);
    let unsupported = |found: &str| Err(ImageError::unsupported(Format::Jpeg, found));
    let limits = DecodeLimits {
        max_scans: max_scans(0),
        // `limit` has the say.
        max_width: usize::MAX,
        max_height: usize::MAX,
        max_pixels: u64::MAX,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(damaged)?;
    let header = decoder.header();
    let full = (usize::from(header.width), usize::from(header.height));
    // A lossless file has no blocks that could be made smaller.
    let reduction = if header.is_lossless {
        1
    } else {
        reduction(full, wanted(full))
    };
    let (width, height) = limit.reduced(header.width, header.height, reduction)?;
    // Of a progressive picture the decoder keeps every coefficient until the last scan.
    let kept = if header.is_progressive { 1 } else { reduction };
    let pixels = width * height;
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
    let (format, mode) = match decoder.jpeg_color_space() {
        ColorSpace::Grayscale => (PixelFormat::Grayscale, Mode::Grey),
        ColorSpace::YCbCr | ColorSpace::Rgb => (PixelFormat::Rgb, Mode::Rgb),
        ColorSpace::Cmyk | ColorSpace::Ycck => (PixelFormat::Cmyk, Mode::Cmyk),
        ColorSpace::Unknown => return unsupported("an unknown colour space"),
    };
    if !restarts_in_order(bytes) {
        return Err(ImageError::damaged(
            Format::Jpeg,
            "restart markers are lost",
        ));
    }
    decoder.set_output_format(format);
    // What a scan of a progressive file has not told yet is guessed from the blocks around.
    decoder.set_block_smoothing(true);
    limit.hold(held(decoder.header(), pixels, reduction));
    let max_scans = limit.max_scans(pixels);
    decoder.set_scan_limit(max_scans as u32);
    let scale = ScalingFactor::try_new(1, reduction as u32).map_err(damaged)?;
    decoder.set_scale(scale);
    let colours = decoder.jpeg_color_space();
    let skims = reduction == 8 && matches!(colours, ColorSpace::Grayscale | ColorSpace::YCbCr);
    let skimmed = skims.then(|| skim::eighth(bytes, max_scans)).flatten();
    let data = match skimmed {
        Some(data) => data,
        None => {
            limit.reduced(width as u64, height as u64, kept)?;
            decoder.decode_image().map_err(damaged)?.data
        }
    };
    let [w, h] = [width, height].map(|side| side.div_ceil(reduction));
    Ok(Decoded {
        picture: finish(w, h, mode, data)?,
        full: (width, height),
    })
}

/// Whether the restart markers of each scan, if there are any, count from 0 to 7 and over again. Of
/// a file in which they do not the decoder makes other pixels than libjpeg.
fn restarts_in_order(bytes: &[u8]) -> bool {
    let mut has_restarts = false;
    // What is beside the pixels may hold any bytes.
    let scan = segments(bytes).find(|(marker, _)| {
        has_restarts |= *marker == RESTART_INTERVAL;
        *marker == SCAN
    });
    let Some((_, data)) = scan.filter(|_| has_restarts) else {
        return true;
    };
    let mut expected = 0;
    for pair in data.windows(2).filter(|pair| pair[0] == 0xff) {
        match pair[1] {
            SCAN => expected = 0,
            END => break,
            marker @ 0xd0..=0xd7 if marker != 0xd0 + expected % 8 => return false,
            0xd0..=0xd7 => expected += 1,
            _ => {}
        }
    }
    true
}

/// The picture of decoded pixels.
fn finish(
    width: usize,
    height: usize,
    mode: Mode,
    mut data: Vec<u8>,
) -> Result<Picture, ImageError> {
    if mode == Mode::Cmyk {
        // Stored inverted after Adobe's custom; Pillow takes that for granted, too.
        data.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    Picture::new(width, height, mode, data)
}

/// Bytes that are held of a picture: every coefficient, if its scans come back to them; its planes,
/// and what is made of them. Measured: 6.0 for each pixel of three full planes, 9.1 if they are
/// progressive.
fn held(header: &FrameHeader, pixels: usize, reduction: usize) -> usize {
    let samples = header.components.len() * pixels;
    let coefficients = if header.is_progressive {
        2 * samples
    } else {
        0
    };
    coefficients + 2 * samples.div_ceil(reduction * reduction)
}

/// The largest of 8, 4, 2 and 1 that divides both sides of `full` to no less than `wanted`, as
/// Pillow's `draft` picks it.
pub(in crate::image) fn reduction(full: (usize, usize), wanted: (usize, usize)) -> usize {
    let enough = |by: &usize| full.0 / by >= wanted.0 && full.1 / by >= wanted.1;
    [8, 4, 2].into_iter().find(enough).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_limited_by_the_pixels_that_they_go_over() {
        assert_eq!(max_scans(0), 4768);
        assert_eq!(max_scans(12_000_000), 383);
        assert_eq!(max_scans(200_000_000), 24);
        assert_eq!(max_scans(usize::MAX >> 1), 20);
    }
}
