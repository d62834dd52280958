//! Maps times a factor of each picture's channel, forward and backward.
//!
//! Source: Karras et al., StyleGAN2, arXiv 1912.04958, section 2.2: scaling a convolution's weight
//! by a style is the same as scaling its input.
//!
//! `N` pictures, `P` positions, `C` channels.

use crate::buffer::{fill, fill_and};
use crate::isa::Isa;
use crate::vectorised::vectorised;

/// Values that one task takes at least.
const TASK: usize = 1 << 15;

/// `x` `[N, P, C]` times `factors` `[N, C]`.
///
/// # Panics
/// If `factors` is not whole rows of `channels`, or `x` not whole positions of as many pictures.
pub fn modulate(channels: usize, x: &[f32], factors: &[f32]) -> Vec<f32> {
    let shape = Shape::new(channels, x, factors);
    fill(x.len(), shape.part, |first, out| {
        let factors = shape.factors(factors, first);
        times(Isa::current(), &x[first..first + out.len()], factors, out);
    })
}

/// The gradients of `x` and `factors`, given that of the output.
///
/// # Panics
/// As [`modulate`]; if `grad` has another length than `x`.
pub fn modulate_backward(
    channels: usize,
    x: &[f32],
    factors: &[f32],
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let shape = Shape::new(channels, x, factors);
    assert_eq!(grad.len(), x.len(), "grad's length");
    let (of_x, sums) = fill_and(x.len(), shape.part, |first, out| {
        let [x, grad] = [x, grad].map(|values| &values[first..first + out.len()]);
        let mut sums = vec![0f32; channels];
        times_backward(
            Isa::current(),
            [x, grad],
            shape.factors(factors, first),
            out,
            &mut sums,
        );
        sums
    });
    let parts = (shape.picture / shape.part).max(1);
    let mut of_factors = vec![0f32; factors.len()];
    for (out, sums) in of_factors
        .chunks_exact_mut(channels)
        .zip(sums.chunks(parts))
    {
        for (c, out) in out.iter_mut().enumerate() {
            *out = sums.iter().map(|sums| f64::from(sums[c])).sum::<f64>() as f32;
        }
    }
    (of_x, of_factors)
}

/// The split of the maps among tasks.
struct Shape {
    channels: usize,
    /// Values of a picture.
    picture: usize,
    /// Values of a task, which divide a picture's.
    part: usize,
}

impl Shape {
    fn new(channels: usize, x: &[f32], factors: &[f32]) -> Self {
        assert!(
            channels > 0 && factors.len().is_multiple_of(channels),
            "the factors' length"
        );
        let pictures = factors.len() / channels;
        assert!(
            x.len().is_multiple_of((pictures * channels).max(1)),
            "x's length"
        );
        let picture = x.len() / pictures.max(1);
        let positions = picture / channels;
        // The largest number of parts of equal length that have at least `TASK` values each.
        let parts = (1..=(picture / TASK).max(1))
            .rev()
            .find(|parts| positions.is_multiple_of(*parts));
        Self {
            channels,
            picture,
            part: picture / parts.unwrap_or(1),
        }
    }

    /// The factors of the picture that a value belongs to.
    fn factors<'a>(&self, factors: &'a [f32], first: usize) -> &'a [f32] {
        &factors[first / self.picture * self.channels..][..self.channels]
    }
}

vectorised! {
    fn times(x: &[f32], factors: &[f32], out: &mut [f32]) {
        let c = factors.len();
        for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                out[i] = x[i] * factors[i];
            }
        }
    }
}

vectorised! {
    fn times_backward(rows: [&[f32]; 2], factors: &[f32], out: &mut [f32], sums: &mut [f32]) {
        let [x, grad] = rows;
        let c = factors.len();
        let sums = &mut sums[..c];
        let rows = x.chunks_exact(c).zip(grad.chunks_exact(c));
        for (out, (x, grad)) in out.chunks_exact_mut(c).zip(rows) {
            for i in 0..c {
                out[i] = grad[i] * factors[i];
                sums[i] += grad[i] * x[i];
            }
        }
    }
}
