//! Samples to a picture: grey, palettes, RGB, inks, luma and chroma, L*a*b*, with alpha or without.

use super::page::{Page, SampleFormat};
use super::subsampled::{self, YCC};
use super::{Format, unpack, unsupported};
use crate::image::decode::{high_bytes, scale_grey};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture, divide_alpha};

/// `ExtraSamples`: the colours are premultiplied with this alpha.
const ASSOCIATED_ALPHA: u64 = 1;

/// `ExtraSamples`: alpha by itself; the second is Corel Draw's word for it.
const UNASSOCIATED_ALPHA: [u64; 2] = [2, 999];

/// `ColorMap`.
const COLOUR_MAP: u16 = 320;

/// The colour model of the first samples of a pixel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    Grey { white_is_zero: bool },
    Index,
    Rgb,
    Cmyk,
    Ycc,
    Lab,
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Grey { .. } => "grey",
            Self::Index => "indices into a palette",
            Self::Rgb => "RGB",
            Self::Cmyk => "CMYK",
            Self::Ycc => "YCbCr",
            Self::Lab => "L*a*b*",
        })
    }
}

/// The meaning of a page's samples, checked against how they are stored.
pub(super) struct Colours {
    model: Model,
    alpha: Option<u64>,
    mode: Mode,
}

impl Colours {
    pub(super) fn of(page: &Page) -> Result<Self, ImageError> {
        let model = match page.photometric {
            0 | 1 => Model::Grey {
                white_is_zero: page.photometric == 0,
            },
            2 => Model::Rgb,
            3 => Model::Index,
            5 => Model::Cmyk,
            // A single sample is luma.
            YCC if page.samples == 1 => Model::Grey {
                white_is_zero: false,
            },
            YCC => Model::Ycc,
            8 => Model::Lab,
            other => return Err(unsupported(format!("photometric interpretation {other}"))),
        };
        let (bits, kind) = (page.bits, page.format);
        let fits = match model {
            Model::Grey { .. } => match kind {
                SampleFormat::Unsigned => true,
                SampleFormat::Signed => matches!(bits, 8 | 16 | 32),
                SampleFormat::Float => bits == 32,
            },
            Model::Index => kind == SampleFormat::Unsigned && bits <= 8,
            Model::Rgb | Model::Cmyk => kind == SampleFormat::Unsigned && matches!(bits, 8 | 16),
            Model::Ycc | Model::Lab => bits == 8,
        };
        let least = match model {
            Model::Grey { .. } | Model::Index => 1,
            Model::Rgb | Model::Ycc | Model::Lab => 3,
            Model::Cmyk => 4,
        };
        if !fits || page.samples < least {
            let samples = page.samples;
            let numbers = match kind {
                SampleFormat::Unsigned => "",
                SampleFormat::Signed => " signed",
                SampleFormat::Float => " floating",
            };
            let found = format!("{samples}{numbers} samples of {bits} bits as {model}");
            return Err(unsupported(found));
        }
        let alpha = match (page.extra.first(), model) {
            (Some(&ASSOCIATED_ALPHA), _) => Some(ASSOCIATED_ALPHA),
            (Some(kind), _) if UNASSOCIATED_ALPHA.contains(kind) => Some(UNASSOCIATED_ALPHA[0]),
            // A fourth sample of which nothing is said is alpha.
            (None, Model::Rgb) if page.samples == 4 => Some(UNASSOCIATED_ALPHA[0]),
            _ => None,
        };
        let alpha = alpha.filter(|_| page.samples > least);
        let mode = match (model, alpha) {
            (Model::Grey { .. }, None) if bits == 1 => Mode::Bilevel,
            (Model::Grey { .. }, Some(_)) if bits == 8 => Mode::GreyAlpha,
            (Model::Grey { .. }, _) => Mode::Grey,
            (Model::Index, _) => Mode::Palette,
            (Model::Rgb, Some(_)) => Mode::Rgba,
            (Model::Rgb | Model::Ycc | Model::Lab, _) => Mode::Rgb,
            (Model::Cmyk, None) => Mode::Cmyk,
            (Model::Cmyk, Some(_)) => return Err(unsupported("CMYK with alpha")),
        };
        Ok(Self { model, alpha, mode })
    }

    /// The samples of a pixel that are looked at.
    pub(super) fn samples(&self) -> usize {
        self.mode.channels()
    }

    /// The picture of a page's planes, of those samples at least.
    pub(super) fn picture(self, page: &Page, planes: Vec<Vec<u8>>) -> Result<Picture, ImageError> {
        let channels = self.mode.channels();
        let mut data = if page.bits < 8 || page.bits == 12 {
            // One value of a pixel is all that there can be.
            let plane = planes.into_iter().next().unwrap_or_default();
            let per_line = if page.is_planar { 1 } else { page.samples };
            self.spread(page, &plane, per_line)
        } else {
            let size = page.bits / 8;
            let pixels = if page.is_planar {
                interleave(&planes, size)
            } else {
                let all = planes.into_iter().next().unwrap_or_default();
                first_samples(all, page.samples * size, channels * size)
            };
            self.bytes(page, pixels)
        };
        match self.model {
            Model::Grey {
                white_is_zero: true,
            } if page.format == SampleFormat::Unsigned => {
                let greys = data.iter_mut().step_by(channels);
                greys.for_each(|grey| *grey = 255 - *grey);
            }
            Model::Ycc if page.compression != unpack::JPEG || page.is_planar => {
                subsampled::to_rgb(page, &mut data);
            }
            Model::Lab => data
                .as_chunks_mut::<3>()
                .0
                .iter_mut()
                .for_each(|p| *p = lab_to_rgb(*p)),
            _ => {}
        }
        if self.alpha == Some(ASSOCIATED_ALPHA) {
            data = match self.mode {
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
        let (width, height) = (page.width, page.height);
        match self.mode {
            Mode::Palette => Picture::with_palette(width, height, data, palette(page)?),
            mode => Picture::new(width, height, mode, data),
        }
    }

    /// The first sample of each pixel, of less than 8 bits or of 12, in a byte.
    fn spread(&self, page: &Page, plane: &[u8], per_line: usize) -> Vec<u8> {
        let bits = page.bits;
        let line = (page.width * per_line * bits).div_ceil(8);
        let most = (1u32 << bits) - 1;
        let is_index = self.model == Model::Index;
        let lines = plane.chunks_exact(line);
        let values = lines.flat_map(|line| {
            (0..page.width).map(move |x| {
                let at = x * per_line * bits;
                let byte = |i: usize| u32::from(line.get(at / 8 + i).copied().unwrap_or(0));
                let word = byte(0) << 16 | byte(1) << 8 | byte(2);
                let value = word >> (24 - bits - at % 8) & most;
                if is_index {
                    value as u8
                } else {
                    ((value * 255 + most / 2) / most) as u8
                }
            })
        });
        values.collect()
    }

    /// Samples of whole bytes, in a byte each. What is wider and no colour is cut at 0 and 255, as
    /// Pillow's `convert` does.
    fn bytes(&self, page: &Page, samples: Vec<u8>) -> Vec<u8> {
        let twos = || samples.as_chunks::<2>().0.iter();
        let fours = || samples.as_chunks::<4>().0.iter();
        let is_grey = matches!(self.model, Model::Grey { .. });
        match (page.bits, page.format) {
            (16, SampleFormat::Unsigned) if is_grey => {
                scale_grey(twos().map(|b| u16::from_ne_bytes(*b)))
            }
            (16, SampleFormat::Unsigned) => high_bytes(twos().map(|b| u16::from_ne_bytes(*b))),
            (16, _) => twos()
                .map(|b| i16::from_ne_bytes(*b).clamp(0, 255) as u8)
                .collect(),
            (32, SampleFormat::Float) => fours().map(|b| f32::from_ne_bytes(*b) as u8).collect(),
            (32, _) => fours()
                .map(|b| i32::from_ne_bytes(*b).clamp(0, 255) as u8)
                .collect(),
            _ => samples,
        }
    }
}

/// Planes to pixels; `bytes` per sample.
fn interleave(planes: &[Vec<u8>], bytes: usize) -> Vec<u8> {
    let length = planes.first().map_or(0, Vec::len);
    let mut out = Vec::with_capacity(length * planes.len());
    for at in (0..length).step_by(bytes) {
        for plane in planes {
            out.extend_from_slice(&plane[at..at + bytes]);
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
fn palette(page: &Page) -> Result<Vec<[u8; 3]>, ImageError> {
    let map = page.tags.numbers(COLOUR_MAP);
    let third = map.len() / 3;
    if third == 0 {
        return Err(ImageError::damaged(Format::Tiff, "it has no colour map"));
    }
    let colours = (0..third.min(256))
        .map(|i| [map[i], map[third + i], map[2 * third + i]].map(|v| (v >> 8) as u8));
    Ok(colours.collect())
}

/// CIE L*a*b* under D50, a* and b* signed, to sRGB.
fn lab_to_rgb([l, a, b]: [u8; 3]) -> [u8; 3] {
    let fy = (f64::from(l) * 100.0 / 255.0 + 16.0) / 116.0;
    let fx = fy + f64::from(a.cast_signed()) / 500.0;
    let fz = fy - f64::from(b.cast_signed()) / 200.0;
    let linear = |f: f64| {
        if f > 24.0 / 116.0 {
            f * f * f
        } else {
            108.0 / 841.0 * (f - 16.0 / 116.0)
        }
    };
    let (x, y, z) = (linear(fx) * 0.9642, linear(fy), linear(fz) * 0.8249);
    // sRGB's primaries, adapted to D50 by Bradford.
    let channels = [
        3.133_856_1 * x - 1.616_866_7 * y - 0.490_614_6 * z,
        -0.978_768_4 * x + 1.916_141_5 * y + 0.033_454_0 * z,
        0.071_945_3 * x - 0.228_991_4 * y + 1.405_242_7 * z,
    ];
    channels.map(|value| {
        let value = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (value * 255.0).round().clamp(0.0, 255.0) as u8
    })
}
