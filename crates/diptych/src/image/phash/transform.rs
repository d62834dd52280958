//! The cosine transform of a hash, and what a crop of the picture makes of it.

use std::f32::consts::{PI, SQRT_2};
use std::sync::LazyLock;

/// Side of the picture that is transformed.
pub(super) const GRID: usize = 32;

/// Frequencies of the brightness that are kept, each way.
pub(super) const DETAILS: usize = 16;

/// Frequencies of the colour differences that are kept, each way.
pub(super) const COLOURS: usize = 4;

/// Power of a frequency that it is weighted by: fine details tell more of two pictures than coarse
/// ones.
const POWER: f32 = 0.35;

/// Crops of one axis that are tried. They take off up to the share `CROP` of it, in `CROPS` steps:
/// 1 % to 6 %. Each comes in `BEGINNINGS` variants, from all of it at the end to all of it at the
/// beginning.
const CROP: f32 = 0.06;
const CROPS: usize = 6;
const BEGINNINGS: usize = 5;

/// Places at which the integral of two waves is taken.
const PLACES: usize = 256;

pub(super) type Matrix = [f32; DETAILS * DETAILS];

static WEIGHTS: LazyLock<[f32; DETAILS]> =
    LazyLock::new(|| std::array::from_fn(|frequency| (1.0 + frequency as f32).powf(POWER)));

/// The wave of a frequency at a place between 0 and 1.
fn wave(frequency: usize, place: f32) -> f32 {
    let scale = if frequency == 0 { 1.0 } else { SQRT_2 };
    scale * (PI * frequency as f32 * place).cos()
}

/// `[GRID, DETAILS]`: in the middle of each part all waves.
static WAVES: LazyLock<Vec<[f32; DETAILS]>> = LazyLock::new(|| {
    let middle = |i: usize| (i as f32 + 0.5) / GRID as f32;
    let waves_at = |i: usize| std::array::from_fn(|u| wave(u, middle(i)) / GRID as f32);
    (0..GRID).map(waves_at).collect()
});

/// The lowest `KEPT` frequencies each way of `[GRID, GRID]` values.
fn lowest<const KEPT: usize>(values: &[f32]) -> [[f32; KEPT]; KEPT] {
    let mut out = [[0f32; KEPT]; KEPT];
    for (row, down) in values.as_chunks::<GRID>().0.iter().zip(WAVES.iter()) {
        // All frequencies side by side, for each value in turn.
        let mut across = [0f32; KEPT];
        for (value, waves) in row.iter().zip(WAVES.iter()) {
            across
                .iter_mut()
                .zip(waves)
                .for_each(|(sum, wave)| *sum += value * wave);
        }
        for (out, wave) in out.iter_mut().zip(down) {
            out.iter_mut()
                .zip(&across)
                .for_each(|(out, value)| *out += wave * value);
        }
    }
    out
}

/// Weighted frequencies of brightness, without the mean.
pub(super) fn details(values: &[f32]) -> Matrix {
    let found = lowest::<DETAILS>(values);
    let found = found.as_flattened();
    let weighted = |i: usize| GRID as f32 * found[i] * WEIGHTS[i / DETAILS] * WEIGHTS[i % DETAILS];
    std::array::from_fn(|i| if i == 0 { 0.0 } else { weighted(i) })
}

/// Frequencies of a colour difference.
pub(super) fn colours(values: &[f32]) -> [f32; COLOURS * COLOURS] {
    let found = lowest::<COLOURS>(values);
    std::array::from_fn(|i| found[i / COLOURS][i % COLOURS])
}

/// Matrices that turn a picture's frequencies along one axis into those of a crop of it, or of a
/// larger picture whose crop it is. They are multiplied from the left. The first changes nothing.
pub(super) static CROPPED: LazyLock<Vec<Matrix>> = LazyLock::new(|| {
    let mut all = vec![cropped(0.0, 1.0)];
    for step in 1..=CROPS {
        let share = CROP * step as f32 / CROPS as f32;
        for beginning in 0..BEGINNINGS {
            let before = share * beginning as f32 / (BEGINNINGS - 1) as f32;
            let left = 1.0 - share;
            all.push(cropped(before, left));
            all.push(cropped(-before / left, 1.0 / left));
        }
    }
    all
});

/// The matrix from the frequencies of a picture, which reaches from 0 to 1, to those of a picture
/// that reaches from `start` to `start + size`. The second may be a part of the first, or contain
/// it.
fn cropped(start: f32, size: f32) -> Matrix {
    let mut matrix = [0.0; DETAILS * DETAILS];
    for place in (0..PLACES).map(|i| (i as f32 + 0.5) / PLACES as f32) {
        for (i, value) in matrix.iter_mut().enumerate() {
            let (to, from) = (i / DETAILS, i % DETAILS);
            let scale = WEIGHTS[to] / WEIGHTS[from] / PLACES as f32;
            *value += scale * wave(to, place) * wave(from, start + size * place);
        }
    }
    matrix
}

/// The product of two matrices.
pub(super) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = [0.0; DETAILS * DETAILS];
    for (row, out) in a
        .as_chunks::<DETAILS>()
        .0
        .iter()
        .zip(out.as_chunks_mut::<DETAILS>().0)
    {
        for (a, b) in row.iter().zip(b.as_chunks::<DETAILS>().0) {
            out.iter_mut().zip(b).for_each(|(o, b)| *o += a * b);
        }
    }
    out
}

/// Rows for columns.
pub(super) fn transposed(a: &Matrix) -> Matrix {
    std::array::from_fn(|i| a[i % DETAILS * DETAILS + i / DETAILS])
}
