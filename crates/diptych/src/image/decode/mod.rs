//! Bytes to [`Picture`]: finds the format, checks the announced size, hands over to one decoder.
//!
//! Invariant: the size is checked from the header before memory for pixels is taken; a decoder that
//! panics, ours or another's, is an error of its picture.

mod animation;
mod bmp;
mod forgiving;
mod format;
mod gif;
#[cfg(feature = "heif")]
mod heif;
mod jpeg;
mod png;
mod raw;
mod skim;
mod tiff;
mod webp;

#[cfg(test)]
pub(super) use jpeg::reduction;
#[cfg(test)]
pub(super) use skim::eighth;

pub use animation::{Animation, AnimationFrame};
pub(super) use format::WANTED;
pub use format::{Format, is_picture_extension, is_picture_name};

use std::cell::RefCell;

use super::budget::Held;
use super::error::ImageError;
use super::metadata::Metadata;
use super::orient::Orientation;
use super::picture::Picture;
use crate::guarded;

/// The pixels that are decoded of a picture that will be made smaller anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Decode {
    /// Every pixel: the result is the reference's to the bit.
    #[default]
    Exact,
    /// A JPEG, also one in a RAW, at ½, ¼ or ⅛ of its size, where [`Preprocess`](super::Preprocess)
    /// makes it no larger than that: several times as fast, and nearly the same pixels. Other
    /// formats as [`Decode::Exact`].
    Fast,
}

/// Choices when a picture is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Turn the picture upright by its EXIF orientation. On (the default) for people's photos, off
    /// for the numbers of CLIP's reference code, which ignores it. (A TIFF is always turned:
    /// there the orientation belongs to the format, and Pillow does so, too. So are HEIC and
    /// AVIF.)
    pub orient: bool,
    /// Refuse pictures of which more pixels would be decoded, in units of 1,000,000. The default
    /// is 200, the largest that phone cameras make; Pillow refuses from 179 on. A JPEG that
    /// [`Decode::Fast`] decodes smaller counts with its smaller size, except for a progressive one
    /// of which all has to be kept until its end.
    pub max_megapixels: u32,
    /// Asked where the size that is needed is known, as in
    /// [`Preprocess::load`](super::Preprocess::load); a [`Picture`] by itself is always exact.
    pub decode: Decode,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            orient: true,
            max_megapixels: 200,
            decode: Decode::Exact,
        }
    }
}

/// Decodes a picture of any known format, every pixel of it.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Picture, ImageError> {
    decode_at_least(bytes, options, |full| full).map(|(decoded, _)| decoded.picture)
}

/// A picture, and the size it has at full scale.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The picture, perhaps smaller than it is in its file.
    pub picture: Picture,
    /// Columns and rows in its file, upright if the picture is.
    pub full: (usize, usize),
}

/// Decodes a picture of any known format. A JPEG, or a RAW's, may come out smaller than it is, but
/// not smaller than `wanted` says for its columns and rows (or its rows and columns, if it has to
/// be turned). The picture's part of the budget of bytes is returned too, and is to be kept as long
/// as the picture.
pub(super) fn decode_at_least(
    bytes: &[u8],
    options: &DecodeOptions,
    wanted: impl Fn((usize, usize)) -> (usize, usize),
) -> Result<(Decoded, Held), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    // Directories of a RAW are read to tell it from a TIFF.
    let Ok(Some(format)) = guarded(|| Format::of(bytes)) else {
        let start = bytes[..bytes.len().min(8)].escape_ascii().to_string();
        return Err(ImageError::UnknownFormat { start });
    };
    let limit = Limit::new(format, options.max_megapixels);
    let decoded = guarded(|| decode_as(bytes, &limit, options, &wanted))
        .unwrap_or_else(|gave_up| Err(ImageError::damaged(format, gave_up)))?;
    let mut held = limit.held.into_inner();
    // Twice its bytes, since changing its colours or turning it makes a copy.
    held.keep(2 * decoded.picture.as_bytes().len() as u64);
    Ok((decoded, held))
}

/// Hands over to the decoder of `limit`'s format, and turns the picture upright.
fn decode_as(
    bytes: &[u8],
    limit: &Limit,
    options: &DecodeOptions,
    wanted: &dyn Fn((usize, usize)) -> (usize, usize),
) -> Result<Decoded, ImageError> {
    let format = limit.format;
    let decoded: Decoded = match format {
        Format::Bmp => bmp::decode(bytes, limit)?.into(),
        Format::Gif => gif::decode(bytes, limit)?.into(),
        // Upright already, whatever the options say.
        #[cfg(feature = "heif")]
        Format::Avif | Format::Heif => return Ok(heif::decode(bytes, limit)?.into()),
        #[cfg(not(feature = "heif"))]
        Format::Avif | Format::Heif => {
            let feature = "heif";
            return Err(ImageError::NotBuilt { format, feature });
        }
        Format::Jpeg => jpeg::decode(bytes, limit, wanted)?,
        Format::Png => png::decode(bytes, limit)?.into(),
        Format::Raw => {
            let (decoded, orientation) = raw::decode(bytes, limit, wanted)?;
            return Ok(if options.orient {
                decoded.turned(orientation)
            } else {
                decoded
            });
        }
        Format::Tiff => tiff::decode(bytes, limit)?.into(),
        Format::WebP => webp::decode(bytes, limit)?.into(),
    };
    // A TIFF's orientation belongs to the format, so it is turned in any case, as Pillow does.
    Ok(if options.orient || format == Format::Tiff {
        decoded.turned(Metadata::of(bytes, format).orientation())
    } else {
        decoded
    })
}

impl Decoded {
    /// The picture upright.
    fn turned(self, orientation: Orientation) -> Self {
        let (width, height) = self.full;
        Self {
            picture: orientation.apply(self.picture),
            full: if orientation.transposes() {
                (height, width)
            } else {
                (width, height)
            },
        }
    }
}

impl From<Picture> for Decoded {
    /// A picture of which every pixel was decoded.
    fn from(picture: Picture) -> Self {
        let full = (picture.width(), picture.height());
        Self { picture, full }
    }
}

/// The number of pixels that may be decoded of a file, and the bytes that its decoder may hold.
struct Limit {
    format: Format,
    max_megapixels: u32,
    /// Pixels of a part, instead.
    part: Option<u64>,
    held: RefCell<Held>,
}

impl Limit {
    fn new(format: Format, max_megapixels: u32) -> Self {
        Self {
            format,
            max_megapixels,
            part: None,
            held: RefCell::default(),
        }
    }

    /// Of a picture that is a part of another and has so many pixels at the most.
    fn of_part(format: Format, pixels: usize) -> Self {
        Self {
            part: Some(pixels as u64),
            ..Self::new(format, u32::MAX)
        }
    }

    /// Pixels that may be decoded.
    fn max_pixels(&self) -> u64 {
        let megapixels = u64::from(self.max_megapixels) * 1_000_000;
        self.part.unwrap_or(megapixels)
    }

    /// Waits until a decoder may hold so many bytes, the picture that it makes among them.
    fn hold(&self, bytes: usize) {
        self.held.borrow_mut().hold(bytes as u64);
    }

    /// Width and height of a picture that may be decoded, once there is room for what its format's
    /// decoder holds at the most.
    fn check(
        &self,
        width: impl Into<u64>,
        height: impl Into<u64>,
    ) -> Result<(usize, usize), ImageError> {
        let size = self.size(width, height)?;
        let a_pixel = match self.format {
            Format::Bmp => 4,
            Format::Gif => 2,
            // A frame and its canvas; the planes of a coding and what is made of them. Measured:
            // 10.5 of a WebP with alpha.
            _ => 12,
        };
        self.hold(size.0 * size.1 * a_pixel);
        Ok(size)
    }

    /// Width and height of a picture that may be decoded, by a decoder that knows better how much
    /// it will [`hold`](Self::hold).
    fn size(
        &self,
        width: impl Into<u64>,
        height: impl Into<u64>,
    ) -> Result<(usize, usize), ImageError> {
        self.reduced(width, height, 1)
    }

    /// [`Limit::size`] of a picture of which `1 / reduction` of the columns and of the rows are
    /// decoded.
    fn reduced(
        &self,
        width: impl Into<u64>,
        height: impl Into<u64>,
        reduction: usize,
    ) -> Result<(usize, usize), ImageError> {
        let (width, height) = (width.into(), height.into());
        if width == 0 || height == 0 {
            return Err(ImageError::damaged(
                self.format,
                format!("its size is {width}×{height}"),
            ));
        }
        let side = |side: u64| side.div_ceil(reduction as u64);
        if side(width)
            .checked_mul(side(height))
            .is_none_or(|pixels| pixels > self.max_pixels())
        {
            if self.part.is_some() {
                let reason = format!("{width}×{height} pixels where fewer belong");
                return Err(ImageError::damaged(self.format, reason));
            }
            return Err(ImageError::TooLarge {
                format: self.format,
                width,
                height,
                max_megapixels: self.max_megapixels,
            });
        }
        Ok((width as usize, height as usize))
    }
}

/// Spreads lines of packed values of 1, 2, 4 or 8 `bits` to one byte each, most significant first.
///
/// `packed` holds `height` lines of whole bytes; `value` maps each value.
fn unpack(packed: &[u8], width: usize, bits: usize, value: impl Fn(u8) -> u8) -> Vec<u8> {
    let mask = ((1u16 << bits) - 1) as u8;
    let mut out = Vec::with_capacity(packed.len() * 8 / bits);
    for line in packed.chunks_exact((width * bits).div_ceil(8)) {
        let values = line
            .iter()
            .flat_map(|byte| (0..8 / bits).rev().map(move |i| byte >> (i * bits) & mask));
        out.extend(values.take(width).map(&value));
    }
    out
}

/// High bytes of 16-bit samples, as Pillow reads colours.
fn high_bytes(samples: impl Iterator<Item = u16>) -> Vec<u8> {
    samples.map(|v| (v >> 8) as u8).collect()
}

/// 16-bit grey scaled to 8 bits and rounded, where Pillow would clip.
fn scale_grey(samples: impl Iterator<Item = u16>) -> Vec<u8> {
    samples
        .map(|v| ((u32::from(v) * 255 + 32767) / 65535) as u8)
        .collect()
}
