//! Camera RAW: the preview that cameras and converters store in it, a JPEG developed by them.
//!
//! Flow: bytes → places of previews (`tiff.rs`, `raf.rs`, `cr3.rs`) → the largest whole JPEG → JPEG
//! decoder. Nothing is developed here, so a picture is as large as the preview: mostly the full
//! size, but 1620×1080 or less from some cameras. A file without a preview in JPEG is an error,
//! unless its first directory is a picture that TIFF knows (some DNG have such a small one).
//! Source: TIFF/EP, DNG 1.7; the names of tags in ExifTool 13, whose reduced CR2, CR3, DNG, NEF,
//! RAF and RW2 this has been tried on. ARW, ORF and PEF are written after descriptions alone.
//! Invariant: every position is checked, every loop is bounded, and nothing is copied before the
//! decoder.

mod cr3;
mod raf;
mod tiff;

use super::{Decoded, Format, Limit, jpeg, tiff as plain};
use crate::image::error::ImageError;
use crate::image::metadata::Metadata;
use crate::image::orient::Orientation;

/// More segments before the frame than any camera writes, fill bytes included.
const MAX_SEGMENTS: usize = 1000;

/// The previews that a RAW announces.
#[derive(Debug, Default)]
struct Found {
    /// First byte and length, as announced.
    places: Vec<(u64, u64)>,
    /// Tag of the orientation, where the file says it outside of the preview.
    orientation: Option<u32>,
}

/// Whether a file is a camera's RAW: by its first bytes, or as a TIFF by what is in its
/// directories.
pub(super) fn is_raw(bytes: &[u8]) -> bool {
    raf::is_raf(bytes) || cr3::is_cr3(bytes) || tiff::is_raw(bytes)
}

/// Decodes the largest preview as a JPEG is decoded, and says how it is to be turned.
pub(super) fn decode(
    bytes: &[u8],
    limit: &Limit,
    wanted: &dyn Fn((usize, usize)) -> (usize, usize),
) -> Result<(Decoded, Orientation), ImageError> {
    let found = if raf::is_raf(bytes) {
        raf::previews(bytes)
    } else if cr3::is_cr3(bytes) {
        cr3::previews(bytes)
    } else {
        tiff::previews(bytes)
    };
    let Some(preview) = largest(bytes, &found.places) else {
        return match plain::decode(bytes, limit) {
            Ok(picture) => {
                let orientation = Metadata::of(bytes, Format::Tiff).orientation();
                Ok((picture.into(), orientation))
            }
            Err(error @ ImageError::TooLarge { .. }) => Err(error),
            Err(_) if found.places.is_empty() => Err(ImageError::unsupported(
                Format::Raw,
                "no preview in JPEG inside",
            )),
            Err(_) => Err(ImageError::damaged(
                Format::Raw,
                "none of its previews is a whole JPEG",
            )),
        };
    };
    let decoded = jpeg::decode(preview, limit, wanted).map_err(in_preview)?;
    // Both say the same where both speak, and the file's own survives what converters do.
    let own = || Metadata::of(preview, Format::Jpeg).orientation();
    let orientation = found.orientation.map_or_else(own, Orientation::from_tag);
    Ok((decoded, orientation))
}

/// The preview with the most pixels whose bytes are all there.
fn largest<'a>(bytes: &'a [u8], places: &[(u64, u64)]) -> Option<&'a [u8]> {
    let jpegs = places.iter().filter_map(|&(start, length)| {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let jpeg = bytes.get(start..end)?;
        Some((pixels(jpeg)?, jpeg))
    });
    jpegs
        .max_by_key(|&(pixels, _)| pixels)
        .map(|(_, jpeg)| jpeg)
}

/// Columns times rows of a JPEG that can be a preview; the sensor's own data may be a lossless
/// JPEG.
fn pixels(jpeg: &[u8]) -> Option<u64> {
    let short = |at: usize| Some(u16::from_be_bytes([*jpeg.get(at)?, *jpeg.get(at + 1)?]));
    if !jpeg.starts_with(b"\xff\xd8\xff") {
        return None;
    }
    let mut at = 2;
    for _ in 0..MAX_SEGMENTS {
        if *jpeg.get(at)? != 0xff {
            return None;
        }
        match *jpeg.get(at + 1)? {
            0xff => at += 1, // fill bytes before a marker
            // Baseline, extended, progressive: the kinds with a cosine transform and Huffman's
            // codes.
            0xc0..=0xc2 => return Some(u64::from(short(at + 5)?) * u64::from(short(at + 7)?)),
            // Other kinds of frame, the end, a scan without a frame.
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xd8..=0xda => return None,
            _ => at += 2 + usize::from(short(at + 2)?.max(2)),
        }
    }
    None
}

/// The decoder's error as one of the whole file.
fn in_preview(error: ImageError) -> ImageError {
    match error {
        ImageError::Damaged { reason, .. } => {
            ImageError::damaged(Format::Raw, format!("its preview: {reason}"))
        }
        ImageError::Unsupported { found, .. } => {
            ImageError::unsupported(Format::Raw, format!("a preview of {found}"))
        }
        error => error,
    }
}
