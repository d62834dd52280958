//! PNG: every colour type and depth, interlaced or not; of an animation the default image.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::{Format, Limit, high_bytes, scale_grey, unpack};
use crate::image::error::ImageError;
use crate::image::orient::Orientation;
use crate::image::picture::{Mode, Picture};

/// Most that chunks other than pixels may take; a large EXIF block has tens of kilobytes.
const MAX_CHUNK_BYTES: usize = 64 << 20;

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<(Picture, Orientation), ImageError> {
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
    // An EXIF block may follow the pixels; damage there costs nothing but the orientation.
    let _ = reader.finish();

    let info = reader.info();
    let orientation = info
        .exif_metadata
        .as_deref()
        .map(Orientation::from_exif)
        .unwrap_or_default();
    let bits = info.bit_depth as usize;
    let wide = info.bit_depth == BitDepth::Sixteen;
    let samples = || {
        data.chunks_exact(2)
            .map(|b| u16::from_be_bytes([b[0], b[1]]))
    };
    let picture = match info.color_type {
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
    }?;
    Ok((picture, orientation))
}
