//! `Picture`: a decoded picture in its file's own mode, and what Pillow would do with it.
//!
//! Source: `Image.py` (`resize`, `convert`) and `Convert.c` of Pillow 13, read for the arithmetic.
//! Invariant: `data.len() == width * height * mode.channels()`, and no side is zero.

use std::io::Read;
use std::path::Path;

use diptych_files::MAX_FILE_BYTES;

use super::decode::{self, DecodeOptions};
use super::error::ImageError;
use super::preprocess::shortest;
use super::resample::{Interpolation, Window, nearest_window, resize_window};

/// The meaning of a pixel's values: Pillow's modes, 8 bits a channel.
///
/// Files with 16 bits a channel are scaled to 8. Colours (RGB, alpha, CMYK) keep their high byte,
/// as Pillow reads them. Grey becomes `round(v · 255 / 65535)`, where Pillow would clip at 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Black (0) or white (255); Pillow's "1".
    Bilevel,
    /// Grey; Pillow's "L".
    Grey,
    /// Grey and alpha; Pillow's "LA".
    GreyAlpha,
    /// Index into a palette; Pillow's "P".
    Palette,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
    /// Cyan, magenta, yellow, black; 255 is full ink.
    Cmyk,
}

impl Mode {
    /// Values per pixel.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Bilevel | Self::Grey | Self::Palette => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    mode: Mode,
    /// `[height, width, channels]`.
    data: Vec<u8>,
    /// Colours of [`Mode::Palette`]; an index beyond them is black.
    palette: Vec<[u8; 3]>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}×{} {:?})", self.width, self.height, self.mode)
    }
}

impl Picture {
    /// Decodes a file.
    ///
    /// # Errors
    /// [`ImageError::Read`] if it can't be read, [`ImageError::File`] around the error of
    /// [`Picture::decode`].
    pub fn open(path: impl AsRef<Path>, options: &DecodeOptions) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        Self::decode(&bytes, options).map_err(|error| error.in_file(path))
    }

    /// Decodes the bytes of a file: BMP, GIF and animations (first frame), JPEG, PNG, TIFF, WebP or
    /// a camera's RAW (its preview); HEIC and AVIF with the feature `heif`.
    ///
    /// # Errors
    /// [`ImageError`] if the format is unknown or not supported, the bytes are damaged, or the
    /// header announces more pixels than `options` allow.
    pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        decode::decode(bytes, options)
    }

    /// Decodes a file no further than needed for a shorter side of `side`, for what asks not for
    /// its pixels but for how it looks: a large JPEG comes out smaller than it is.
    ///
    /// # Errors
    /// Those of [`Picture::open`].
    pub fn open_small(
        path: impl AsRef<Path>,
        side: usize,
        options: &DecodeOptions,
    ) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        let wanted = |(width, height)| shortest(width, height, side.max(1));
        decode::decode_at_least(&bytes, options, wanted)
            .map(|(decoded, _)| decoded.picture)
            .map_err(|error| error.in_file(path))
    }

    /// Takes interleaved RGB, `[height, width, 3]`, such as a frame of a video.
    ///
    /// # Errors
    /// [`ImageError::Length`] if `data` has another length or no pixel.
    pub fn from_rgb(width: usize, height: usize, data: Vec<u8>) -> Result<Self, ImageError> {
        Self::new(width, height, Mode::Rgb, data)
    }

    /// Takes interleaved pixels of any mode but a palette's.
    pub(super) fn new(
        width: usize,
        height: usize,
        mode: Mode,
        data: Vec<u8>,
    ) -> Result<Self, ImageError> {
        let want = width.saturating_mul(height).saturating_mul(mode.channels());
        if want == 0 || data.len() != want {
            let shape = format!(
                "a picture of {width}×{height} with {} channels",
                mode.channels()
            );
            return Err(ImageError::Length {
                what: "the buffer",
                shape,
                got: data.len(),
                want: want.max(1),
            });
        }
        Ok(Self {
            width,
            height,
            mode,
            data,
            palette: Vec::new(),
        })
    }

    /// Takes palette indices, `[height, width]`.
    pub(super) fn with_palette(
        width: usize,
        height: usize,
        indices: Vec<u8>,
        palette: Vec<[u8; 3]>,
    ) -> Result<Self, ImageError> {
        Ok(Self {
            palette,
            ..Self::new(width, height, Mode::Palette, indices)?
        })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The meaning of the values.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Interleaved values, `[height, width, channels]`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }

    /// Interleaved values, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.data
    }

    /// The picture as RGB, as Pillow's `convert("RGB")`: palettes are looked up, alpha is dropped.
    #[must_use]
    pub fn to_rgb(&self) -> Self {
        let data = match self.mode {
            Mode::Rgb => self.data.clone(),
            Mode::Bilevel => repeat(&self.data, |v| if v == 0 { 0 } else { 255 }),
            Mode::Grey => repeat(&self.data, |v| v),
            Mode::GreyAlpha => self.data.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
            Mode::Palette => {
                let mut colours = [[0u8; 3]; 256];
                for (slot, colour) in colours.iter_mut().zip(&self.palette) {
                    *slot = *colour;
                }
                self.data
                    .iter()
                    .flat_map(|&i| colours[usize::from(i)])
                    .collect()
            }
            Mode::Rgba => self
                .data
                .chunks_exact(4)
                .flat_map(|p| [p[0], p[1], p[2]])
                .collect(),
            Mode::Cmyk => self.data.chunks_exact(4).flat_map(cmyk_to_rgb).collect(),
        };
        self.like(self.width, self.height, Mode::Rgb, data)
    }

    /// Cuts out a rectangle.
    ///
    /// # Errors
    /// [`ImageError::Outside`] if it is empty or leaves the picture.
    pub fn crop(
        &self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
    ) -> Result<Self, ImageError> {
        let size = (self.width, self.height);
        let data = crop(
            &self.data,
            size,
            self.mode.channels(),
            (left, top),
            (width, height),
        )?;
        Ok(self.like(width, height, self.mode, data))
    }

    /// Mirrors left and right.
    pub fn flip_horizontal(&mut self) {
        flip_horizontal(&mut self.data, self.width, self.mode.channels());
    }

    /// Resizes in the picture's own mode, as Pillow's `resize`: palettes and bilevel by the nearest
    /// pixel, alpha premultiplied.
    ///
    /// # Panics
    /// If `width` or `height` is zero.
    #[must_use]
    pub fn resize(&self, width: usize, height: usize, interpolation: Interpolation) -> Self {
        self.resize_window(
            (width, height),
            interpolation,
            &Window {
                columns: 0..width,
                rows: 0..height,
            },
        )
    }

    /// [`Picture::resize`], of which only the pixels in `window` are computed.
    pub(super) fn resize_window(
        &self,
        to: (usize, usize),
        interpolation: Interpolation,
        window: &Window,
    ) -> Self {
        let from = (self.width, self.height);
        let sampled = |pixels: &[u8]| {
            resize_window(
                pixels,
                from,
                self.mode.channels(),
                to,
                interpolation,
                window,
            )
        };
        let data = match self.mode {
            // Pillow leaves a picture alone that already has its size, without the loss of
            // premultiplying.
            _ if from == to => copy_window(&self.data, from.0, self.mode.channels(), window),
            Mode::Bilevel | Mode::Palette => nearest_window(&self.data, from, to, window),
            Mode::GreyAlpha => divide_alpha::<2>(sampled(&multiply_alpha::<2>(&self.data))),
            Mode::Rgba => divide_alpha::<4>(sampled(&multiply_alpha::<4>(&self.data))),
            Mode::Grey | Mode::Rgb | Mode::Cmyk => sampled(&self.data),
        };
        self.like(window.columns.len(), window.rows.len(), self.mode, data)
    }

    /// Puts the picture at `(left, top)` of a larger one, whose other values are `fill`.
    pub(super) fn pad(
        &self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
        fill: u8,
    ) -> Self {
        let channels = self.mode.channels();
        let mut data = vec![fill; width * height * channels];
        for (line, y) in self.data.chunks_exact(self.width * channels).zip(top..) {
            let at = (y * width + left) * channels;
            data[at..at + line.len()].copy_from_slice(line);
        }
        self.like(width, height, self.mode, data)
    }

    /// The same picture with its pixels moved: the new pixel `(x, y)` is the old pixel `source(x,
    /// y)`.
    pub(super) fn rearrange(
        &self,
        width: usize,
        height: usize,
        source: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        let channels = self.mode.channels();
        let mut data = Vec::with_capacity(self.data.len());
        for y in 0..height {
            for x in 0..width {
                let (old_x, old_y) = source(x, y);
                let at = (old_y * self.width + old_x) * channels;
                data.extend_from_slice(&self.data[at..at + channels]);
            }
        }
        self.like(width, height, self.mode, data)
    }

    fn like(&self, width: usize, height: usize, mode: Mode, data: Vec<u8>) -> Self {
        debug_assert_eq!(data.len(), width * height * mode.channels());
        let palette = if mode == Mode::Palette {
            self.palette.clone()
        } else {
            Vec::new()
        };
        Self {
            width,
            height,
            mode,
            data,
            palette,
        }
    }
}

/// The bytes of a file that may be a picture.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, ImageError> {
    // One byte above the limit tells a file that is too long from one that is not.
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let limit = MAX_FILE_BYTES;
        return Err(ImageError::FileTooLong { limit }.in_file(path));
    }
    Ok(bytes)
}

/// Cuts a rectangle out of an interleaved picture of `size` (width, height).
///
/// `at` is its first column and row, `cut` its width and height.
///
/// # Errors
/// [`ImageError::Outside`] if the rectangle is empty or leaves the picture.
pub fn crop(
    pixels: &[u8],
    size: (usize, usize),
    channels: usize,
    at: (usize, usize),
    cut: (usize, usize),
) -> Result<Vec<u8>, ImageError> {
    let inside = |at: usize, cut: usize, size: usize| {
        cut > 0 && at.checked_add(cut).is_some_and(|end| end <= size)
    };
    if !inside(at.0, cut.0, size.0) || !inside(at.1, cut.1, size.1) {
        let ((left, top), (width, height), (in_width, in_height)) = (at, cut, size);
        return Err(ImageError::Outside {
            what: "a crop",
            left,
            top,
            width,
            height,
            in_width,
            in_height,
        });
    }
    let window = Window {
        columns: at.0..at.0 + cut.0,
        rows: at.1..at.1 + cut.1,
    };
    Ok(copy_window(pixels, size.0, channels, &window))
}

/// Mirrors an interleaved picture of `width` columns left and right, in place.
pub fn flip_horizontal(pixels: &mut [u8], width: usize, channels: usize) {
    for line in pixels.chunks_exact_mut(width * channels) {
        line.reverse();
        line.chunks_exact_mut(channels).for_each(<[u8]>::reverse); // channels back in order
    }
}

fn copy_window(pixels: &[u8], width: usize, channels: usize, window: &Window) -> Vec<u8> {
    let columns = window.columns.start * channels..window.columns.end * channels;
    pixels
        .chunks_exact(width * channels)
        .skip(window.rows.start)
        .take(window.rows.len())
        .flat_map(|line| &line[columns.clone()])
        .copied()
        .collect()
}

fn repeat(grey: &[u8], value: impl Fn(u8) -> u8) -> Vec<u8> {
    grey.iter().flat_map(|&v| [value(v); 3]).collect()
}

/// `a · b / 255`, rounded, without a division.
fn multiply(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

fn cmyk_to_rgb(pixel: &[u8]) -> [u8; 3] {
    let light = 255 - pixel[3];
    [pixel[0], pixel[1], pixel[2]].map(|ink| light.saturating_sub(multiply(ink, light)))
}

/// Colours times alpha; alpha is the last of `C` channels.
fn multiply_alpha<const C: usize>(pixels: &[u8]) -> Vec<u8> {
    let mut out = pixels.to_vec();
    for pixel in out.as_chunks_mut::<C>().0 {
        let alpha = pixel[C - 1];
        for colour in &mut pixel[..C - 1] {
            *colour = multiply(*colour, alpha);
        }
    }
    out
}

/// Colours divided by alpha, truncated; a pixel without any alpha keeps its colours.
pub(super) fn divide_alpha<const C: usize>(mut pixels: Vec<u8>) -> Vec<u8> {
    for pixel in pixels.as_chunks_mut::<C>().0 {
        let alpha = u32::from(pixel[C - 1]);
        if alpha != 0 && alpha != 255 {
            for colour in &mut pixel[..C - 1] {
                *colour = (255 * u32::from(*colour) / alpha).min(255) as u8;
            }
        }
    }
    pixels
}
