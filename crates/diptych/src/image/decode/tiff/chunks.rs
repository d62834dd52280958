//! Strips and tiles to planes: where each lies, what is in it, and where it belongs.

use super::page::{Page, Predictor};
use super::unpack::{self, Shape};
use super::{Format, subsampled};
use crate::image::error::ImageError;

/// Bytes that strips and tiles may have beyond those of the picture and its file: a tile may be
/// larger than a small picture.
const MAX_CHUNK: usize = 64 << 20;

/// The samples of a page: a plane, or one for each of the first `kept` samples, in lines of whole
/// bytes. Samples of two and four bytes are in the machine's order.
pub(super) fn read(page: &Page, kept: usize) -> Result<Vec<Vec<u8>>, ImageError> {
    let damaged = |reason: String| ImageError::damaged(Format::Tiff, reason);
    let planes = if page.is_planar { page.samples } else { 1 };
    let (across, down) = (
        page.width.div_ceil(page.chunk.0),
        page.height.div_ceil(page.chunk.1),
    );
    let (mut offsets, mut counts) = (page.tags.numbers(324), page.tags.numbers(325));
    // Some files give the places of their tiles as those of strips.
    if !page.is_tiled || offsets.is_empty() {
        (offsets, counts) = (page.tags.numbers(273), page.tags.numbers(279));
    }
    let samples = page.samples / planes;
    let planes = planes.min(kept);
    let wanted = across * down * planes;
    if offsets.len() < wanted {
        let found = offsets.len();
        return Err(damaged(format!(
            "it has {found} of {wanted} strips or tiles"
        )));
    }
    let bits = page.bits * samples;
    if page.is_tiled && !(page.chunk.0 * bits).is_multiple_of(8) {
        return Err(damaged("the lines of its tiles are no whole bytes".into()));
    }
    let sampling = subsampled::of(page);
    let line = (page.width * bits).div_ceil(8);
    // Tiles stand over the edges, and one that is larger than the picture is common; many that are
    // have no sense.
    let all = (line * page.height).saturating_mul(planes);
    let mut left_over = all.saturating_mul(4) + page.tags.bytes().len() + MAX_CHUNK;
    let mut out = Vec::with_capacity(planes);
    for plane in 0..planes {
        let mut data = vec![0; line * page.height];
        for y in 0..down {
            for x in 0..across {
                let index = (plane * down + y) * across + x;
                // All strips but the last are whole, and all tiles are.
                let rows = if page.is_tiled {
                    page.chunk.1
                } else {
                    page.chunk.1.min(page.height - y * page.chunk.1)
                };
                let shape = Shape {
                    width: page.chunk.0,
                    rows,
                    samples,
                };
                let too_large = || damaged("its strips or tiles are too large".into());
                let stride = shape.line(page.bits);
                let length = stride.checked_mul(rows).ok_or_else(too_large)?;
                let count = counts.get(index).copied();
                let stored = stored(page, offsets[index], count, length)?;
                let work = length.saturating_add(stored.len());
                left_over = left_over.checked_sub(work).ok_or_else(too_large)?;
                let mut chunk = match sampling {
                    Some(sampling) => {
                        let packed = unpack::chunk(page, stored, shape, sampling.packed(shape))?;
                        sampling.spread(&packed, shape)
                    }
                    None => unpack::chunk(page, stored, shape, length)?,
                };
                finish(page, &mut chunk, shape);
                let left = x * page.chunk.0 * bits / 8;
                let used = stride.min(line - left);
                let top = y * page.chunk.1;
                let band = data[top * line..].chunks_exact_mut(line);
                for (to, from) in band.zip(chunk.chunks_exact(stride)) {
                    to[left..left + used].copy_from_slice(&from[..used]);
                }
            }
        }
        out.push(data);
    }
    Ok(out)
}

/// The bytes of a strip or tile that unpacks to `length`, as far as the file has them.
pub(super) fn stored<'a>(
    page: &Page<'a>,
    offset: u64,
    count: Option<u64>,
    length: usize,
) -> Result<&'a [u8], ImageError> {
    let bytes = page.tags.bytes();
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or_else(|| {
        let reason = format!(
            "a strip or tile is said to be at byte {offset} of {}",
            bytes.len()
        );
        ImageError::damaged(Format::Tiff, reason)
    })?;
    // What is not compressed needs no count, and many counts of old programs are wrong. Of a count
    // that is not there, as many bytes as will do in any case.
    let count = count.filter(|&count| count > 0 && page.compression != unpack::NONE);
    let Some(count) = count else {
        let most = match page.compression {
            unpack::NONE => length,
            _ => length.saturating_mul(2).saturating_add(1 << 16),
        };
        return Ok(&rest[..most.min(rest.len())]);
    };
    let known = usize::try_from(count)
        .ok()
        .and_then(|count| rest.get(..count));
    known.ok_or_else(|| {
        let reason = format!(
            "a strip or tile of {count} bytes begins at byte {offset} of {}",
            bytes.len()
        );
        ImageError::damaged(Format::Tiff, reason)
    })
}

/// Brings samples into the machine's order and undoes the predictor.
fn finish(page: &Page, chunk: &mut [u8], shape: Shape) {
    let stride = shape.line(page.bits);
    if page.predictor == Predictor::FloatingPoint {
        let lines = chunk.chunks_exact_mut(stride);
        return lines.for_each(|line| float_line(line, shape.samples, page.bits / 8));
    }
    let swap = page.tags.is_big_endian() != cfg!(target_endian = "big");
    if swap && page.bits >= 16 && page.compression != unpack::JPEG {
        let samples = chunk.chunks_exact_mut(page.bits / 8);
        samples.for_each(<[u8]>::reverse);
    }
    if page.predictor == Predictor::None {
        return;
    }
    for line in chunk.chunks_exact_mut(stride) {
        let samples = shape.samples;
        match page.bits {
            8 => sum(line.as_chunks_mut::<1>().0, samples, |a, b| {
                [a[0].wrapping_add(b[0])]
            }),
            16 => sum(line.as_chunks_mut().0, samples, |a, b| {
                let (a, b) = (u16::from_ne_bytes(a), u16::from_ne_bytes(b));
                a.wrapping_add(b).to_ne_bytes()
            }),
            _ => sum(line.as_chunks_mut().0, samples, |a, b| {
                let (a, b) = (u32::from_ne_bytes(a), u32::from_ne_bytes(b));
                a.wrapping_add(b).to_ne_bytes()
            }),
        }
    }
}

/// Horizontal differencing undone: each sample is added to that of the pixel before.
fn sum<const N: usize>(
    line: &mut [[u8; N]],
    samples: usize,
    add: impl Fn([u8; N], [u8; N]) -> [u8; N],
) {
    for i in samples..line.len() {
        line[i] = add(line[i], line[i - samples]);
    }
}

/// The floating-point predictor undone: bytes are differences, and lie by their significance, the
/// highest first. Source: Adobe Photoshop TIFF Technical Note 3.
fn float_line(line: &mut [u8], samples: usize, width: usize) {
    for i in samples..line.len() {
        line[i] = line[i].wrapping_add(line[i - samples]);
    }
    let sorted = line.to_vec();
    let count = line.len() / width;
    for (i, value) in line.chunks_exact_mut(width).enumerate() {
        for (k, byte) in value.iter_mut().enumerate() {
            let significance = if cfg!(target_endian = "big") {
                k
            } else {
                width - 1 - k
            };
            *byte = sorted[significance * count + i];
        }
    }
}
