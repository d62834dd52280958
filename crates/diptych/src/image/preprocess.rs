//! `Preprocess`: the steps from a picture to the pixels that a checkpoint was trained with.
//!
//! Source: `_transform` in OpenAI's `clip/clip.py`, `image_transform` in open_clip 3.3, `Resize`
//! and `CenterCrop` in torchvision 0.29: resize → crop or pad → RGB → `/ 255` → normalise.
//!
//! `S` is the side of the result.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::decode::{Decode, DecodeOptions, Decoded, decode_at_least};
use super::error::ImageError;
use super::picture::{Mode, Picture, read_file};
use super::pixels::Pixels;
use super::resample::{Interpolation, Window};

/// How a picture that is not square becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeMode {
    /// The shorter side becomes `S`, the centre is cut out: OpenAI's way.
    Shortest,
    /// The longer side becomes `S`, the rest is filled with [`Preprocess::fill`].
    Longest,
    /// Both sides become `S`, whatever the picture's shape.
    Squash,
}

/// When the picture becomes RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Last: resized in the file's own mode, as OpenAI's code and open_clip do.
    Native,
    /// First, as Hugging Face's processors do. Differs for palettes, alpha and CMYK.
    RgbFirst,
}

/// Turns pictures into pixels; part of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// Side `S` of the result.
    pub size: usize,
    /// Subtracted from red, green and blue, after they are divided by 255.
    pub mean: [f32; 3],
    /// Divides red, green and blue after that.
    pub std: [f32; 3],
    /// The resizing filter.
    pub interpolation: Interpolation,
    /// How a picture that is not square becomes one.
    pub resize_mode: ResizeMode,
    /// Value of every channel where [`ResizeMode::Longest`] leaves room; open_clip's `fill_color`.
    pub fill: u8,
    /// When the picture becomes RGB.
    pub order: Order,
}

impl Preprocess {
    /// OpenAI's CLIP: bicubic, shortest side and centre crop, native order, the mean and deviation
    /// of its training pictures.
    #[must_use]
    pub fn openai(size: usize) -> Self {
        Self {
            size,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            interpolation: Interpolation::Bicubic,
            resize_mode: ResizeMode::Shortest,
            fill: 0,
            order: Order::Native,
        }
    }

    /// The pixels of one picture, `[1, 3, S, S]`.
    ///
    /// # Panics
    /// If [`Preprocess::size`] is zero.
    #[must_use]
    pub fn apply(&self, picture: &Picture) -> Pixels {
        let mut pixels = Pixels::zeros(1, self.size);
        self.apply_into(picture, pixels.as_mut_slice());
        pixels
    }

    /// [`Preprocess::apply`] into a buffer of the caller, `[3, S, S]`.
    ///
    /// # Panics
    /// If `out` has another length, or [`Preprocess::size`] is zero.
    pub fn apply_into(&self, picture: &Picture, out: &mut [f32]) {
        self.normalise_into(self.square(picture).as_bytes(), out);
    }

    /// The picture before it is normalised: RGB, `[S, S, 3]`.
    ///
    /// # Panics
    /// If [`Preprocess::size`] is zero.
    #[must_use]
    pub fn square(&self, picture: &Picture) -> Picture {
        self.square_of(picture, (picture.width(), picture.height()))
    }

    /// [`Preprocess::square`] of a picture that may be smaller than its `full` size, by which it is
    /// shaped.
    fn square_of(&self, picture: &Picture, full: (usize, usize)) -> Picture {
        if self.order == Order::RgbFirst && picture.mode() != Mode::Rgb {
            return self.resize(&picture.to_rgb(), full);
        }
        let square = self.resize(picture, full);
        if square.mode() == Mode::Rgb {
            square
        } else {
            square.to_rgb()
        }
    }

    /// Normalises interleaved RGB, `[S, S, 3]`, into planes, `[3, S, S]`.
    ///
    /// # Panics
    /// If a length is not `S · S · 3`.
    pub fn normalise_into(&self, rgb: &[u8], out: &mut [f32]) {
        let plane = self.size * self.size;
        assert_eq!(
            rgb.len(),
            3 * plane,
            "normalise: input of side {}",
            self.size
        );
        assert_eq!(
            out.len(),
            3 * plane,
            "normalise: output of side {}",
            self.size
        );
        for (c, out) in out.chunks_exact_mut(plane.max(1)).enumerate() {
            // Division, not a product with the inverse: the same roundings as torch.
            let table: [f32; 256] =
                std::array::from_fn(|v| (v as f32 / 255.0 - self.mean[c]) / self.std[c]);
            for (value, pixel) in out.iter_mut().zip(rgb.chunks_exact(3)) {
                *value = table[usize::from(pixel[c])];
            }
        }
    }

    /// The pixels of a picture's file, `[1, 3, S, S]`, of which [`Decode::Fast`] decodes no more
    /// than they need.
    ///
    /// # Errors
    /// Those of [`Picture::open`].
    ///
    /// # Panics
    /// If [`Preprocess::size`] is zero.
    pub fn load(
        &self,
        path: impl AsRef<Path>,
        options: &DecodeOptions,
    ) -> Result<Pixels, ImageError> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        self.load_bytes(&bytes, options)
            .map_err(|error| error.in_file(path))
    }

    /// [`Preprocess::load`] of a file's bytes.
    ///
    /// # Errors
    /// Those of [`Picture::decode`].
    ///
    /// # Panics
    /// If [`Preprocess::size`] is zero.
    pub fn load_bytes(&self, bytes: &[u8], options: &DecodeOptions) -> Result<Pixels, ImageError> {
        self.load_and(bytes, options, |_| ())
            .map(|(pixels, ())| pixels)
    }

    /// [`Preprocess::load_bytes`], and the result of `look`, which gets the decoded picture.
    /// [`Decode::Fast`] may have decoded it smaller than it is.
    ///
    /// # Errors
    /// Those of [`Picture::decode`].
    ///
    /// # Panics
    /// If [`Preprocess::size`] is zero.
    pub fn load_and<T>(
        &self,
        bytes: &[u8],
        options: &DecodeOptions,
        look: impl FnOnce(&Decoded) -> T,
    ) -> Result<(Pixels, T), ImageError> {
        let (decoded, _held) = decode_at_least(bytes, options, |full| match options.decode {
            Decode::Exact => full,
            Decode::Fast => self.resized(full),
        })?;
        let mut pixels = Pixels::zeros(1, self.size);
        let square = self.square_of(&decoded.picture, decoded.full);
        self.normalise_into(square.as_bytes(), pixels.as_mut_slice());
        Ok((pixels, look(&decoded)))
    }

    /// Columns and rows that a picture of `full` size is resized to, before it is cropped or
    /// padded.
    fn resized(&self, (width, height): (usize, usize)) -> (usize, usize) {
        assert!(self.size > 0, "preprocess: the side is zero");
        match self.resize_mode {
            ResizeMode::Shortest => shortest(width, height, self.size),
            ResizeMode::Longest => longest(width, height, self.size),
            ResizeMode::Squash => (self.size, self.size),
        }
    }

    /// Resizes and crops or pads in the picture's own mode; the result is `[S, S]`.
    fn resize(&self, picture: &Picture, full: (usize, usize)) -> Picture {
        let side = self.size;
        let (w, h) = self.resized(full);
        // Only what the crop keeps is computed; the pixels are the same.
        let window = Window {
            columns: centre(w, side),
            rows: centre(h, side),
        };
        let resized = picture.resize_window((w, h), self.interpolation, &window);
        if w >= side && h >= side {
            return resized;
        }
        let margin = |len: usize| side.saturating_sub(len) / 2;
        resized.pad(margin(w), margin(h), side, side, self.fill)
    }
}

/// torchvision's `Resize(side)`: the longer side is truncated.
pub(super) fn shortest(width: usize, height: usize, side: usize) -> (usize, usize) {
    let long = |long: usize, short: usize| ((side * long) as f64 / short as f64) as usize;
    if width <= height {
        (side, long(height, width))
    } else {
        (long(width, height), side)
    }
}

/// open_clip's `ResizeKeepRatio` with `longest=1`: both sides are rounded to the nearest, halves to
/// even. A side that would vanish keeps one pixel, where Pillow refuses.
fn longest(width: usize, height: usize, side: usize) -> (usize, usize) {
    let ratio = width.max(height) as f64 / side as f64;
    let scaled = |len: usize| ((len as f64 / ratio).round_ties_even() as usize).clamp(1, side);
    (scaled(width), scaled(height))
}

/// The middle `side` of `len` pixels, or all of them, as torchvision's `CenterCrop`. Half of the
/// spare pixels come before them, with halves rounded to even: of 1 spare pixel 0, of 3 spare
/// pixels 2.
fn centre(len: usize, side: usize) -> std::ops::Range<usize> {
    let spare = len.saturating_sub(side);
    let start = spare / 2 + if spare % 4 == 3 { 1 } else { 0 };
    start..start + len.min(side)
}
