//! Matrix products in eight bits. Weights are quantised once, activations each time they are used.
//!
//! A row of activations has unsigned codes, `x ≈ scale · (code − zero)`; an output channel of a
//! weight has codes −127 … 127, `w ≈ scale · code`. The integers are multiplied and summed exactly:
//!
//! ```text
//! Σ x w ≈ scale_x · scale_w · (Σ code_x code_w − zero · Σ code_w)
//! ```
//!
//! For example x = (0.5, −0.25) with scale 0.0625 and zero 4: codes (12, 0). With w = (2, 1), scale
//! 1: 0.0625 · (12 · 2 + 0 · 1 − 4 · 3) = 0.75, which is 0.5 · 2 − 0.25 · 1.
//!
//! One large value in a row would stretch the scale and leave the others few codes. Such outliers
//! are taken out of the row and multiplied in f32 (as Dettmers et al., arXiv 2208.07339, do with
//! whole columns).

use std::ops::Range;

use rayon::prelude::*;

use crate::complete::ByColumn;
use crate::element::Float;
use crate::isa::Isa;
use crate::product::{Left, Right, Rows};
use crate::row::{self, Scale, encode, range};
use crate::rows::keep_rows;
use crate::tile::{Sums, UNIT, UNITS};
use crate::vectorised::vectorised;

/// A value is an outlier if its magnitude is above this many times the mean magnitude of its row.
const OUTLIER_RATIO: f32 = 12.0;

/// Outliers of a row at the most; if more values qualify, the largest are taken.
const MOST_OUTLIERS: usize = 6;

/// Rows that one task quantises.
const TASK_ROWS: usize = 16;

/// Inputs of a layer at the most: 2¹⁵ products of 8 by 7 bits fit a sum of 32 bits with sign.
pub const INPUTS: usize = 1 << 15;

/// A value that is multiplied in f32 instead of by its code.
#[derive(Clone, Copy, Debug)]
struct Outlier {
    row: usize,
    input: usize,
    value: f32,
}

/// Rows of codes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coded {
    /// The first `scales.len()` rows are in use; what lies behind them is left from an earlier,
    /// longer input.
    values: Vec<u8>,
    /// Values of a row.
    inputs: usize,
    scales: Vec<Scale>,
    /// Row by row.
    outliers: Vec<Outlier>,
}

impl Coded {
    /// Quantises rows of `inputs` values.
    pub(crate) fn set<F: Float>(&mut self, isa: Isa, values: &[F], inputs: usize) {
        self.code_rows(
            [values.len() / inputs, inputs],
            |row, codes, outliers, _| {
                let values = &values[row * inputs..(row + 1) * inputs];
                code_row(isa, row, values, codes, outliers)
            },
        );
    }

    /// Quantises rows of `inputs` values that `f(row, out)` writes.
    pub(crate) fn fill(
        &mut self,
        isa: Isa,
        [rows, inputs]: [usize; 2],
        f: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        self.code_rows([rows, inputs], |row, codes, outliers, values| {
            values.resize(inputs, 0.0);
            f(row, values);
            code_row(isa, row, values, codes, outliers)
        });
    }

    /// Calls `f(row, codes, outliers, buffer)` for every row.
    fn code_rows(
        &mut self,
        [rows, inputs]: [usize; 2],
        f: impl Fn(usize, &mut [u8], &mut Vec<Outlier>, &mut Vec<f32>) -> Scale + Sync,
    ) {
        self.inputs = inputs;
        let stride = self.stride();
        // Never shortened, since growing again would fill it with zeros.
        if self.values.len() < rows * stride {
            self.values.resize(rows * stride, 0);
        }
        self.scales.resize(rows, Scale::default());
        let values = &mut self.values[..rows * stride];
        let tasks = (values.par_chunks_mut(TASK_ROWS * stride))
            .zip(self.scales.par_chunks_mut(TASK_ROWS))
            .enumerate();
        let outliers: Vec<Vec<Outlier>> = tasks
            .map(|(task, (codes, scales))| {
                let (mut outliers, mut buffer) = (Vec::new(), Vec::new());
                let rows = codes.chunks_exact_mut(stride).zip(scales);
                for (i, (codes, scale)) in rows.enumerate() {
                    let codes = &mut codes[..inputs];
                    *scale = f(task * TASK_ROWS + i, codes, &mut outliers, &mut buffer);
                }
                outliers
            })
            .collect();
        self.outliers.clear();
        self.outliers.extend(outliers.into_iter().flatten());
    }

    /// Values of a row.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.scales.len() * self.inputs
    }

    /// Keeps some rows, which rise, and forgets the others.
    pub(crate) fn keep(&mut self, rows: &[usize]) {
        let stride = self.stride();
        keep_rows(&mut self.values, stride, rows);
        keep_rows(&mut self.scales, 1, rows);
        self.outliers.retain_mut(|outlier| {
            let kept = rows.binary_search(&outlier.row);
            outlier.row = kept.unwrap_or_default();
            kept.is_ok()
        });
    }

    /// Values from a row to the next: whole steps.
    fn stride(&self) -> usize {
        self.inputs.next_multiple_of(4)
    }

    /// The left factor of a product.
    pub(crate) fn left(&self) -> Left<'_, u8> {
        let (stride, count) = (self.stride(), self.scales.len());
        Left::rows(&self.values, Rows::Every { stride, count }, stride)
    }
}

/// Quantises a row, without its outliers, whose codes stand for 0.
fn code_row<F: Float>(
    isa: Isa,
    place: usize,
    values: &[F],
    codes: &mut [u8],
    outliers: &mut Vec<Outlier>,
) -> Scale {
    let found = range(isa, values, f32::INFINITY);
    let mut bound = OUTLIER_RATIO * found.mean;
    if found.lowest >= -bound && found.highest <= bound {
        let scale = found.scale();
        encode(isa, scale, values, codes);
        return scale;
    }
    let mut beyond = Vec::new();
    row::beyond(isa, values, bound, &mut beyond);
    if beyond.len() > MOST_OUTLIERS {
        let mut sizes: Vec<f32> = beyond.iter().map(|&i| values[i].value().abs()).collect();
        sizes.sort_unstable_by(|a, b| b.total_cmp(a));
        bound = sizes[MOST_OUTLIERS];
        beyond.retain(|&i| values[i].value().abs() > bound);
    }
    let scale = range(isa, values, bound).scale();
    encode(isa, scale, values, codes);
    for input in beyond {
        codes[input] = scale.zero as u8;
        outliers.push(Outlier {
            row: place,
            input,
            value: values[input].value(),
        });
    }
    scale
}

/// A weight in codes, packed as a right factor.
pub(crate) struct Weights {
    right: Right<u8>,
    /// The scale of each output channel.
    scales: Vec<f32>,
    /// `scale · Σ codes` of each output channel.
    sums: Vec<f32>,
    /// The rounding error of each weight, in sixteenths of a code: four bits each, two outputs a
    /// byte, input by input. Outliers are multiplied with it, too: they are large, and mostly
    /// at the same inputs in every row, so their rounding errors would add up in one
    /// direction.
    rests: Vec<u8>,
}

impl Weights {
    /// Rounds and packs a weight whose outputs' rows of `inputs` values are `row(o)`.
    pub(crate) fn new<'a>([inputs, outputs]: [usize; 2], row: impl Fn(usize) -> &'a [f32]) -> Self {
        let isa = Isa::current();
        let mut codes = vec![0i8; inputs * outputs];
        let (mut scales, mut sums) = (vec![0f32; outputs], vec![0f32; outputs]);
        let stride = outputs.div_ceil(2);
        let mut rests = vec![0u8; inputs * stride];
        let mut rest = vec![0u8; inputs];
        for (o, codes) in codes.chunks_exact_mut(inputs).enumerate() {
            let row = row(o);
            let found = range(isa, row, f32::INFINITY);
            let highest = found.highest.max(-found.lowest);
            let scale = if highest > 0.0 { highest / 127.0 } else { 1.0 };
            encode_weights(isa, 1.0 / scale, row, codes, &mut rest);
            // The scale is NaN if the weights are not all finite, or so large that their sum is
            // not.
            scales[o] = if found.mean.is_finite() {
                scale
            } else {
                f32::NAN
            };
            sums[o] = scales[o] * codes.iter().map(|&c| i32::from(c)).sum::<i32>() as f32;
            let rests = rests[o / 2..].iter_mut().step_by(stride);
            rests
                .zip(&rest)
                .for_each(|(out, rest)| *out |= rest << (o % 2 * 4));
        }
        let mut right = Right::default();
        right.repack_transposed([inputs, outputs], |o| &codes[o * inputs..(o + 1) * inputs]);
        Self {
            right,
            scales,
            sums,
            rests,
        }
    }

    pub(crate) fn right(&self) -> &Right<u8> {
        &self.right
    }

    /// An input's weights for the block of columns `(first, units)`, in units of their scales.
    fn of_input(&self, isa: Isa, input: usize, (first, units): (usize, usize)) -> ByColumn {
        let mut weights = [0f32; UNITS * UNIT];
        let (codes, outputs) = (
            self.right.step((first, units), input / 4),
            self.scales.len(),
        );
        let rests = &self.rests[input * outputs.div_ceil(2)..][..outputs.div_ceil(2)];
        // A block begins at a whole unit, so at a whole byte.
        decode(isa, input % 4, codes, &rests[first / 2..], &mut weights);
        weights
    }
}

vectorised! {
    /// Rounds weights to codes, and their rounding errors to sixteenths, −8 … 7, of four bits: 5.3
    /// becomes code 5 and 5 sixteenths.
    fn encode_weights(inverse: f32, row: &[f32], codes: &mut [i8], rests: &mut [u8]) {
        // 1.5 · 2²³ leaves the nearest integer in the low bits.
        const ROUND: f32 = 12_582_912.0;
        for ((code, rest), w) in codes.iter_mut().zip(rests).zip(row) {
            let x = w * inverse;
            let rounded = x + ROUND;
            *code = rounded.to_bits() as i8;
            let sixteenths = (x - (rounded - ROUND)) * 16.0;
            let sixteenths = if sixteenths < 7.0 { sixteenths } else { 7.0 };
            *rest = (sixteenths + ROUND).to_bits() as u8 & 15;
        }
    }
}

vectorised! {
    /// Decodes one input's weights, in units of their scales: `byte` chooses among each column's
    /// four codes, and `rests` has the sixteenths that are added.
    fn decode(byte: usize, codes: &[i8], rests: &[u8], weights: &mut ByColumn) {
        let (fours, _) = codes.as_chunks::<4>();
        let up = 24 - 8 * byte as u32;
        for (weight, four) in weights.iter_mut().zip(fours) {
            let four = i32::from_le_bytes(four.map(|code| code as u8));
            *weight = (four << up >> 24) as f32;
        }
        for (pair, rest) in weights.as_chunks_mut::<2>().0.iter_mut().zip(rests) {
            let rest = i32::from(*rest);
            pair[0] += (rest << 28 >> 28) as f32 / 16.0;
            pair[1] += (rest << 24 >> 28) as f32 / 16.0;
        }
    }
}

/// The scales and outliers that turn sums of products of codes into numbers.
#[derive(Clone, Copy)]
pub(crate) struct Codes<'a> {
    scales: &'a [Scale],
    outliers: &'a [Outlier],
    weights: &'a Weights,
}

impl<'a> Codes<'a> {
    pub(crate) fn new(left: &'a Coded, weights: &'a Weights) -> Self {
        Self {
            scales: &left.scales,
            outliers: &left.outliers,
            weights,
        }
    }

    /// Those of rows with these scales and without outliers.
    pub(crate) fn of_rows(scales: &'a [Scale], weights: &'a Weights) -> Self {
        Self {
            scales,
            outliers: &[],
            weights,
        }
    }

    /// Checks that they are those of a product with so many rows and columns.
    pub(crate) fn check(&self, [rows, columns]: [usize; 2]) {
        assert!(
            self.scales.len() == rows && self.weights.right.columns() == columns,
            "codes' shape"
        );
    }

    /// The scales of some rows.
    pub(crate) fn of(&self, rows: Range<usize>) -> &'a [Scale] {
        &self.scales[rows]
    }

    /// Each column's scale, and its scaled sum of weights.
    pub(crate) fn columns(&self) -> [&'a [f32]; 2] {
        [&self.weights.scales, &self.weights.sums]
    }

    /// The outliers of some rows.
    fn outliers(&self, rows: Range<usize>) -> &'a [Outlier] {
        let from = self.outliers.partition_point(|o| o.row < rows.start);
        let to = self.outliers.partition_point(|o| o.row < rows.end);
        &self.outliers[from..to]
    }

    /// The inputs at which some rows have outliers, rising.
    pub(crate) fn inputs(&self, rows: Range<usize>) -> Vec<usize> {
        let mut inputs: Vec<usize> = self.outliers(rows).iter().map(|o| o.input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// The weights of some inputs for the block of columns `(first, units)`.
    pub(crate) fn weights<'i>(
        &self,
        isa: Isa,
        inputs: &'i [usize],
        block: (usize, usize),
    ) -> Standing<'i> {
        let weights = inputs
            .iter()
            .map(|&input| self.weights.of_input(isa, input, block));
        Standing {
            inputs,
            weights: weights.collect(),
        }
    }

    /// Adds the products of some rows' outliers to the sums of these rows.
    pub(crate) fn add_outliers(
        &self,
        isa: Isa,
        sums: &mut Sums,
        rows: Range<usize>,
        standing: &Standing,
    ) {
        if standing.inputs.is_empty() {
            return;
        }
        for outlier in self.outliers(rows.clone()) {
            let i = standing.inputs.binary_search(&outlier.input);
            let i = i.expect("`inputs` has those of all rows");
            let factor = outlier.value / self.scales[outlier.row].scale;
            let row = sums.row_mut(outlier.row - rows.start, UNITS);
            add_row(isa, factor, &standing.weights[i], row);
        }
    }
}

/// The weights of inputs that have outliers, for a block of columns.
pub(crate) struct Standing<'a> {
    inputs: &'a [usize],
    weights: Vec<ByColumn>,
}

vectorised! {
    fn add_row(factor: f32, weights: &ByColumn, sums: &mut [[f32; UNIT]]) {
        for (sums, weights) in sums.iter_mut().zip(weights.as_chunks::<UNIT>().0) {
            for i in 0..UNIT {
                sums[i] += factor * weights[i];
            }
        }
    }
}
