//! Luma and chroma: chroma of less resolution, and colours by the constants of the file.
//!
//! Source: TIFF 6.0, section 21; the arithmetic is that of libtiff's `tif_color.c`, chroma
//! repeated.

use super::page::Page;
use super::unpack::{self, Shape};

/// The tags.
const COEFFICIENTS: u16 = 529;
const SAMPLING: u16 = 530;
const REFERENCE: u16 = 532;

/// `PhotometricInterpretation`: luma and chroma.
pub(super) const YCC: u64 = 6;

/// Pixels across and down that share their chroma.
#[derive(Clone, Copy)]
pub(super) struct Sampling {
    across: usize,
    down: usize,
}

/// Pixels across and down that share their chroma, as the page says; the standard's default is 2×2.
pub(super) fn factors(page: &Page) -> (usize, usize) {
    let factors = page.tags.numbers(SAMPLING);
    let factor = |i: usize| match factors.get(i) {
        Some(&factor @ (1 | 2 | 4)) => factor as usize,
        _ => 2,
    };
    (factor(0), factor(1))
}

/// How a page's chroma is packed; none, if each pixel has its own, or a JPEG knows.
///
/// A predictor before that is refused by [`super::decode`].
pub(super) fn of(page: &Page) -> Option<Sampling> {
    let is_packed =
        page.photometric == YCC && page.samples == 3 && page.bits == 8 && !page.is_planar;
    if !is_packed || page.compression == unpack::JPEG {
        return None;
    }
    let (across, down) = factors(page);
    let sampling = Sampling { across, down };
    (sampling.across * sampling.down > 1).then_some(sampling)
}

impl Sampling {
    /// Bytes of a unit: luma of its pixels, then chroma.
    fn unit(self) -> usize {
        self.across * self.down + 2
    }

    /// Bytes of a chunk.
    pub(super) fn packed(self, shape: Shape) -> usize {
        let units = shape.width.div_ceil(self.across) * shape.rows.div_ceil(self.down);
        units * self.unit()
    }

    /// A chunk with chroma for each pixel.
    pub(super) fn spread(self, packed: &[u8], shape: Shape) -> Vec<u8> {
        let units = shape.width.div_ceil(self.across) * self.unit();
        let mut out = vec![0; 3 * shape.width * shape.rows];
        for (y, line) in out.chunks_exact_mut(3 * shape.width).enumerate() {
            let units = &packed[y / self.down * units..][..units];
            for (x, pixel) in line.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let unit = &units[x / self.across * self.unit()..][..self.unit()];
                let luma = y % self.down * self.across + x % self.across;
                *pixel = [unit[luma], unit[self.unit() - 2], unit[self.unit() - 1]];
            }
        }
        out
    }
}

/// Luma and chroma, pixel by pixel, to RGB.
pub(super) fn to_rgb(page: &Page, pixels: &mut [u8]) {
    let luma = match page.tags.fractions(COEFFICIENTS)[..] {
        [red, green, blue, ..] if green > 0.0 => [red, green, blue],
        _ => [0.299, 0.587, 0.114],
    };
    let reference = match page.tags.fractions(REFERENCE)[..] {
        [a, b, c, d, e, f, ..] => [a, b, c, d, e, f],
        _ => [0.0, 255.0, 128.0, 255.0, 128.0, 255.0],
    };
    let fix = |value: f32| (f64::from(value.clamp(0.0, 2.0)) * 65536.0 + 0.5) as i32;
    let half = 1 << 15;
    let red = 2.0 - 2.0 * luma[0];
    let blue = 2.0 - 2.0 * luma[2];
    let (of_cr, of_cb) = (fix(red), fix(blue));
    let (less_cr, less_cb) = (
        -fix(luma[0] * red / luma[1]),
        -fix(luma[2] * blue / luma[1]),
    );
    // Levels between the file's black and white.
    let level = |value: f32, black: f32, white: f32, most: f32| {
        let span = if white - black == 0.0 {
            1.0
        } else {
            white - black
        };
        ((value - black.trunc()) * most / span).clamp(-4096.0, 4096.0) as i32
    };
    let chroma = |value: u8, i: usize| {
        level(
            f32::from(value) - 128.0,
            reference[i] - 128.0,
            reference[i + 1] - 128.0,
            127.0,
        )
    };
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let y = level(f32::from(pixel[0]), reference[0], reference[1], 255.0);
        let (cb, cr) = (chroma(pixel[1], 2), chroma(pixel[2], 4));
        let green = (less_cb * cb + half + less_cr * cr) >> 16;
        let values = [
            y + ((of_cr * cr + half) >> 16),
            y + green,
            y + ((of_cb * cb + half) >> 16),
        ];
        *pixel = values.map(|value| value.clamp(0, 255) as u8);
    }
}
