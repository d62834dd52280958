//! Up- and downsampling of channels-last maps by a separable filter, forward and backward.
//!
//! Source: `upfirdn2d` of StyleGAN2 (Karras et al., arXiv 1912.04958). That one stuffs zeros
//! between values and convolves with all of them; here each output is the sum of the values that
//! are there.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `T` taps.

use std::sync::Arc;

use crate::buffer::fill;
use crate::convolution::Extent;
use crate::isa::Isa;
use crate::taps::{Filter, Taps, Term};
use crate::vectorised::vectorised;

/// A filter along rows and columns alike.
///
/// An output is the convolution (the filter turned) of the map with `up` − 1 zeros after each value
/// and `padding` around it; of those outputs every `down`-th is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Fir {
    /// The filter `T` of one dimension.
    pub taps: Arc<[f32]>,
    /// Upsampling: positions that each value becomes, along each side.
    pub up: usize,
    /// Downsampling: the first of so many positions is kept, along each side.
    pub down: usize,
    /// Zeros before the first and after the last value, along each side; negative numbers cut off
    /// as many.
    pub padding: [isize; 2],
}

/// Values that one task takes at least.
const TASK: usize = 1 << 13;

impl Fir {
    /// The sides of the output for a map with these sides.
    ///
    /// # Panics
    /// If `up`, `down` or the number of taps is 0, or the map smaller than the filter.
    pub fn output(&self, map: Extent) -> Extent {
        Extent {
            height: self.length(map.height),
            width: self.length(map.width),
        }
    }

    /// Filters `x` `[N, H, W, C]`, `map` being `H` × `W`.
    ///
    /// # Panics
    /// As [`Fir::output`]; if `x` is not whole pictures.
    pub fn forward(&self, map: Extent, channels: usize, x: &[f32]) -> Vec<f32> {
        let made = self.output(map);
        let sums = Sums {
            rows: self.sums(map.height, made.height),
            columns: self.sums(map.width, made.width),
            given: map,
            channels,
        };
        sums.apply(&self.taps, x)
    }

    /// The gradient of `x`, given that of the output; `map` is `x`'s `H` × `W`.
    ///
    /// # Panics
    /// As [`Fir::output`]; if `grad` is not whole pictures.
    pub fn backward(&self, map: Extent, channels: usize, grad: &[f32]) -> Vec<f32> {
        let made = self.output(map);
        let sums = Sums {
            rows: self.sums(map.height, made.height).adjoint(map.height),
            columns: self.sums(map.width, made.width).adjoint(map.width),
            given: made,
            channels,
        };
        sums.apply(&self.taps, grad)
    }

    fn length(&self, side: usize) -> usize {
        let taps = self.taps.len();
        assert!(
            taps > 0 && self.up > 0 && self.down > 0,
            "not a filter: {self:?}"
        );
        let padding = self.padding[0] + self.padding[1];
        let padded = (side * self.up).checked_add_signed(padding).unwrap_or(0);
        assert!(side > 0 && padded >= taps, "a side of {side} for {self:?}");
        (padded - taps) / self.down + 1
    }

    /// The sums along one dimension; a convolution meets the last tap first.
    fn sums(&self, inputs: usize, outputs: usize) -> Taps {
        let kernel = Filter {
            inputs,
            taps: self.taps.len(),
            up: self.up,
            down: self.down,
            before: self.padding[0],
        };
        Taps::of_filter(&kernel, outputs)
    }
}

/// The sums of a filter, or of its gradient.
struct Sums {
    rows: Taps,
    columns: Taps,
    given: Extent,
    channels: usize,
}

impl Sums {
    fn apply(&self, taps: &[f32], x: &[f32]) -> Vec<f32> {
        let line = self.given.width * self.channels;
        let picture = self.given.height * line;
        assert!(
            picture > 0 && x.len().is_multiple_of(picture),
            "the map's length"
        );
        let (height, made) = (self.rows.outputs(), self.columns.outputs() * self.channels);
        let turned: Vec<f32> = taps.iter().rev().copied().collect();
        let rows = (TASK / made).max(1);
        fill(
            x.len() / picture * height * made,
            rows * made,
            |first, out| {
                let mut sum = vec![0f32; line];
                for (row, out) in (first / made..).zip(out.chunks_exact_mut(made)) {
                    let x = &x[row / height * picture..][..picture];
                    sum.fill(0.0);
                    add_rows(
                        Isa::current(),
                        self.rows.of(row % height),
                        &turned,
                        x,
                        &mut sum,
                    );
                    add_positions(Isa::current(), self, &turned, &sum, out);
                }
            },
        )
    }
}

vectorised! {
    fn add_rows(terms: &[Term], taps: &[f32], x: &[f32], out: &mut [f32]) {
        let line = out.len();
        for term in terms {
            let (tap, x) = (taps[term.tap], &x[term.input * line..][..line]);
            for i in 0..line {
                out[i] += tap * x[i];
            }
        }
    }
}

vectorised! {
    fn add_positions(sums: &Sums, taps: &[f32], x: &[f32], out: &mut [f32]) {
        let c = sums.channels;
        for (position, out) in out.chunks_exact_mut(c).enumerate() {
            for term in sums.columns.of(position) {
                let (tap, x) = (taps[term.tap], &x[term.input * c..][..c]);
                for i in 0..c {
                    out[i] += tap * x[i];
                }
            }
        }
    }
}
