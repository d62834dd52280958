//! JPEG in strips and tiles: each is a stream of its own, the tables may be the page's.
//!
//! Source: Adobe Photoshop TIFF Technical Note 2 (compression 7).

use super::super::page::Page;
use super::super::subsampled::YCC;
use super::super::{Format, unsupported};
use super::Shape;
use crate::image::decode::{Limit, jpeg};
use crate::image::error::ImageError;
use crate::image::picture::Mode;

/// `JPEGTables`.
const TABLES: u16 = 347;

/// Most bytes of them: four of each kind have some two thousand.
const MAX_TABLES: usize = 1 << 14;

/// Samples of a strip or tile, a byte each; RGB where the page says luma and chroma.
pub(super) fn samples(page: &Page, stored: &[u8], shape: Shape) -> Result<Vec<u8>, ImageError> {
    if page.bits != 8 {
        return Err(unsupported(format!("JPEG of {} bits a sample", page.bits)));
    }
    let is_ycc = page.photometric == YCC && !page.is_planar;
    // What the samples mean is the page's to say: Adobe's mark says it within the stream, where
    // nothing else may.
    let mut stream = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".to_vec();
    stream.push(is_ycc.into());
    let tables = page.tags.blob(TABLES).unwrap_or_default();
    if tables.len() > MAX_TABLES {
        let reason = format!("JPEG tables of {} bytes", tables.len());
        return Err(ImageError::damaged(Format::Tiff, reason));
    }
    stream.extend_from_slice(segments(tables.strip_suffix(b"\xff\xd9").unwrap_or(tables)));
    stream.extend_from_slice(segments(stored));
    // The last strip may have as many lines as the others.
    let limit = Limit::of_part(Format::Jpeg, shape.width * page.chunk.1);
    let picture = jpeg::decode(&stream, &limit, &|full| full)?.picture;
    let (width, height) = (picture.width(), picture.height());
    let channels = picture.mode().channels();
    if channels != shape.samples {
        let reason = format!(
            "a JPEG of {channels} components for {} samples",
            shape.samples
        );
        return Err(ImageError::damaged(Format::Tiff, reason));
    }
    if width > shape.width {
        let reason = format!("a JPEG of {width} columns for {}", shape.width);
        return Err(ImageError::damaged(Format::Tiff, reason));
    }
    let is_inverted = picture.mode() == Mode::Cmyk;
    let mut data = picture.into_bytes();
    if is_inverted {
        // Inks are as stored here.
        data.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    let mut out = vec![0; shape.width * shape.rows * channels];
    let lines = out.chunks_exact_mut(shape.width * channels);
    for (to, from) in lines.zip(data.chunks_exact(width * channels)).take(height) {
        to[..from.len()].copy_from_slice(from);
    }
    Ok(out)
}

/// A stream without its start, and without what its writers say of the colours.
fn segments(stream: &[u8]) -> &[u8] {
    let mut rest = stream.strip_prefix(b"\xff\xd8").unwrap_or(stream);
    while let [0xff, 0xe0..=0xef, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = rest.get(2 + length..).unwrap_or_default();
    }
    rest
}
