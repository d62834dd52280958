//! Perceptual hash: how a picture looks, in so few bytes that those of a whole library can be
//! compared.
//!
//! Flow: `Picture` → 32 × 32 pixels → each divided by the contrast around it → cosine transform →
//! the 16 × 16 lowest frequencies; and 4 × 4 of the two colour differences. Embeddings say what is
//! in a picture; this says whether it is the same one. Contrast is local, so that a frame or a
//! bright sky, which many pictures have, does not outweigh what is in the middle (pHash takes the
//! plain transform: <https://www.phash.org>, Zauner 2010).

mod near;
mod transform;

pub use near::{Looks, NEAR};

use super::picture::{Mode, Picture};
use super::resample::Interpolation;
use transform::{COLOURS, DETAILS, GRID};

/// Version of the hash, its first byte: those of two versions can't be compared.
const VERSION: u8 = 1;

/// A value is divided by the contrast in the square that reaches `AROUND` pixels from it to each
/// side, 9 × 9. `NOISE` grey levels are added to that contrast, so that noise stays small.
const AROUND: usize = 4;
const NOISE: f32 = 4.0;

/// A picture whose largest detail is below this has none.
const LEAST_DETAIL: f32 = 0.5;

/// Steps of a colour difference that are one.
const COLOUR_STEP: f32 = 2.0;

/// A picture's perceptual hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PerceptualHash {
    /// `[DETAILS, DETAILS]`, rows first; the largest is 127, or all are 0.
    detail: [i8; DETAILS * DETAILS],
    /// `[2, COLOURS, COLOURS]`: blue less brightness, red less brightness.
    colour: [i8; 2 * COLOURS * COLOURS],
    /// Mean brightness.
    brightness: u8,
}

impl std::fmt::Debug for PerceptualHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PerceptualHash({:?} …)", &self.detail[..8])
    }
}

impl PerceptualHash {
    /// Bytes of a hash.
    pub const LEN: usize = 2 + DETAILS * DETAILS + 2 * COLOURS * COLOURS;

    /// Hash of a picture, upright as people see it.
    #[must_use]
    pub fn of(picture: &Picture) -> Self {
        let rgb = small(picture);
        let channel = |c: usize| rgb.iter().map(move |pixel| pixel[c]);
        let brightness: Vec<f32> = rgb
            .iter()
            .map(|[r, g, b]| 0.299 * r + 0.587 * g + 0.114 * b)
            .collect();
        let details = transform::details(&by_contrast(&brightness));
        let largest = details.iter().fold(0f32, |a, b| a.max(b.abs()));
        let scale = if largest < LEAST_DETAIL {
            0.0
        } else {
            127.0 / largest
        };
        let mut colour = [0; 2 * COLOURS * COLOURS];
        let (blue, red) = colour.split_at_mut(COLOURS * COLOURS);
        for (of, c) in [(blue, 2), (red, 0)] {
            let difference: Vec<f32> = channel(c).zip(&brightness).map(|(c, y)| c - y).collect();
            for (to, value) in of.iter_mut().zip(transform::colours(&difference)) {
                *to = (value / COLOUR_STEP).round() as i8;
            }
        }
        Self {
            detail: details.map(|value| (value * scale).round() as i8),
            colour,
            brightness: (brightness.iter().sum::<f32>() / brightness.len() as f32).round() as u8,
        }
    }

    /// Bytes to keep it as.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let values = self.detail.iter().chain(&self.colour);
        let head = [VERSION, self.brightness];
        head.into_iter().chain(values.map(|&v| v as u8)).collect()
    }

    /// Hash that was kept as these bytes; none, if they are another version's.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [VERSION, brightness, values @ ..] = bytes else {
            return None;
        };
        let (detail, colour) = values.split_at_checked(DETAILS * DETAILS)?;
        Some(Self {
            detail: <[u8; _]>::try_from(detail).ok()?.map(|v| v as i8),
            colour: <[u8; _]>::try_from(colour).ok()?.map(|v| v as i8),
            brightness: *brightness,
        })
    }
}

/// `[GRID, GRID]`: red, green and blue of a picture made so small, 0 … 255.
///
/// By a triangle, as wide as two parts: means of each part alone change with where its edges lie,
/// so that a crop by a pixel is another picture.
fn small(picture: &Picture) -> Vec<[f32; 3]> {
    let rgb = match picture.mode() {
        Mode::Rgb => picture,
        _ => &picture.to_rgb(),
    };
    let small = rgb.resize(GRID, GRID, Interpolation::Bilinear);
    let pixels = small.as_bytes().as_chunks::<3>().0;
    pixels.iter().map(|pixel| pixel.map(f32::from)).collect()
}

/// Each value less the mean around it, divided by the deviation around it.
fn by_contrast(values: &[f32]) -> Vec<f32> {
    let squares: Vec<f32> = values.iter().map(|value| value * value).collect();
    let n = (2 * AROUND + 1).pow(2) as f32;
    let around = sums_around(values).into_iter().zip(sums_around(&squares));
    let by_contrast = values.iter().zip(around).map(|(value, (sum, squares))| {
        let mean = sum / n;
        let deviation = (squares / n - mean * mean).max(0.0).sqrt();
        (value - mean) / (deviation + NOISE)
    });
    by_contrast.collect()
}

/// For each of `[GRID, GRID]` values the sum of the square around it, mirrored at the edges: along
/// rows, then along columns.
fn sums_around(values: &[f32]) -> Vec<f32> {
    // Whole rows are added, shifted or one below the other, so that compilers do it side by side.
    let mut along_rows: Vec<[f32; GRID]> = Vec::with_capacity(GRID);
    for row in values.as_chunks::<GRID>().0 {
        let padded: [f32; GRID + 2 * AROUND] = std::array::from_fn(|at| row[mirrored(at)]);
        let mut sum = [0f32; GRID];
        for shifted in padded.windows(GRID) {
            sum.iter_mut()
                .zip(shifted)
                .for_each(|(sum, value)| *sum += value);
        }
        along_rows.push(sum);
    }
    let mut sums = Vec::with_capacity(values.len());
    for y in 0..GRID {
        let mut sum = [0f32; GRID];
        for at in y..=y + 2 * AROUND {
            sum.iter_mut()
                .zip(&along_rows[mirrored(at)])
                .for_each(|(sum, value)| *sum += value);
        }
        sums.extend(sum);
    }
    sums
}

/// A row of `GRID` values gets `AROUND` mirrored ones at each end. Returns the place in the row
/// whose value stands at place `at` of the longer row: 0 → 4, 4 → 0, 35 → 31, 36 → 30.
fn mirrored(at: usize) -> usize {
    let inside = at.abs_diff(AROUND);
    if inside < GRID {
        inside
    } else {
        2 * (GRID - 1) - inside
    }
}

#[cfg(test)]
mod tests;
