//! A product of two matrices, tile by tile, finished (bias, activation, …) while its values are in
//! the cache.
//!
//! The right factor is packed into panels: a panel has all steps (rows, or pairs or fours of rows
//! in shorter formats) of up to `UNITS · UNIT` columns, one after the other in memory. A tile of
//! the result is the sum over all steps of a few rows of the left factor with one panel. The left
//! factor is read where it lies.

mod right;

use std::ops::Range;

use crate::activation::Activation;
use crate::buffer::{Rectangle, fill_rectangles, for_each_rectangle};
use crate::complete::Completion;
use crate::element::{Element, Float};
use crate::int8::Codes;
use crate::isa::Isa;
use crate::tile::{self, Sums, Tile, UNIT, UNITS};

use right::Block;
pub(crate) use right::Right;

/// The left factor. A row is `segments` runs of `steps` steps; a run's steps lie `step_stride`
/// apart, and runs `segment_stride`. A matrix has one run; a convolution's row has one for each row
/// of its kernel.
pub(crate) struct Left<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) rows: Rows<'a>,
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    pub(crate) steps: usize,
    pub(crate) step_stride: usize,
}

/// The places in `data` where the rows of the left factor begin.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// At these offsets.
    At(&'a [usize]),
    /// `count` rows, `stride` values apart.
    Every { stride: usize, count: usize },
}

impl Rows<'_> {
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::At(places) => places.len(),
            Self::Every { count, .. } => *count,
        }
    }

    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        match self {
            Self::At(places) => places[row],
            Self::Every { stride, .. } => row * stride,
        }
    }
}

impl<'a, E: Element> Left<'a, E> {
    /// A matrix of `columns`, a multiple of a step.
    pub(crate) fn matrix(data: &'a [E], columns: usize) -> Self {
        let count = data.len().checked_div(columns).unwrap_or(0);
        let stride = columns;
        Self::rows(data, Rows::Every { stride, count }, columns)
    }

    /// Rows of `columns` values, a multiple of a step.
    pub(crate) fn rows(data: &'a [E], rows: Rows<'a>, columns: usize) -> Self {
        // Long rows are summed in parts, so that the right factor's panel stays in the cache.
        let steps = columns.div_ceil(E::STEP);
        let parts = steps.div_ceil(DEPTH_STEPS).max(1);
        let even = |n: &usize| steps.is_multiple_of(*n);
        let segments = (parts..=2 * parts).find(even).unwrap_or(1);
        Self {
            data,
            rows,
            segments,
            segment_stride: steps / segments * E::STEP,
            steps: steps / segments,
            step_stride: E::STEP,
        }
    }
}

/// Steps summed at a time. 1,024 steps of 48 columns in f32 are 192 kB, a fifth of a core's L2
/// cache.
const DEPTH_STEPS: usize = 1024;

/// Rows of a parallel product's rectangle in f32; twice as many in shorter formats. More rows mean
/// fewer passes over the right factor, which comes from memory. Of 96, 192 and 400 this was
/// fastest.
const RECTANGLE_ROWS: usize = 192;

/// Rectangles that a parallel product is cut into, so that no thread waits long for the last one.
/// If there are too few columns for that, its rows are cut into a quarter as many.
const RECTANGLES: usize = 64;

/// The steps that a product's values take before they are stored, in the order of the fields.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    /// Turns sums of eight-bit codes into numbers.
    pub(crate) codes: Option<Codes<'a>>,
    /// Is added to every row, unless it is empty.
    pub(crate) bias: &'a [f32],
    /// Whether the values are added to what the result holds.
    pub(crate) accumulate: bool,
    /// Is applied at last.
    pub(crate) activation: Option<Activation>,
}

/// Sets `out`, which has the product's rows and columns, to the product, as `finish` says.
pub(crate) fn multiply<E: Element, O: Float>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    out: Rectangle<O>,
    finish: Finish,
) {
    check(left, right, [out.rows(), out.columns()], finish);
    let blocks = 0..Block::count(right.columns);
    part(isa, left, right, (0, blocks), out, finish);
}

/// [`multiply`] by all threads, into `out` `[rows, columns]`; the values are the same.
pub(crate) fn multiply_parallel<E: Element, O: Float>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    out: &mut [O],
    finish: Finish,
) {
    let (rows, columns) = (left.rows.count(), right.columns);
    assert_eq!(out.len(), rows * columns, "the result's size");
    check(left, right, [rows, columns], finish);
    if rows == 0 || columns == 0 {
        return;
    }
    let cut = Cut::new::<E>(isa, [rows, columns]);
    let edge = |i: usize| cut.edge(i);
    for_each_rectangle(out, cut.shape(), edge, |row, i, out| {
        part(isa, left, right, (row, cut.blocks(i)), out, finish);
    });
}

/// [`multiply_parallel`] into a new matrix.
pub(crate) fn product<E: Element>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    finish: Finish,
) -> Vec<f32> {
    let (rows, columns) = (left.rows.count(), right.columns);
    check(left, right, [rows, columns], finish);
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let cut = Cut::new::<E>(isa, [rows, columns]);
    let edge = |i: usize| cut.edge(i);
    fill_rectangles(rows * columns, cut.shape(), edge, |row, i, out| {
        part(isa, left, right, (row, cut.blocks(i)), out, finish);
    })
}

/// The cut of a parallel product into rectangles.
struct Cut {
    columns: usize,
    /// Rows of a rectangle: whole tiles, and as many in each.
    panel: usize,
    /// Rectangles beside each other.
    across: usize,
}

impl Cut {
    fn new<E: Element>(isa: Isa, [rows, columns]: [usize; 2]) -> Self {
        let blocks = Block::count(columns);
        let down = rows
            .div_ceil(RECTANGLE_ROWS * E::STEP.min(2))
            .max((RECTANGLES / 4).div_ceil(blocks));
        let panel = rows.div_ceil(down).next_multiple_of(tile::rows(isa));
        Self {
            columns,
            panel,
            across: RECTANGLES.div_ceil(rows.div_ceil(panel)).min(blocks),
        }
    }

    /// As [`for_each_rectangle`] takes it.
    fn shape(&self) -> [usize; 3] {
        [self.columns, self.panel, self.across]
    }

    /// The blocks of columns of the `i`-th rectangle beside each other.
    fn blocks(&self, i: usize) -> Range<usize> {
        let blocks = Block::count(self.columns);
        i * blocks / self.across..(i + 1) * blocks / self.across
    }

    /// The first column of the `i`-th.
    fn edge(&self, i: usize) -> usize {
        let Range { start, .. } = self.blocks(i);
        if start == Block::count(self.columns) {
            self.columns
        } else {
            Block::nth(self.columns, start).first
        }
    }
}

/// Checks that the factors and the result fit each other.
fn check<E: Element>(left: &Left<E>, right: &Right<E>, out: [usize; 2], finish: Finish) {
    assert_eq!(left.segments * left.steps, right.steps, "summed dimensions");
    assert_eq!(out, [left.rows.count(), right.columns], "the result's size");
    let bias = finish.bias.len();
    assert!(bias == 0 || bias == right.columns, "the bias's length");
    if let Some(codes) = finish.codes {
        codes.check(out);
    }
}

/// Computes the rectangle `out` of a product, which begins at a row and at the first of some
/// blocks.
fn part<E: Element, O: Float>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    (first_row, blocks): (usize, Range<usize>),
    mut out: Rectangle<O>,
    finish: Finish,
) {
    if blocks.is_empty() {
        return;
    }
    let origin = Block::nth(right.columns, blocks.start).first;
    // Segments that are summed at a time: all of them if the result is not in f32, since it would
    // be rounded in between.
    let group = match O::STEP {
        1 => (DEPTH_STEPS / left.steps.max(1)).clamp(1, left.segments.max(1)),
        _ => left.segments.max(1),
    };
    let tile_rows = tile::rows(isa);
    let mut sums = Sums::default();
    let rows = first_row..first_row + out.rows();
    let inputs = finish
        .codes
        .map_or_else(Vec::new, |codes| codes.inputs(rows));
    for block in blocks {
        let Block { first, units } = Block::nth(right.columns, block);
        let width = units * UNIT * E::STEP;
        let packed = right.panel(first, units);
        let columns = first..right.columns.min(first + units * UNIT);
        let by_column = |values: &[f32]| {
            let mut copy = [0f32; UNITS * UNIT];
            if !values.is_empty() {
                copy[..columns.len()].copy_from_slice(&values[columns.clone()]);
            }
            copy
        };
        let mut bias = by_column(finish.bias);
        let [scales, mut weights] = finish
            .codes
            .map_or([&[][..]; 2], |codes| codes.columns())
            .map(by_column);
        let standing = finish
            .codes
            .map(|codes| codes.weights(isa, &inputs, (first, units)));
        for segment in (0..left.segments.max(1)).step_by(group) {
            let segments = group.min(left.segments - segment);
            let packed = &packed[segment * left.steps * width..][..segments * left.steps * width];
            let is_last = segment + segments >= left.segments;
            for row in (0..out.rows()).step_by(tile_rows) {
                let rows = tile_rows.min(out.rows() - row);
                let start = |r: usize| {
                    left.rows.start(first_row + row + r.min(rows - 1))
                        + segment * left.segment_stride
                };
                let tile = Tile {
                    left: left.data,
                    starts: std::array::from_fn(start),
                    segments,
                    segment_stride: left.segment_stride,
                    steps: left.steps,
                    step_stride: left.step_stride,
                    right: packed,
                    units,
                    rows,
                };
                let columns = columns.start - origin..columns.end - origin;
                if finish.accumulate {
                    (row..row + rows).for_each(|row| out.prefetch(row, columns.clone()));
                }
                E::tile(isa, &tile, &mut sums);
                let given = first_row + row..first_row + row + rows;
                if let (Some(codes), Some(standing), 0) = (finish.codes, &standing, segment) {
                    codes.add_outliers(isa, &mut sums, given.clone(), standing);
                }
                let completion = Completion {
                    codes: finish
                        .codes
                        .map(|codes| (codes.of(given), [&scales, &weights])),
                    bias: &bias,
                    accumulate: finish.accumulate || segment > 0,
                    activation: finish.activation.filter(|_| is_last),
                    out: &mut out,
                    rows: row..row + rows,
                    columns,
                };
                O::complete(isa, &mut sums, completion);
            }
            // Bias and codes' zeros are added once, with the first segments.
            (bias, weights) = ([0.0; _], [0.0; _]);
        }
    }
}
