//! PNG: every colour type and depth, interlaced or not; of an animation the default image.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::{Format, Limit, high_bytes, scale_grey, unpack};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture};

/// The bytes that every file begins with.
const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// Most that chunks other than pixels may take; a large EXIF block has tens of kilobytes.
pub(super) const MAX_CHUNK_BYTES: usize = 64 << 20;

/// Decodes a file; one that breaks rules that Pillow does not ask for, by the chunks that are asked
/// for.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    match in_order(bytes, limit) {
        Err(error @ ImageError::Damaged { .. }) => match essential(bytes) {
            Some(mended) => in_order(&mended, limit).map_err(|_| error),
            None => Err(error),
        },
        decided => decided,
    }
}

/// The chunks that the pixels need, in a file of their own: the header, a palette, the first run of
/// data. Checksums of the data are not looked at, and neither is the end; none, if those of the
/// others are wrong.
fn essential(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut header, mut palette, mut data) = (None, None, Vec::new());
    let mut rest = bytes.get(SIGNATURE.len()..)?;
    while let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Some((name, after)) = after.split_first_chunk::<4>()
    {
        let length = u32::from_be_bytes(*length) as usize;
        match (name, after.split_at_checked(length)) {
            (b"IHDR" | b"PLTE", Some((body, after))) => {
                let whole = [name, body].concat();
                if after.first_chunk() != Some(&crc32fast::hash(&whole).to_be_bytes()) {
                    return None;
                }
                match name {
                    b"IHDR" => header = Some(body),
                    _ => palette = Some(body),
                }
            }
            (b"IDAT", found) => data.extend_from_slice(found.map_or(after, |(body, _)| body)),
            _ if !data.is_empty() => break,
            _ => {}
        }
        rest = after.get(length.checked_add(4)?..).unwrap_or_default();
    }
    let mut header: [u8; 13] = header?.get(..13)?.try_into().ok()?;
    // There is one way to compress.
    header[10] = 0;
    let mut out = SIGNATURE.to_vec();
    let mut add = |name: &[u8; 4], body: &[u8]| {
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        let start = out.len();
        out.extend_from_slice(name);
        out.extend_from_slice(body);
        let checksum = crc32fast::hash(&out[start..]);
        out.extend_from_slice(&checksum.to_be_bytes());
    };
    add(b"IHDR", &header);
    if header[9] == ColorType::Indexed as u8 {
        let palette = palette.filter(|_| matches!(header[8], 1 | 2 | 4 | 8))?;
        add(
            b"PLTE",
            &palette[..(palette.len() / 3 * 3).min(3 << header[8])],
        );
    }
    add(b"IDAT", &data);
    add(b"IEND", &[]);
    Some(out)
}

/// Decodes a file that is in order.
fn in_order(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let damaged = |error| ImageError::damaged(Format::Png, error);
    let mut decoder = Decoder::new_with_limits(
        Cursor::new(bytes),
        Limits {
            bytes: MAX_CHUNK_BYTES,
        },
    );
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = limit.size(header.width, header.height)?;

    let mut reader = decoder.read_info().map_err(damaged)?;
    let length = reader.output_buffer_size().ok_or_else(|| {
        ImageError::damaged(
            Format::Png,
            format!("{width}×{height} pixels do not fit into memory"),
        )
    })?;
    // The file's samples, and the picture's.
    limit.hold(length + width * height * 4);
    let mut data = vec![0; length];
    reader.next_frame(&mut data).map_err(damaged)?;
    let info = reader.info();
    let bits = info.bit_depth as usize;
    let wide = info.bit_depth == BitDepth::Sixteen;
    let samples = || {
        data.chunks_exact(2)
            .map(|b| u16::from_be_bytes([b[0], b[1]]))
    };
    match info.color_type {
        ColorType::Grayscale if wide => {
            Picture::new(width, height, Mode::Grey, scale_grey(samples()))
        }
        ColorType::Grayscale if bits == 1 => Picture::new(
            width,
            height,
            Mode::Bilevel,
            unpack(&data, width, 1, |v| v * 255),
        ),
        ColorType::Grayscale => {
            let step = (255 / ((1u16 << bits) - 1)) as u8;
            Picture::new(
                width,
                height,
                Mode::Grey,
                unpack(&data, width, bits, |v| v * step),
            )
        }
        ColorType::Indexed => {
            let colours = info.palette.as_deref().unwrap_or_default();
            let palette = colours
                .chunks_exact(3)
                .map(|c| [c[0], c[1], c[2]])
                .collect();
            Picture::with_palette(width, height, unpack(&data, width, bits, |v| v), palette)
        }
        ColorType::GrayscaleAlpha | ColorType::Rgb | ColorType::Rgba => {
            let mode = match info.color_type {
                ColorType::GrayscaleAlpha => Mode::GreyAlpha,
                ColorType::Rgb => Mode::Rgb,
                _ => Mode::Rgba,
            };
            Picture::new(
                width,
                height,
                mode,
                if wide { high_bytes(samples()) } else { data },
            )
        }
    }
}
