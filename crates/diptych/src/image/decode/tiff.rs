//! TIFF: bilevel, grey, palette, RGB, alpha and CMYK of up to 16 bits; the first page.
//!
//! The `tiff` crate refuses palettes. Indices are packed as grey is, so a palette picture is shown to
//! it as grey, and the colour map is looked up here.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::ColorType;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingSampleType, Limits};
use tiff::tags::Tag;

use super::{Format, Limit, high_bytes, scale_grey, unpack};
use crate::image::error::ImageError;
use crate::image::orient::{Orientation, find_number};
use crate::image::picture::{Mode, Picture, divide_alpha};

/// `PhotometricInterpretation`, and its values "0 is black" and "palette".
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u8 = 1;
const PALETTE: u32 = 3;

/// `ExtraSamples`: the colours are premultiplied with this alpha.
const ASSOCIATED_ALPHA: u16 = 1;

/// Decodes and turns upright: a TIFF's orientation belongs to the format, not to EXIF.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let damaged = |error: TiffError| match error {
        TiffError::UnsupportedError(feature) => {
            ImageError::unsupported(Format::Tiff, feature.to_string())
        }
        error => ImageError::damaged(Format::Tiff, error),
    };
    let (bytes, is_palette) = palette_as_grey(bytes);
    let mut decoder = Decoder::new(Cursor::new(&*bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let (width, height) = limit.check(width, height)?;
    let colour = decoder.colortype().map_err(damaged)?;
    let layout = decoder.image_buffer_layout().map_err(damaged)?;
    let wide = match layout.sample_type {
        Some(DecodingSampleType::U8) => false,
        Some(DecodingSampleType::U16) => true,
        _ => {
            return Err(ImageError::unsupported(
                Format::Tiff,
                format!("{colour:?} samples that are not of 1 to 16 bits, unsigned"),
            ));
        }
    };
    // Eight channels of 16 bits are more than any mode below has; a header that asks for more is at fault.
    if layout.complete_len > width * height * 16 + height * 16 {
        return Err(ImageError::unsupported(
            Format::Tiff,
            format!("{colour:?} samples"),
        ));
    }
    let mut limits = Limits::default();
    // Tags count, too; a colour map has 3 · 256 entries.
    limits.decoding_buffer_size = layout.complete_len + (1 << 20);
    limits.intermediate_buffer_size = layout.complete_len + (1 << 20);
    decoder = decoder.with_limits(limits);

    let numbers = |decoder: &mut Decoder<_>, tag| {
        decoder
            .find_tag_unsigned_vec::<u16>(tag)
            .map(Option::unwrap_or_default)
    };
    let orientation = numbers(&mut decoder, Tag::Orientation).map_err(damaged)?;
    let extra = numbers(&mut decoder, Tag::ExtraSamples).map_err(damaged)?;
    if numbers(&mut decoder, Tag::FillOrder)
        .map_err(damaged)?
        .first()
        == Some(&2)
    {
        return Err(ImageError::unsupported(
            Format::Tiff,
            "bits in reverse order",
        ));
    }

    let mut data = vec![0; layout.complete_len];
    decoder.read_image_bytes(&mut data).map_err(damaged)?;
    let planes = layout.planes;
    if planes > 1 {
        data = interleave(&data, planes, usize::from(wide) + 1);
    }
    let samples = || {
        data.chunks_exact(2)
            .map(|b| u16::from_ne_bytes([b[0], b[1]]))
    };
    let narrow = || {
        if wide {
            high_bytes(samples())
        } else {
            data.clone()
        }
    };

    let picture = match colour {
        ColorType::Gray(bits @ (1 | 2 | 4 | 8)) if is_palette => {
            let map = numbers(&mut decoder, Tag::ColorMap).map_err(damaged)?;
            let third = map.len() / 3;
            let palette = (0..third)
                .map(|i| [map[i], map[third + i], map[2 * third + i]].map(|v| (v >> 8) as u8));
            let palette = palette.take(256).collect();
            Picture::with_palette(
                width,
                height,
                unpack(&data, width, bits.into(), |v| v),
                palette,
            )
        }
        ColorType::Gray(1) => Picture::new(
            width,
            height,
            Mode::Bilevel,
            unpack(&data, width, 1, |v| v * 255),
        ),
        ColorType::Gray(bits @ (2 | 4)) => {
            let step = (255 / ((1u16 << bits) - 1)) as u8;
            Picture::new(
                width,
                height,
                Mode::Grey,
                unpack(&data, width, bits.into(), |v| v * step),
            )
        }
        ColorType::Gray(8) => Picture::new(width, height, Mode::Grey, data),
        ColorType::Gray(16) => Picture::new(width, height, Mode::Grey, scale_grey(samples())),
        ColorType::Multiband {
            bit_depth: 8 | 16,
            num_samples: 2,
        } => match extra.first() {
            Some(&ASSOCIATED_ALPHA) => {
                Picture::new(width, height, Mode::GreyAlpha, divide_alpha::<2>(narrow()))
            }
            Some(2) => Picture::new(width, height, Mode::GreyAlpha, narrow()),
            _ => Picture::new(
                width,
                height,
                Mode::Grey,
                narrow().iter().step_by(2).copied().collect(),
            ),
        },
        ColorType::RGB(8 | 16) => Picture::new(width, height, Mode::Rgb, narrow()),
        ColorType::RGBA(8 | 16) => {
            let premultiplied = extra.first() == Some(&ASSOCIATED_ALPHA);
            let data = if premultiplied {
                divide_alpha::<4>(narrow())
            } else {
                narrow()
            };
            Picture::new(width, height, Mode::Rgba, data)
        }
        ColorType::CMYK(8 | 16) => Picture::new(width, height, Mode::Cmyk, narrow()),
        other => Err(ImageError::unsupported(
            Format::Tiff,
            format!("{other:?} samples"),
        )),
    }?;
    let orientation = orientation.first().map_or(1, |&tag| u32::from(tag));
    Ok(Orientation::from_tag(orientation).apply(picture))
}

/// The file with a palette's photometric tag made that of grey, and whether it was a palette's.
fn palette_as_grey(bytes: &[u8]) -> (Cow<'_, [u8]>, bool) {
    match find_number(bytes, PHOTOMETRIC) {
        Some(tag) if tag.value == PALETTE => {
            let mut copy = bytes.to_vec();
            let low_byte = if tag.big_endian { tag.at + 1 } else { tag.at };
            copy[low_byte] = BLACK_IS_ZERO;
            (Cow::Owned(copy), true)
        }
        _ => (Cow::Borrowed(bytes), false),
    }
}

/// Planes, one after the other, to pixels; `bytes` per sample.
fn interleave(data: &[u8], planes: usize, bytes: usize) -> Vec<u8> {
    let plane = data.len() / planes;
    let mut out = Vec::with_capacity(data.len());
    for at in (0..plane).step_by(bytes) {
        for start in (0..planes).map(|i| i * plane + at) {
            out.extend_from_slice(&data[start..start + bytes]);
        }
    }
    out
}
