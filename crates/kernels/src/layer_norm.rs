//! Layer norm of rows, forward and backward.
//!
//! Source: Ba, Kiros & Hinton, arXiv 1607.06450, with PyTorch's conventions: ε inside the root, the
//! biased variance. The backward takes the statistics anew, which costs less than keeping them.
//!
//! `R` rows, `W` width.

use crate::buffer::{fill, fill_and};
use crate::isa::Isa;
use crate::row::normalise;
use crate::rows::{Input, Normed};
use crate::vectorised::vectorised;

/// Rows that one task takes.
const ROWS: usize = 128;

/// Rows that one task of inference takes, where there may be few.
const ROWS_INTO: usize = 16;

/// Normalises every row of `x` `[R, W]`, then scales and shifts it.
///
/// # Panics
/// If `x` is not whole rows of `weight`'s length, or `bias` has another.
pub fn layer_norm(epsilon: f32, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    layer_norm_with(Isa::current(), epsilon, x, [weight, bias])
}

/// [`layer_norm`] for the layers after it, into `out`, which takes its size.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn layer_norm_into(epsilon: f32, x: &[f32], weight: &[f32], bias: &[f32], out: &mut Normed) {
    let w = weight.len();
    assert!(
        w > 0 && x.len().is_multiple_of(w) && bias.len() == w,
        "lengths"
    );
    let isa = Isa::current();
    let normalise = |row: usize, out: &mut [f32]| {
        normalise(
            isa,
            epsilon,
            &x[row * w..(row + 1) * w],
            [weight, bias],
            out,
        );
    };
    match &mut out.0 {
        Input::Rows(rows) => {
            rows.resize(x.len());
            rows.write_parts(ROWS_INTO * w, |part, mut out| {
                let mut row = vec![0f32; w];
                for i in 0..out.len() / w {
                    normalise(part * ROWS_INTO + i, &mut row);
                    out.write(i * w, &row);
                }
            });
        }
        Input::Coded(coded) => coded.fill(isa, [x.len() / w, w], normalise),
    }
}

/// The gradients of `x`, `weight` and `bias`, given that of the output.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn layer_norm_backward(
    epsilon: f32,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    layer_norm_backward_with(Isa::current(), epsilon, [x, grad], weight)
}

/// The gradient of `x` alone, given that of the output: of a layer that is not trained.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn layer_norm_input_gradient(
    epsilon: f32,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    layer_norm_input_gradient_with(Isa::current(), epsilon, [x, grad], weight)
}

pub(crate) fn layer_norm_with(
    isa: Isa,
    epsilon: f32,
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
) -> Vec<f32> {
    let w = weight.len();
    assert!(
        w > 0 && x.len().is_multiple_of(w) && bias.len() == w,
        "lengths"
    );
    fill(x.len(), ROWS * w, |first, out| {
        forward(
            isa,
            epsilon,
            &x[first..first + out.len()],
            weight,
            bias,
            out,
        );
    })
}

pub(crate) fn layer_norm_backward_with(
    isa: Isa,
    epsilon: f32,
    [x, grad]: [&[f32]; 2],
    weight: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let w = weight.len();
    assert!(
        w > 0 && x.len().is_multiple_of(w) && grad.len() == x.len(),
        "lengths"
    );
    let (grad_x, sums) = fill_and(x.len(), ROWS * w, |first, out| {
        let rows = [x, grad].map(|v| &v[first..first + out.len()]);
        let mut sums = vec![0f32; 2 * w];
        backward(isa, epsilon, rows, weight, out, &mut sums);
        sums
    });
    let mut total = vec![0f64; 2 * w];
    for part in sums {
        std::iter::zip(&mut total, part).for_each(|(t, v)| *t += f64::from(v));
    }
    let total: Vec<f32> = total.into_iter().map(|t| t as f32).collect();
    (grad_x, total[..w].to_vec(), total[w..].to_vec())
}

pub(crate) fn layer_norm_input_gradient_with(
    isa: Isa,
    epsilon: f32,
    [x, grad]: [&[f32]; 2],
    weight: &[f32],
) -> Vec<f32> {
    let w = weight.len();
    assert!(
        w > 0 && x.len().is_multiple_of(w) && grad.len() == x.len(),
        "lengths"
    );
    fill(x.len(), ROWS * w, |first, out| {
        let rows = [x, grad].map(|v| &v[first..first + out.len()]);
        backward(isa, epsilon, rows, weight, out, &mut []);
    })
}

/// Lanes that sums are taken in: with a fixed order that vectorises.
const LANES: usize = 16;

/// The sum of `f` over the places of a row.
#[inline(always)]
fn sum(len: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = len / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane += f(first + i);
        }
    }
    let rest: f32 = (whole..len).map(&f).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Mean and 1 / √(variance + ε) of a row.
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.len(), |i| x[i]) / n;
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

vectorised! {
    pub(crate) fn forward(epsilon: f32, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let w = weight.len();
        let bias = &bias[..w];
        for (x, out) in x.chunks_exact(w).zip(out.chunks_exact_mut(w)) {
            let (mean, inverse) = moments(x, epsilon);
            for i in 0..w {
                out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
            }
        }
    }
}

vectorised! {
    /// dx = (γg − mean(γg) − x̂ mean(γg x̂)) / σ; dγ += g x̂, dβ += g, if `sums` has room for them.
    fn backward(
        epsilon: f32,
        rows: [&[f32]; 2],
        weight: &[f32],
        out: &mut [f32],
        sums: &mut [f32],
    ) {
        let [x, grad] = rows;
        let w = weight.len();
        let mut sums = sums.split_at_mut_checked(w);
        let rows = x.chunks_exact(w).zip(grad.chunks_exact(w));
        for ((x, g), out) in rows.zip(out.chunks_exact_mut(w)) {
            let (mean, inverse) = moments(x, epsilon);
            let of_g = sum(w, |i| weight[i] * g[i]) / w as f32;
            let of_product = sum(w, |i| weight[i] * g[i] * (x[i] - mean)) * inverse / w as f32;
            for i in 0..w {
                let normal = (x[i] - mean) * inverse;
                out[i] = (weight[i] * g[i] - of_g - normal * of_product) * inverse;
            }
            if let Some((gamma, beta)) = &mut sums {
                let (gamma, beta) = (&mut gamma[..w], &mut beta[..w]);
                for i in 0..w {
                    gamma[i] += g[i] * ((x[i] - mean) * inverse);
                    beta[i] += g[i];
                }
            }
        }
    }
}
