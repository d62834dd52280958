//! TIFF: bilevel, grey, palette, RGB, alpha and CMYK of up to 16 bits; the first page.
//!
//! The `tiff` crate refuses palettes, and sorts out samples that are no colours before it undoes the predictor that went
//! over them. So every picture is shown to it as grey of so many samples, and what they mean is said here.
//! Source: TIFF 6.0; what is alpha follows `TiffImagePlugin.py` of Pillow 13. Where Pillow refuses samples beside a
//! palette's index or resamples the two as colours, the palette is looked up and the others are left out.

use std::borrow::Cow;
use std::io::Cursor;
use std::ops::RangeInclusive;

use tiff::ColorType;
use tiff::TiffError;
use tiff::decoder::{ChunkType, Decoder, DecodingSampleType, Limits};
use tiff::tags::Tag;

use super::{Format, Limit, high_bytes, scale_grey, unpack};
use crate::image::error::ImageError;
use crate::image::ifd::Block;
use crate::image::orient::{Orientation, TiffNumber, find_number};
use crate::image::picture::{Mode, Picture, divide_alpha};

/// `PhotometricInterpretation`, and its value "0 is black".
const PHOTOMETRIC: u16 = 262;
const BLACK_IS_ZERO: u32 = 1;

/// The tags that are read, here and by the crate. All are numbers; of a long text in their place the crate tells stderr.
const NUMBERS: [u16; 21] = [
    256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338,
    339, 530,
];

/// `ExtraSamples`: the colours are premultiplied with this alpha.
const ASSOCIATED_ALPHA: u16 = 1;

/// `ExtraSamples`: alpha by itself; the second is Corel Draw's word for it.
const UNASSOCIATED_ALPHA: [u16; 2] = [2, 999];

/// Tags take memory, too; a colour map has 3 · 256 entries.
const TAG_BYTES: usize = 1 << 20;

type TiffFile<'a> = Decoder<Cursor<&'a [u8]>>;

/// What the first samples of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Grey { white_is_zero: bool },
    Index,
    Rgb,
    Cmyk,
}

impl Colours {
    /// By the value of the photometric tag.
    fn of(photometric: u32) -> Result<Self, ImageError> {
        match photometric {
            0 | 1 => Ok(Self::Grey {
                white_is_zero: photometric == 0,
            }),
            2 => Ok(Self::Rgb),
            3 => Ok(Self::Index),
            5 => Ok(Self::Cmyk),
            6 => Err(unsupported("YCbCr colours")),
            8..=10 => Err(unsupported("L*a*b* colours")),
            other => Err(unsupported(format!("photometric interpretation {other}"))),
        }
    }

    /// Samples of a pixel that there may be: the colours, and what may follow them.
    fn samples(self) -> RangeInclusive<usize> {
        match self {
            Self::Grey { .. } | Self::Index => 1..=2,
            Self::Rgb => 3..=8,
            Self::Cmyk => 4..=8,
        }
    }
}

fn damaged(error: TiffError) -> ImageError {
    match error {
        TiffError::UnsupportedError(feature) => {
            let feature = feature.to_string();
            let found = feature.strip_suffix(" is unsupported").unwrap_or(&feature);
            unsupported(found)
        }
        error => ImageError::damaged(Format::Tiff, error),
    }
}

fn unsupported(found: impl Into<String>) -> ImageError {
    ImageError::unsupported(Format::Tiff, found)
}

/// Decodes and turns upright: a TIFF's orientation belongs to the format, not to EXIF.
pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let tag = find_number(bytes, PHOTOMETRIC)
        .ok_or_else(|| unsupported("no photometric interpretation"))?;
    let colours = Colours::of(tag.value)?;
    let mut entries = Block::new(bytes).into_iter().flat_map(Block::first_entries);
    if let Some(text) = entries.find(|entry| entry.is_text() && NUMBERS.contains(&entry.tag)) {
        let reason = format!("tag {} is a text", text.tag);
        return Err(ImageError::damaged(Format::Tiff, reason));
    }
    let bytes = as_grey(bytes, tag);
    let mut decoder = Decoder::new(Cursor::new(&*bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let (width, height) = limit.check(width, height)?;
    let (bits, count) = match decoder.colortype().map_err(damaged)? {
        ColorType::Gray(bits) => (usize::from(bits), 1),
        ColorType::Multiband {
            bit_depth,
            num_samples,
        } => (usize::from(bit_depth), usize::from(num_samples)),
        other => return Err(unsupported(format!("{other:?} samples"))),
    };
    let layout = decoder.image_buffer_layout().map_err(damaged)?;
    let is_unsigned = matches!(
        layout.sample_type,
        Some(DecodingSampleType::U8 | DecodingSampleType::U16)
    );
    let fits = match colours {
        Colours::Grey { .. } => matches!(bits, 1 | 2 | 4 | 8 | 16),
        Colours::Index => matches!(bits, 1 | 2 | 4 | 8),
        Colours::Rgb | Colours::Cmyk => matches!(bits, 8 | 16),
    };
    if !is_unsigned || !fits || !colours.samples().contains(&count) {
        let found = format!("{count} samples of {bits} bits as {colours:?}");
        return Err(unsupported(found));
    }
    let mut limits = Limits::default();
    limits.decoding_buffer_size = layout.complete_len + TAG_BYTES;
    limits.intermediate_buffer_size = layout.complete_len + TAG_BYTES;
    decoder = decoder.with_limits(limits);

    let numbers = |decoder: &mut TiffFile, tag| {
        let numbers = decoder.find_tag_unsigned_vec::<u16>(tag);
        numbers.map(Option::unwrap_or_default).map_err(damaged)
    };
    let orientation = numbers(&mut decoder, Tag::Orientation)?;
    let extra = numbers(&mut decoder, Tag::ExtraSamples)?;
    if numbers(&mut decoder, Tag::FillOrder)?.first() == Some(&2) {
        return Err(unsupported("bits in reverse order"));
    }
    let map = match colours {
        Colours::Index => numbers(&mut decoder, Tag::ColorMap)?,
        _ => Vec::new(),
    };

    let line = (width * bits * if layout.planes > 1 { 1 } else { count }).div_ceil(8);
    let mut data = match (layout.planes, decoder.get_chunk_type()) {
        (2.., ChunkType::Tile) => planar_tiles(&mut decoder, layout.planes, line, height)?,
        _ => {
            let mut data = vec![0; layout.complete_len];
            decoder.read_image_bytes(&mut data).map_err(damaged)?;
            data
        }
    };
    // One byte or two a sample from here on.
    if bits < 8 {
        let step = match colours {
            Colours::Index => 1,
            _ => (255 / ((1u16 << bits) - 1)) as u8,
        };
        let a_line = if layout.planes > 1 {
            width
        } else {
            width * count
        };
        data = unpack(&data, a_line, bits, |v| v * step);
    }
    let size = bits.div_ceil(8);
    if layout.planes > 1 {
        data = interleave(&data, layout.planes, size);
    }

    let alpha = match (extra.first(), colours) {
        (Some(&ASSOCIATED_ALPHA), _) => Some(ASSOCIATED_ALPHA),
        (Some(kind), _) if UNASSOCIATED_ALPHA.contains(kind) => Some(UNASSOCIATED_ALPHA[0]),
        // A fourth sample of which nothing is said is alpha.
        (None, Colours::Rgb) if count == 4 => Some(UNASSOCIATED_ALPHA[0]),
        _ => None,
    };
    let mode = match (colours, alpha) {
        (Colours::Grey { .. }, None) if bits == 1 => Mode::Bilevel,
        (Colours::Grey { .. }, None) => Mode::Grey,
        (Colours::Grey { .. }, Some(_)) => Mode::GreyAlpha,
        (Colours::Index, _) => Mode::Palette,
        (Colours::Rgb, None) => Mode::Rgb,
        (Colours::Rgb, Some(_)) => Mode::Rgba,
        (Colours::Cmyk, None) => Mode::Cmyk,
        (Colours::Cmyk, Some(_)) => return Err(unsupported("CMYK with alpha")),
    };
    if mode.channels() > count {
        return Err(unsupported(format!("{count} samples as {mode:?}")));
    }
    data = first_samples(data, count * size, mode.channels() * size);
    if bits == 16 {
        let samples = data
            .as_chunks::<2>()
            .0
            .iter()
            .map(|b| u16::from_ne_bytes(*b));
        data = match mode {
            Mode::Grey => scale_grey(samples),
            _ => high_bytes(samples),
        };
    }
    if colours
        == (Colours::Grey {
            white_is_zero: true,
        })
    {
        let greys = data.iter_mut().step_by(mode.channels());
        greys.for_each(|grey| *grey = 255 - *grey);
    }
    if alpha == Some(ASSOCIATED_ALPHA) {
        data = match mode {
            Mode::GreyAlpha => divide_alpha::<2>(data),
            Mode::Rgba => {
                // Pillow takes no colours where there is no alpha.
                let pixels = data.as_chunks_mut::<4>().0;
                let clear = pixels.iter_mut().filter(|pixel| pixel[3] == 0);
                clear.for_each(|pixel| *pixel = [0; 4]);
                divide_alpha::<4>(data)
            }
            _ => data,
        };
    }
    let picture = match mode {
        Mode::Palette => Picture::with_palette(width, height, data, palette(&map)),
        _ => Picture::new(width, height, mode, data),
    }?;
    let orientation = orientation.first().map_or(1, |&tag| u32::from(tag));
    Ok(Orientation::from_tag(orientation).apply(picture))
}

/// The file with its photometric tag made that of grey.
fn as_grey(bytes: &[u8], tag: TiffNumber) -> Cow<'_, [u8]> {
    if tag.value == BLACK_IS_ZERO {
        return Cow::Borrowed(bytes);
    }
    let mut copy = bytes.to_vec();
    // Every value that is known fits into the low byte.
    copy[tag.low_byte] = BLACK_IS_ZERO as u8;
    Cow::Owned(copy)
}

/// The planes of a picture in tiles, one after the other, in lines of `line` bytes.
///
/// Each tile is read by itself, because the crate (0.11.3) takes the lowest tiles of all planes but the first for
/// whole, and writes past the end.
fn planar_tiles(
    decoder: &mut TiffFile,
    planes: usize,
    line: usize,
    height: usize,
) -> Result<Vec<u8>, ImageError> {
    let mut data = vec![0; planes * height * line];
    let (_, tile_height) = decoder.chunk_dimensions();
    let down = height.div_ceil(tile_height as usize);
    let tiles = decoder.tile_count().map_err(damaged)? as usize;
    let across = (tiles / planes / down).max(1);
    for (i, plane) in data.chunks_exact_mut(height * line).enumerate() {
        for (y, band) in plane.chunks_mut(tile_height as usize * line).enumerate() {
            let mut left = 0;
            for x in 0..across {
                let chunk = ((i * down + y) * across + x) as u32;
                let layout = decoder.image_chunk_buffer_layout(chunk).map_err(damaged)?;
                if layout.len > planes * height * line + TAG_BYTES {
                    return Err(ImageError::damaged(Format::Tiff, "its tiles are too high"));
                }
                let mut tile = vec![0; layout.len];
                decoder
                    .read_chunk_bytes(chunk, &mut tile)
                    .map_err(damaged)?;
                let width = layout.row_stride.map_or(1, usize::from);
                for (to, from) in band.chunks_exact_mut(line).zip(tile.chunks_exact(width)) {
                    to[left..left + width].copy_from_slice(from);
                }
                left += width;
            }
        }
    }
    Ok(data)
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

/// The first `kept` bytes of each pixel.
fn first_samples(data: Vec<u8>, pixel: usize, kept: usize) -> Vec<u8> {
    if pixel == kept {
        return data;
    }
    let pixels = data.chunks_exact(pixel);
    pixels.flat_map(|pixel| &pixel[..kept]).copied().collect()
}

/// A colour map: all reds, all greens, all blues, in 16 bits.
fn palette(map: &[u16]) -> Vec<[u8; 3]> {
    let third = map.len() / 3;
    (0..third.min(256))
        .map(|i| [map[i], map[third + i], map[2 * third + i]].map(|v| (v >> 8) as u8))
        .collect()
}
