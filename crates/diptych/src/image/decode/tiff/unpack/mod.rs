//! Compressions of strips and tiles: what is stored → the bytes that were.

mod ccitt;
mod codes;
mod jpeg;

use std::io::Read;

use super::page::Page;
use super::{Format, unsupported};
use crate::image::error::ImageError;

/// `Compression`: the values that are asked for elsewhere.
pub(super) const NONE: u64 = 1;
pub(super) const OLD_JPEG: u64 = 6;
pub(super) const JPEG: u64 = 7;

/// Most that LZMA may look back on, in units of 1,024 bytes: its highest preset takes 64 MiB.
const MAX_DICTIONARY: u32 = 128 << 10;

/// A strip's or tile's columns and rows, and the samples that its pixels have in it.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) width: usize,
    pub(super) rows: usize,
    pub(super) samples: usize,
}

impl Shape {
    /// Bytes of a line.
    pub(super) fn line(self, bits: usize) -> usize {
        (self.width * self.samples * bits).div_ceil(8)
    }
}

/// Whether a compression may follow a predictor.
pub(super) fn predicts(compression: u64) -> bool {
    matches!(compression, 5 | 8 | 32946 | 34925 | 50000)
}

/// The `wanted` bytes of a strip or tile.
pub(super) fn chunk(
    page: &Page,
    stored: &[u8],
    shape: Shape,
    wanted: usize,
) -> Result<Vec<u8>, ImageError> {
    let damaged = |reason: String| ImageError::damaged(Format::Tiff, reason);
    // A JPEG has an order of bits of its own.
    let reversed: Vec<u8>;
    let stored = if page.is_reversed && page.compression != JPEG {
        let most = if page.compression == NONE {
            wanted
        } else {
            stored.len()
        };
        reversed = stored
            .iter()
            .take(most)
            .map(|byte| byte.reverse_bits())
            .collect();
        &reversed
    } else {
        stored
    };
    let out = match page.compression {
        NONE => stored.get(..wanted).unwrap_or(stored).to_vec(),
        2 => ccitt::lines(page, stored, shape, ccitt::Coding::Rle)?,
        3 => {
            let is_two_dimensional = page.tags.number(292).unwrap_or(0) & 1 == 1;
            ccitt::lines(
                page,
                stored,
                shape,
                ccitt::Coding::Group3 { is_two_dimensional },
            )?
        }
        4 => ccitt::lines(page, stored, shape, ccitt::Coding::Group4)?,
        5 => lzw(stored, wanted)?,
        JPEG => jpeg::samples(page, stored, shape)?,
        8 | 32946 => read(flate2::read::ZlibDecoder::new(stored), wanted)?,
        32773 => pack_bits(stored, wanted),
        34925 => {
            let decoder = lzma_rust2::XzReader::new_mem_limit(stored, false, MAX_DICTIONARY);
            read(decoder, wanted)?
        }
        50000 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(stored);
            read(decoder.map_err(|error| damaged(error.to_string()))?, wanted)?
        }
        other => return Err(unsupported(format!("compression {other}"))),
    };
    if out.len() < wanted {
        let got = out.len();
        return Err(damaged(format!(
            "a strip or tile has {got} of {wanted} bytes"
        )));
    }
    Ok(out)
}

/// Up to `wanted` bytes of a decompressor.
fn read(decoder: impl Read, wanted: usize) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::new();
    let read = decoder.take(wanted as u64).read_to_end(&mut out);
    read.map_err(|error| ImageError::damaged(Format::Tiff, error))?;
    Ok(out)
}

/// Runs and copies: TIFF 6.0, section 9.
fn pack_bits(mut stored: &[u8], wanted: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((&head, rest)) = stored.split_first()
        && out.len() < wanted
    {
        stored = match head.cast_signed() {
            -128 => rest,
            count @ 0.. => {
                let count = (usize::from(count.unsigned_abs()) + 1).min(rest.len());
                out.extend_from_slice(&rest[..count]);
                &rest[count..]
            }
            count => {
                let Some((&value, rest)) = rest.split_first() else {
                    break;
                };
                let count = usize::from(count.unsigned_abs()) + 1;
                out.resize(out.len() + count, value);
                rest
            }
        };
    }
    out
}

/// LZW, most significant bit first; or as programs before 1991 wrote it, least significant first,
/// its codes widened one later.
fn lzw(stored: &[u8], wanted: usize) -> Result<Vec<u8>, ImageError> {
    // The first code is the one that clears the table: 256 in nine bits.
    let is_old = matches!(stored, [0, second, ..] if second & 1 == 1);
    let mut decoder = if is_old {
        weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8)
    } else {
        weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
    };
    let mut out = vec![0; wanted];
    let mut done = 0;
    let mut at = 0;
    while done < wanted {
        let step = decoder.decode_bytes(&stored[at..], &mut out[done..]);
        at += step.consumed_in;
        done += step.consumed_out;
        match step.status {
            Ok(weezl::LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(error) => return Err(ImageError::damaged(Format::Tiff, error)),
        }
    }
    out.truncate(done);
    Ok(out)
}
