//! Batch norm over rows by their own statistics, then ReLU; forward and backward.
//!
//! Source: Ioffe & Szegedy, arXiv 1502.03167, with PyTorch's conventions: ε inside the root, the
//! biased variance.
//!
//! `R` rows, `C` channels. Rows are taken several at a time where that fills whole registers, as a
//! matrix of fewer, longer rows whose parameters repeat.

mod group;

pub use group::GroupNorm;

use rayon::prelude::*;

use crate::buffer::fill;
use crate::isa::Isa;
use crate::vectorised::vectorised;

/// Options of batch norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether ReLU follows.
    pub relu: bool,
}

/// The gradients of batch norm.
#[derive(Clone, Debug)]
pub struct NormGradients {
    /// Gradient of the input, `[R, C]`.
    pub x: Vec<f32>,
    /// Gradient of the gain, `[C]`.
    pub weight: Vec<f32>,
    /// Gradient of the bias, `[C]`.
    pub bias: Vec<f32>,
}

/// Normalises every column of `x` `[R, C]`: the output, the columns' means and biased variances.
///
/// # Panics
/// If `x` is not whole rows of `weight`'s length, or `bias` has another.
pub fn batch_norm(
    norm: Norm,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    batch_norm_with(Isa::current(), norm, x, [weight, bias])
}

/// The gradients of [`batch_norm`], given its inputs, its results and the output's gradient.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn batch_norm_backward(
    norm: Norm,
    [x, output, grad]: [&[f32]; 3],
    [weight, mean, variance]: [&[f32]; 3],
) -> NormGradients {
    batch_norm_backward_with(
        Isa::current(),
        norm,
        [x, output, grad],
        [weight, mean, variance],
    )
}

pub(crate) fn batch_norm_with(
    isa: Isa,
    norm: Norm,
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let c = weight.len();
    assert!(
        c > 0 && x.len().is_multiple_of(c) && bias.len() == c,
        "lengths"
    );
    let wide = Wide::new(c, x.len() / c);
    let rows = (x.len() / c) as f32;

    let sums = wide.sums(x, |x, sums| add(isa, x, sums));
    let mean: Vec<f32> = sums.iter().map(|s| s / rows).collect();
    // About the mean, in a second pass: the difference of two sums would cancel.
    let means = wide.repeat(&mean);
    let sums = wide.sums(x, |x, sums| add_squares(isa, x, &means, sums));
    let variance: Vec<f32> = sums.iter().map(|s| s / rows).collect();

    // y = x · scale + shift
    let scale: Vec<f32> = std::iter::zip(weight, &variance)
        .map(|(w, v)| w / (v + norm.epsilon).sqrt())
        .collect();
    let shift: Vec<f32> = (0..c).map(|i| bias[i] - mean[i] * scale[i]).collect();
    let (scale, shift) = (wide.repeat(&scale), wide.repeat(&shift));
    let floor = norm.floor();
    let y = fill(x.len(), wide.task, |first, y| {
        affine(isa, &x[first..first + y.len()], &scale, &shift, floor, y);
    });
    (y, mean, variance)
}

pub(crate) fn batch_norm_backward_with(
    isa: Isa,
    norm: Norm,
    [x, output, grad]: [&[f32]; 3],
    [weight, mean, variance]: [&[f32]; 3],
) -> NormGradients {
    let c = weight.len();
    assert!(c > 0 && mean.len() == c && variance.len() == c, "lengths");
    assert!(x.len().is_multiple_of(c) && output.len() == x.len() && grad.len() == x.len());
    let wide = Wide::new(c, x.len() / c);
    let inverse: Vec<f32> = variance
        .iter()
        .map(|v| 1.0 / (v + norm.epsilon).sqrt())
        .collect();
    let floor = norm.floor();

    // dβ = Σ g and Σ g (x − mean), over rows; g is the gradient that passes the ReLU.
    let means = wide.repeat(mean);
    let parts: Vec<_> = x
        .par_chunks(wide.task)
        .zip(output.par_chunks(wide.task))
        .zip(grad.par_chunks(wide.task))
        .map(|((x, y), g)| {
            let mut beta = vec![0f32; wide.width];
            let mut gamma = vec![0f32; wide.width];
            add_gradients(isa, [x, y, g], &means, floor, [&mut beta, &mut gamma]);
            (beta, gamma)
        })
        .collect();
    let bias = wide.total(parts.iter().map(|part| &part.0));
    let products = wide.total(parts.iter().map(|part| &part.1));
    // dγ = Σ g x̂
    let gamma: Vec<f32> = std::iter::zip(&products, &inverse)
        .map(|(p, i)| p * i)
        .collect();

    // dx = γ / σ · (g − dβ / R − x̂ dγ / R) = g · gain + (x − mean) · slope + offset
    let r = c as f32 / x.len() as f32;
    let gain: Vec<f32> = std::iter::zip(weight, &inverse)
        .map(|(w, i)| w * i)
        .collect();
    let slope: Vec<f32> = (0..c)
        .map(|i| -gain[i] * r * gamma[i] * inverse[i])
        .collect();
    let offset: Vec<f32> = (0..c).map(|i| -gain[i] * r * bias[i]).collect();
    let [gain, slope, offset] = [&gain, &slope, &offset].map(|v| wide.repeat(v));
    let grad_x = fill(x.len(), wide.task, |first, d| {
        let rows = [x, output, grad].map(|v| &v[first..first + d.len()]);
        let terms = [&gain, &slope, &offset, &means].map(Vec::as_slice);
        input_gradients(isa, rows, terms, floor, d);
    });
    NormGradients {
        x: grad_x,
        weight: gamma,
        bias,
    }
}

/// The sum of every column of `x` `[R, C]`.
///
/// # Panics
/// If `x` is not whole rows.
pub fn column_sums(x: &[f32], channels: usize) -> Vec<f32> {
    assert!(channels > 0 && x.len().is_multiple_of(channels), "lengths");
    let wide = Wide::new(channels, x.len() / channels);
    wide.sums(x, |x, sums| add(Isa::current(), x, sums))
}

impl Norm {
    /// The least output.
    fn floor(self) -> f32 {
        if self.relu { 0.0 } else { f32::NEG_INFINITY }
    }
}

/// Rows of `C` taken several at a time.
struct Wide {
    channels: usize,
    /// Values of the longer rows, a multiple of `channels`.
    width: usize,
    /// Values that one task takes: enough to be worth a task, few enough to sum accurately.
    task: usize,
}

/// Values that a row should have, so that whole registers pass through the loops.
const WIDTH: usize = 128;

impl Wide {
    fn new(channels: usize, rows: usize) -> Self {
        let mut times = 1;
        while times * channels < WIDTH && rows.is_multiple_of(2 * times) {
            times *= 2;
        }
        let width = times * channels;
        Self {
            channels,
            width,
            task: (1usize << 15).div_ceil(width) * width,
        }
    }

    fn repeat(&self, values: &[f32]) -> Vec<f32> {
        values.repeat(self.width / self.channels)
    }

    /// The sums of columns; `add` adds wide rows to wide sums.
    fn sums(&self, x: &[f32], add: impl Fn(&[f32], &mut [f32]) + Sync) -> Vec<f32> {
        let parts: Vec<Vec<f32>> = x
            .par_chunks(self.task)
            .map(|x| {
                let mut sums = vec![0f32; self.width];
                add(x, &mut sums);
                sums
            })
            .collect();
        self.total(parts.iter())
    }

    /// Adds wide sums up, in order, so that the result does not depend on threads.
    fn total<'a>(&self, parts: impl Iterator<Item = &'a Vec<f32>>) -> Vec<f32> {
        let mut total = vec![0f64; self.channels];
        for part in parts {
            for (i, value) in part.iter().enumerate() {
                total[i % self.channels] += f64::from(*value);
            }
        }
        total.into_iter().map(|t| t as f32).collect()
    }
}

vectorised! {
    fn add(x: &[f32], sums: &mut [f32]) {
        let width = sums.len();
        for row in x.chunks_exact(width) {
            for i in 0..width {
                sums[i] += row[i];
            }
        }
    }
}

vectorised! {
    fn add_squares(x: &[f32], mean: &[f32], sums: &mut [f32]) {
        let width = sums.len();
        let mean = &mean[..width];
        for row in x.chunks_exact(width) {
            for i in 0..width {
                let d = row[i] - mean[i];
                sums[i] += d * d;
            }
        }
    }
}

vectorised! {
    fn affine(x: &[f32], scale: &[f32], shift: &[f32], floor: f32, y: &mut [f32]) {
        let width = scale.len();
        let shift = &shift[..width];
        for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            for i in 0..width {
                // `f32::max` would hide a NaN, and with it a run that diverges.
                let value = x[i] * scale[i] + shift[i];
                y[i] = if value < floor { floor } else { value };
            }
        }
    }
}

/// The gradient that passes the ReLU: where the output is not above its floor, none does.
#[inline(always)]
fn passed(y: f32, g: f32, floor: f32) -> f32 {
    if y <= floor { 0.0 } else { g }
}

vectorised! {
    fn add_gradients(
        rows: [&[f32]; 3],
        mean: &[f32],
        floor: f32,
        sums: [&mut [f32]; 2],
    ) {
        let ([x, y, g], [beta, gamma]) = (rows, sums);
        let width = mean.len();
        let (beta, gamma) = (&mut beta[..width], &mut gamma[..width]);
        let rows = x.chunks_exact(width).zip(y.chunks_exact(width));
        for ((x, y), g) in rows.zip(g.chunks_exact(width)) {
            for i in 0..width {
                let g = passed(y[i], g[i], floor);
                beta[i] += g;
                gamma[i] += g * (x[i] - mean[i]);
            }
        }
    }
}

vectorised! {
    fn input_gradients(
        rows: [&[f32]; 3],
        terms: [&[f32]; 4],
        floor: f32,
        out: &mut [f32],
    ) {
        let ([x, y, g], [gain, slope, offset, mean]) = (rows, terms);
        let width = gain.len();
        let (slope, offset, mean) = (&slope[..width], &offset[..width], &mean[..width]);
        let rows = x.chunks_exact(width).zip(y.chunks_exact(width));
        let rows = rows.zip(g.chunks_exact(width));
        for (d, ((x, y), g)) in out.chunks_exact_mut(width).zip(rows) {
            for i in 0..width {
                let g = passed(y[i], g[i], floor);
                d[i] = g * gain[i] + (x[i] - mean[i]) * slope[i] + offset[i];
            }
        }
    }
}
