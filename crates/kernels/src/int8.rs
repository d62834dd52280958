//! Products in eight bits: activations are rounded row by row when they are used, weights once.
//!
//! A row's codes are unsigned, `x ≈ scale · (code − zero)`; a weight's output channel has one scale and codes −127 … 127.
//! A product's exact sum of codes thus stands for `scales · (sum − zero · Σ weight codes)`. Values that stand out of
//! their row would leave the others few codes, so some may be left out of it and multiplied in f32
//! (Dettmers et al., arXiv 2208.07339, do so with whole columns).

use std::ops::Range;

use rayon::prelude::*;

use crate::element::Float;
use crate::isa::Isa;
use crate::product::{Left, Right, Rows};
use crate::row::{Scale, encode, range};
use crate::rows::keep_rows;
use crate::tile::{ROWS, Sums, UNIT, UNITS};
use crate::vectorised::vectorised;

/// How often a value has a row's mean absolute value to stand out of it.
const STANDS_OUT: f32 = 12.0;

/// Most values of a row that may stand out; where more would, the largest do.
const MOST: usize = 6;

/// Rows that one task rounds.
const TASK: usize = 16;

/// Most inputs of a layer in eight bits: a sum must fit 32.
pub const INPUTS: usize = 1 << 15;

/// A value that its row's codes leave out.
#[derive(Clone, Copy, Debug)]
struct Outlier {
    row: usize,
    input: usize,
    value: f32,
}

/// Rows of codes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coded {
    values: Vec<u8>,
    /// Values of a row.
    inputs: usize,
    scales: Vec<Scale>,
    /// Row by row.
    outliers: Vec<Outlier>,
}

impl Coded {
    /// Rounds rows of `inputs` values.
    pub(crate) fn set<F: Float>(&mut self, isa: Isa, values: &[F], inputs: usize) {
        self.code_rows([values.len() / inputs, inputs], |row, codes, outliers, _| {
            let values = &values[row * inputs..(row + 1) * inputs];
            code_row(isa, row, values, codes, outliers)
        });
    }

    /// Becomes so many rows of `inputs` values, each of which `f` writes to where it is told.
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

    /// Calls `f` for every row, with its number, its codes, a place for what stands out, and a buffer.
    fn code_rows(
        &mut self,
        [rows, inputs]: [usize; 2],
        f: impl Fn(usize, &mut [u8], &mut Vec<Outlier>, &mut Vec<f32>) -> Scale + Sync,
    ) {
        self.inputs = inputs;
        let stride = self.stride();
        self.values.resize(rows * stride, 0);
        self.scales.resize(rows, Scale::default());
        let tasks = (self.values.par_chunks_mut(TASK * stride))
            .zip(self.scales.par_chunks_mut(TASK))
            .enumerate();
        let outliers: Vec<Vec<Outlier>> = tasks
            .map(|(task, (codes, scales))| {
                let (mut outliers, mut buffer) = (Vec::new(), Vec::new());
                let rows = codes.chunks_exact_mut(stride).zip(scales);
                for (i, (codes, scale)) in rows.enumerate() {
                    let codes = &mut codes[..inputs];
                    *scale = f(task * TASK + i, codes, &mut outliers, &mut buffer);
                }
                outliers
            })
            .collect();
        self.outliers.clear();
        self.outliers.extend(outliers.into_iter().flatten());
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

/// Rounds a row to codes, but for those values that stand out.
fn code_row<F: Float>(
    isa: Isa,
    row: usize,
    values: &[F],
    codes: &mut [u8],
    outliers: &mut Vec<Outlier>,
) -> Scale {
    let mut found = range(isa, values);
    let bound = STANDS_OUT * found.mean;
    if found.lowest >= -bound && found.highest <= bound {
        let scale = found.scale();
        encode(isa, scale, values, codes);
        return scale;
    }
    let size = |&i: &usize| values[i].value().abs();
    let mut out: Vec<usize> = (0..values.len()).filter(|i| size(i) > bound).collect();
    out.sort_by(|a, b| size(b).total_cmp(&size(a)));
    out.truncate(MOST);
    out.sort_unstable();
    let mut rest = values.to_vec();
    for input in out {
        let value = std::mem::take(&mut rest[input]).value();
        outliers.push(Outlier { row, input, value });
    }
    found = range(isa, &rest);
    let scale = found.scale();
    encode(isa, scale, &rest, codes);
    scale
}

/// A weight in codes, packed as a right factor.
pub(crate) struct Weights {
    right: Right<u8>,
    /// By output channel.
    scales: Vec<f32>,
    /// `scale · Σ codes`.
    sums: Vec<f32>,
}

impl Weights {
    /// Rounds and packs a weight whose outputs' rows of `inputs` values are `row(o)`.
    pub(crate) fn new<'a>(
        [inputs, outputs]: [usize; 2],
        row: impl Fn(usize) -> &'a [f32],
    ) -> Self {
        let mut codes = vec![0i8; inputs * outputs];
        let (mut scales, mut sums) = (vec![0f32; outputs], vec![0f32; outputs]);
        for (o, codes) in codes.chunks_exact_mut(inputs).enumerate() {
            let row = row(o);
            let highest = row.iter().fold(0f32, |a, w| a.max(w.abs()));
            // A weight that is not finite stays so.
            let is_finite = row.iter().all(|w| w.is_finite());
            let scale = if highest > 0.0 { highest / 127.0 } else { 1.0 };
            for (code, w) in codes.iter_mut().zip(row) {
                *code = (w / scale).round_ties_even() as i8;
            }
            scales[o] = if is_finite { scale } else { f32::NAN };
            sums[o] = scales[o] * codes.iter().map(|&c| i32::from(c)).sum::<i32>() as f32;
        }
        let mut right = Right::default();
        right.repack_transposed([inputs, outputs], |o| &codes[o * inputs..(o + 1) * inputs]);
        Self {
            right,
            scales,
            sums,
        }
    }

    pub(crate) fn right(&self) -> &Right<u8> {
        &self.right
    }
}

/// What the sums of a product of codes stand for.
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

    /// Of rows with these scales and without outliers.
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

    /// Adds the products of what stands out of some rows to their sums, of the block of columns `(first, units)`.
    pub(crate) fn add_outliers(
        &self,
        isa: Isa,
        sums: &mut Sums,
        rows: Range<usize>,
        block: (usize, usize),
    ) {
        if self.outliers.is_empty() {
            return;
        }
        let from = self.outliers.partition_point(|o| o.row < rows.start);
        let to = self.outliers.partition_point(|o| o.row < rows.end);
        let mut some = [None; ROWS * MOST];
        let some = &mut some[..to - from];
        for (some, outlier) in some.iter_mut().zip(&self.outliers[from..to]) {
            *some = Some(*outlier);
        }
        some.sort_unstable_by_key(|o| o.map(|o| o.input));
        let mut weight = [0f32; UNITS * UNIT];
        let mut before = None;
        for outlier in some.iter().flatten() {
            if before != Some(outlier.input) {
                let codes = self.weights.right.step(block, outlier.input / 4);
                let codes = codes.iter().skip(outlier.input % 4).step_by(4);
                weight.iter_mut().zip(codes).for_each(|(w, c)| *w = f32::from(*c));
                before = Some(outlier.input);
            }
            let factor = outlier.value / self.scales[outlier.row].scale;
            add_row(isa, factor, &weight, sums.row_mut(outlier.row - rows.start, block.1));
        }
    }
}

vectorised! {
    fn add_row(factor: f32, weight: &[f32; UNITS * UNIT], sums: &mut [[f32; UNIT]]) {
        for (sums, weight) in sums.iter_mut().zip(weight.as_chunks::<UNIT>().0) {
            for i in 0..UNIT {
                sums[i] += factor * weight[i];
            }
        }
    }
}
