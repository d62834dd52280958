//! Convolutions of each channel by itself, forward and backward: loops over channels, since there
//! is nothing to multiply matrices for.
//!
//! Source: Chollet, Xception, arXiv 1610.02357; `groups` = channels of `nn.Conv2d`.

use rayon::prelude::*;

use super::{Convolution, Extent, PARTS};
use crate::buffer::fill;
use crate::isa::Isa;
use crate::matrix::transposed;
use crate::taps::Taps;
use crate::vectorised::vectorised;

/// Values that one task takes at least.
const TASK: usize = 1 << 13;

/// Channels whose sums stay in registers, and a remainder's.
const BLOCK: usize = 64;
const SMALL: usize = 16;

/// Each output is a sum over some rows and columns of the map.
struct Sums {
    rows: Taps,
    columns: Taps,
    given: Extent,
    channels: usize,
    /// Taps of a kernel row.
    across: usize,
}

/// Convolves `x` with `weight` `[C, 1, K, K]`, and adds `bias` `[C]`, or nothing if that is empty.
pub(super) fn forward(
    c: &Convolution,
    isa: Isa,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    Sums::forward(c).apply(isa, x, weight, bias)
}

/// The adjoint of [`forward`], and `bias` `[C]` added, or nothing if that is empty.
pub(super) fn adjoint(
    c: &Convolution,
    isa: Isa,
    y: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let forward = Sums::forward(c);
    let sums = Sums {
        rows: forward.rows.adjoint(c.height),
        columns: forward.columns.adjoint(c.width),
        given: c.output(),
        ..forward
    };
    sums.apply(isa, y, weight, bias)
}

/// The gradient of `weight`.
pub(super) fn weight_gradient(c: &Convolution, isa: Isa, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let sums = Sums::forward(c);
    let (channels, taps) = (c.inputs, c.kernel.positions());
    let (picture, line) = (
        c.given().positions() * channels,
        c.output().width * channels,
    );
    let height = c.output().height;
    let n = x.len() / picture;
    assert!(
        x.len() == n * picture && grad.len() == n * height * line,
        "lengths"
    );
    let mut pairs = vec![Vec::new(); c.kernel.width];
    for output in 0..sums.columns.outputs() {
        for term in sums.columns.of(output) {
            pairs[term.tap].push([output, term.input]);
        }
    }
    let rows = (n * height).div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = grad
        .par_chunks(rows * line)
        .enumerate()
        .map(|(part, grad)| {
            let mut total = vec![0f32; taps * channels]; // [K · K, C]
            for (row, grad) in (part * rows..).zip(grad.chunks_exact(line)) {
                let x = &x[row / height * picture..][..picture];
                add_row(isa, &sums, row % height, &pairs, [x, grad], &mut total);
            }
            total
        })
        .collect();
    let mut total = vec![0f64; taps * channels];
    for part in parts {
        std::iter::zip(&mut total, part).for_each(|(t, v)| *t += f64::from(v));
    }
    let total: Vec<f32> = total.into_iter().map(|t| t as f32).collect();
    transposed(&total, channels)
}

impl Sums {
    fn forward(c: &Convolution) -> Self {
        Self {
            rows: c.rows().taps(),
            columns: c.columns().taps(),
            given: c.given(),
            channels: c.inputs,
            across: c.kernel.width,
        }
    }

    fn apply(&self, isa: Isa, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let picture = self.given.positions() * self.channels;
        assert!(x.len().is_multiple_of(picture), "the map's length");
        let weight = transposed(weight, weight.len() / self.channels); // [K · K, C]
        let (height, line) = (self.rows.outputs(), self.columns.outputs() * self.channels);
        let rows = (TASK / line).max(1);
        fill(
            x.len() / picture * height * line,
            rows * line,
            |first, out| {
                for (row, out) in (first / line..).zip(out.chunks_exact_mut(line)) {
                    let x = &x[row / height * picture..][..picture];
                    make_row(isa, self, row % height, [x, &weight, bias], out);
                }
            },
        )
    }

    /// Computes the `N` channels from `first` on, at every output of a row.
    #[inline(always)]
    fn make<const N: usize>(&self, row: usize, first: usize, given: [&[f32]; 3], out: &mut [f32]) {
        let [x, weight, bias] = given;
        let c = self.channels;
        let start: [f32; N] = bias
            .get(first..)
            .and_then(|bias| bias.first_chunk())
            .copied()
            .unwrap_or([0.0; N]);
        for (position, out) in out.chunks_exact_mut(c).enumerate() {
            let mut sums = start;
            for down in self.rows.of(row) {
                for across in self.columns.of(position) {
                    let place = (down.input * self.given.width + across.input) * c + first;
                    let tap = (down.tap * self.across + across.tap) * c + first;
                    let (x, weight) = (&x[place..][..N], &weight[tap..][..N]);
                    for i in 0..N {
                        sums[i] += x[i] * weight[i];
                    }
                }
            }
            out[first..first + N].copy_from_slice(&sums);
        }
    }

    /// Adds a row's share of the weight's gradient, for the `N` channels from `first` on, at every
    /// tap. `pairs` lists for each column of the kernel the outputs of a row, each with the input
    /// that this column weighs for it.
    #[inline(always)]
    fn add<const N: usize>(
        &self,
        row: usize,
        first: usize,
        pairs: &[Vec<[usize; 2]>],
        given: [&[f32]; 2],
        out: &mut [f32],
    ) {
        let [x, grad] = given;
        let c = self.channels;
        for down in self.rows.of(row) {
            let x = &x[down.input * self.given.width * c..][..self.given.width * c];
            for (tap, pairs) in pairs.iter().enumerate() {
                let mut sums = [0f32; N];
                for [output, input] in pairs {
                    let (x, grad) = (
                        &x[input * c + first..][..N],
                        &grad[output * c + first..][..N],
                    );
                    for i in 0..N {
                        sums[i] += x[i] * grad[i];
                    }
                }
                let place = (down.tap * self.across + tap) * c + first;
                for (out, sum) in out[place..][..N].iter_mut().zip(sums) {
                    *out += sum;
                }
            }
        }
    }
}

/// Calls `$f` for blocks of channels that are as wide as they can be.
macro_rules! by_blocks {
    ($channels:expr, |$first:ident, $width:ident| $f:expr) => {{
        let channels = $channels;
        let mut $first = 0;
        while $first + BLOCK <= channels {
            const $width: usize = BLOCK;
            $f;
            $first += BLOCK;
        }
        while $first + SMALL <= channels {
            const $width: usize = SMALL;
            $f;
            $first += SMALL;
        }
        while $first < channels {
            const $width: usize = 1;
            $f;
            $first += 1;
        }
    }};
}

vectorised! {
    fn make_row(sums: &Sums, row: usize, given: [&[f32]; 3], out: &mut [f32]) {
        by_blocks!(sums.channels, |first, WIDTH| sums.make::<WIDTH>(row, first, given, out));
    }
}

vectorised! {
    fn add_row(
        sums: &Sums,
        row: usize,
        pairs: &[Vec<[usize; 2]>],
        given: [&[f32]; 2],
        out: &mut [f32],
    ) {
        by_blocks!(
            sums.channels,
            |first, WIDTH| sums.add::<WIDTH>(row, first, pairs, given, out)
        );
    }
}
