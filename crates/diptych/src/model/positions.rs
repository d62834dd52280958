//! Positional embeddings for another number of positions than a checkpoint or a tower has.
//!
//! Source: `resize_pos_embed` and `resize_text_pos_embed` in open_clip's `model.py`, 3.3.0, which
//! call `torch.nn.functional.interpolate`: bicubic with antialiasing over the grid of patches,
//! linear without over the tokens of a text.

use super::Grid;
use crate::image::Interpolation;

/// The kind of positions, which decides how their embeddings are resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Positions {
    /// A class token, then the rows of a square grid of patches.
    Image,
    /// The tokens of a text.
    Text,
}

impl Positions {
    /// Whether `from` positions can become `to`.
    pub(crate) fn fit(self, from: usize, to: usize) -> bool {
        match self {
            Self::Image => side(from).is_some() && side(to).is_some(),
            Self::Text => from > 0 && to > 0,
        }
    }

    /// Resizes embeddings `[from, W]` to `to` positions: `[to, W]`.
    pub(crate) fn resize(self, values: &[f32], width: usize, to: usize) -> Vec<f32> {
        let from = values.len() / width;
        match (self, side(from), side(to)) {
            (Self::Image, Some(a), Some(b)) => {
                let (class, grid) = values.split_at(width);
                let square = |side| Grid {
                    rows: side,
                    columns: side,
                };
                [class, &resize_grid(grid, width, square(a), square(b))].concat()
            }
            _ => blend(values, &linear(from, to), width),
        }
    }
}

/// Resizes embeddings `[rows, columns, W]` of one grid to another.
pub(crate) fn resize_grid(values: &[f32], width: usize, from: Grid, to: Grid) -> Vec<f32> {
    let weights = cubic(from.columns, to.columns);
    let columns: Vec<f32> = values
        .chunks_exact(from.columns * width)
        .flat_map(|row| blend(row, &weights, width))
        .collect(); // [from.rows, to.columns, W]
    blend(&columns, &cubic(from.rows, to.rows), to.columns * width)
}

/// The side of the square grid that follows a class token, if the positions make one.
fn side(positions: usize) -> Option<usize> {
    let patches = positions.checked_sub(1).filter(|&n| n > 0)?;
    let side = patches.isqrt();
    (side * side == patches).then_some(side)
}

/// For each new place: the first old place that counts, and the weights of the old places from
/// there on. `(3, [0.25, 0.75])` is a quarter of old place 3 and three quarters of place 4.
type Weights = Vec<(usize, Vec<f32>)>;

/// Rows of `width` values, each a weighted sum of old rows.
fn blend(rows: &[f32], weights: &Weights, width: usize) -> Vec<f32> {
    let row = |(first, weights): &(usize, Vec<f32>)| {
        let mut sum = vec![0f32; width];
        for (weight, row) in weights
            .iter()
            .zip(rows[first * width..].chunks_exact(width))
        {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        sum
    };
    weights.iter().flat_map(row).collect()
}

/// Bicubic with antialiasing.
fn cubic(from: usize, to: usize) -> Weights {
    let mut shares = Vec::new();
    let mut place = |i: usize| {
        let first = Interpolation::Bicubic.shares(i, from, to, &mut shares);
        (first, shares.iter().map(|&share| share as f32).collect())
    };
    (0..to).map(&mut place).collect()
}

/// The weights of the two old places beside each new one, without antialiasing.
fn linear(from: usize, to: usize) -> Weights {
    let scale = from as f64 / to as f64;
    let place = |i: usize| {
        let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(from - 1);
        let part = (at - first as f64) as f32;
        if first + 1 < from {
            (first, vec![1.0 - part, part])
        } else {
            (first, vec![1.0])
        }
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use diptych_testing::{folder, max_difference};

    /// `parity/checkpoints.py` made it, with open_clip's functions.
    #[test]
    fn positions_are_resized_as_open_clip_does() {
        let text = fs_err::read_to_string(folder("layouts").join("positions.json")).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        for case in golden.as_array().unwrap() {
            let values = |name: &str| -> Vec<f32> {
                let list = case[name].as_array().unwrap().iter();
                list.map(|v| v.as_f64().unwrap() as f32).collect()
            };
            let kind = match case["kind"].as_str().unwrap() {
                "image" => Positions::Image,
                _ => Positions::Text,
            };
            let width = case["width"].as_u64().unwrap() as usize;
            let (old, new) = (values("old"), values("new"));
            assert!(kind.fit(old.len() / width, new.len() / width));
            let got = kind.resize(&old, width, new.len() / width);
            let off = max_difference(&got, &new);
            assert!(off < 2e-6, "{case}: {off}");
        }
        assert!(!Positions::Image.fit(10, 6) && !Positions::Image.fit(1, 10));
    }
}
