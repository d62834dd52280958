//! One AdamW step over a parameter, in a single pass.
//!
//! Source: Loshchilov & Hutter, arXiv 1711.05101, in the form of `torch.optim.AdamW`.

use rayon::prelude::*;

use crate::isa::Isa;
use crate::vectorised::vectorised;

/// The factors of one step, which are the same for every value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the mean gradient, β₁.
    pub beta1: f32,
    /// Decay of the mean squared gradient, β₂.
    pub beta2: f32,
    /// η / (1 − β₁ᵗ).
    pub rate: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub root_scale: f32,
    /// Added to the root of the mean squared gradient, ε.
    pub epsilon: f32,
    /// Share of the value that is kept before it moves, 1 − η λ.
    pub kept: f32,
}

/// Values that one task takes.
const TASK: usize = 1 << 15;

impl AdamW {
    /// Moves `value` by `gradient`, and the two means with it.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn step(self, value: &mut [f32], [mean, square]: [&mut [f32]; 2], gradient: &[f32]) {
        let n = value.len();
        assert!(
            mean.len() == n && square.len() == n && gradient.len() == n,
            "lengths"
        );
        let means = mean.par_chunks_mut(TASK).zip(square.par_chunks_mut(TASK));
        value
            .par_chunks_mut(TASK)
            .zip(means)
            .zip(gradient.par_chunks(TASK))
            .for_each(|((value, (mean, square)), gradient)| {
                step_part(Isa::current(), self, value, mean, square, gradient);
            });
    }
}

vectorised! {
    fn step_part(
        by: AdamW,
        value: &mut [f32],
        mean: &mut [f32],
        square: &mut [f32],
        gradient: &[f32],
    ) {
        let n = value.len();
        let (mean, square, gradient) = (&mut mean[..n], &mut square[..n], &gradient[..n]);
        for i in 0..n {
            let g = gradient[i];
            mean[i] = by.beta1 * mean[i] + (1.0 - by.beta1) * g;
            square[i] = by.beta2 * square[i] + (1.0 - by.beta2) * (g * g);
            let root = square[i].sqrt() * by.root_scale + by.epsilon;
            value[i] = by.kept * value[i] - by.rate * mean[i] / root;
        }
    }
}

/// `Σ xᵢ²`, in f64 over parts, in order.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    let parts: Vec<f64> = x
        .par_chunks(TASK)
        .map(|x| {
            let mut lanes = [0f32; LANES];
            squares(Isa::current(), x, &mut lanes);
            lanes.iter().map(|&lane| f64::from(lane)).sum()
        })
        .collect();
    parts.iter().sum()
}

/// Sums that are kept side by side, so that they vectorise in a fixed order.
const LANES: usize = 64;

vectorised! {
    fn squares(x: &[f32], lanes: &mut [f32; LANES]) {
        let rows = x.chunks_exact(LANES);
        let rest = rows.remainder();
        for row in rows {
            for i in 0..LANES {
                lanes[i] += row[i] * row[i];
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += x * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_summed_whole() {
        let x: Vec<f32> = (0..100_003).map(|i| (i % 7) as f32 - 3.0).collect();
        let want: f64 = x.iter().map(|&v| f64::from(v).powi(2)).sum();
        assert_eq!(sum_of_squares(&x), want);
        assert_eq!(sum_of_squares(&[]), 0.0);
        assert!(sum_of_squares(&[1.0, f32::NAN]).is_nan());
    }
}
