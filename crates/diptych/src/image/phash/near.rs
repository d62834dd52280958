//! Whether two hashes are of one picture: resized, encoded again, brightened, or cropped a little.

use super::PerceptualHash;
use super::transform::{CROPPED, DETAILS, Matrix, product, transposed};

/// Least [`Looks::likeness`] of two hashes of one picture. What it finds and what it lets through
/// is in `benchmarks/README.md`.
pub const NEAR: f32 = 0.94;

/// Correlation without any crop below which none is tried. Copies that were cropped by 6 % keep
/// more.
const MAY_BE: f32 = 0.4;

/// Largest difference of the colours, as a share of them.
const COLOUR: f32 = 0.35;

/// Colour steps that are added to what the difference is a share of, for pictures that are nearly
/// grey.
const GREY: f32 = 3.0;

/// Factors by which brightening may multiply colours.
const GAIN: std::ops::RangeInclusive<f32> = 0.7..=1.43;

/// Largest difference of the mean brightness of two pictures without any detail, in grey levels.
const BRIGHTNESS: f32 = 4.0;

/// Number of times that each axis is searched for a crop.
const PASSES: usize = 2;

/// A hash, made ready to be compared.
#[derive(Clone, Debug)]
pub struct Looks {
    /// Of length 1, or 0.
    detail: Matrix,
    colour: Vec<f32>,
    brightness: f32,
}

impl From<&PerceptualHash> for Looks {
    fn from(hash: &PerceptualHash) -> Self {
        let mut detail = hash.detail.map(f32::from);
        let length = dot(&detail, &detail).sqrt();
        if length > 0.0 {
            detail.iter_mut().for_each(|value| *value /= length);
        }
        Self {
            detail,
            colour: hash.colour.iter().copied().map(f32::from).collect(),
            brightness: f32::from(hash.brightness),
        }
    }
}

impl Looks {
    /// Whether they are of one picture.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        if !self.has_colours_of(other) && !other.has_colours_of(self) {
            return false;
        }
        if self.is_flat() && other.is_flat() {
            return (self.brightness - other.brightness).abs() <= BRIGHTNESS;
        }
        let plain = dot(&self.detail, &other.detail);
        plain >= NEAR || (plain >= MAY_BE && self.likeness(other) >= NEAR)
    }

    /// Correlation of the details, −1 … 1, where a crop of up to 6 % of each axis of either makes
    /// it highest.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f32 {
        // Cropping one and extending the other lose different details on the way, so both are
        // tried.
        self.cropped_to(other).max(other.cropped_to(self))
    }

    fn cropped_to(&self, other: &Self) -> f32 {
        let turned = transposed(&other.detail);
        let (mut columns, mut best) = (0, -1.0);
        // One axis after the other: the best crop of one depends little on the other's.
        for _ in 0..PASSES {
            let by_columns = product(&self.detail, &transposed(&CROPPED[columns]));
            let (rows, _) = best_crop(&by_columns, &other.detail);
            let by_rows = transposed(&product(&CROPPED[rows], &self.detail));
            (columns, best) = best_crop(&by_rows, &turned);
        }
        best
    }

    fn is_flat(&self) -> bool {
        self.detail == [0.0; DETAILS * DETAILS]
    }

    fn has_colours_of(&self, other: &Self) -> bool {
        let (a, b) = (&self.colour, &other.colour);
        let gain = (dot(a, b) / (dot(b, b) + f32::EPSILON)).clamp(*GAIN.start(), *GAIN.end());
        let difference = a.iter().zip(b).map(|(a, b)| (a - gain * b).powi(2));
        let larger = dot(a, a).max(dot(b, b)).sqrt();
        difference.sum::<f32>().sqrt() <= COLOUR * (larger + GREY)
    }
}

/// The crop of the first axis of `detail` that makes it most like `wanted`, and how like it is
/// then.
fn best_crop(detail: &Matrix, wanted: &Matrix) -> (usize, f32) {
    let crops = CROPPED.iter().enumerate();
    let likeness = crops.map(|(i, crop)| {
        let mut cropped = product(crop, detail);
        // Hashes have no mean, so the value that a crop puts in its place says nothing.
        cropped[0] = 0.0;
        let length = dot(&cropped, &cropped).sqrt();
        (i, dot(&cropped, wanted) / length.max(f32::EPSILON))
    });
    let worst = (0, f32::NEG_INFINITY);
    likeness.fold(
        worst,
        |best, next| if next.1 > best.1 { next } else { best },
    )
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // In parts, so that sums are taken side by side.
    let mut sums = [0f32; 16];
    let (a, b) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum()
}
