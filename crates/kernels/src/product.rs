//! A product of two matrices, tile by tile, and what is done to its values while they are in the cache.

use std::cell::OnceCell;
use std::ops::Range;

use crate::activation::{Activation, activate};
use crate::buffer::{Rectangle, for_each_rectangle};
use crate::element::Element;
use crate::isa::Isa;
use crate::tile::{self, Sums, Tile, UNIT, UNITS};
use crate::vectorised::vectorised;

/// The left factor: rows that lie anywhere in `data`, each of `segments` runs of `steps` steps.
pub(crate) struct Left<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) rows: Rows<'a>,
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    pub(crate) steps: usize,
    pub(crate) step_stride: usize,
}

/// Where the left factor's rows begin.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// At these places.
    At(&'a [usize]),
    /// So many, one every `stride` values.
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
    /// A matrix of so many columns, whole steps of them.
    pub(crate) fn matrix(data: &'a [E], columns: usize) -> Self {
        let count = data.len().checked_div(columns).unwrap_or(0);
        let stride = columns;
        Self::rows(data, Rows::Every { stride, count }, columns)
    }

    /// Rows of so many values, whole steps of them.
    pub(crate) fn rows(data: &'a [E], rows: Rows<'a>, columns: usize) -> Self {
        // Long rows are summed in parts, so that the right factor's block stays in the cache.
        let steps = columns / E::STEP;
        let parts = steps.div_ceil(DEPTH).max(1);
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

/// Steps that are summed at a time: 48 columns of so many are 192 kB in f32, a fifth of a core's cache.
const DEPTH: usize = 1024;

/// Rows of a rectangle of a parallel product: with `DEPTH` steps in f32, half of a core's cache.
const PANEL: usize = 96;

/// Rectangles that a parallel product is cut into, where its columns allow, so that no thread waits long for the last one;
/// where they don't, its rows make a quarter of that.
const RECTANGLES: usize = 64;

/// What becomes of a product's values before they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finish<'a> {
    /// Added to every row, if not empty.
    pub(crate) bias: &'a [f32],
    /// Whether to add to what the result holds.
    pub(crate) accumulate: bool,
    /// Comes last.
    pub(crate) activation: Option<Activation>,
}

/// The right factor, packed: blocks of up to `UNITS` units of columns, each with all of its steps.
pub(crate) struct Right<E> {
    data: Vec<E>,
    steps: usize,
    columns: usize,
}

impl<E> Default for Right<E> {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            steps: 0,
            columns: 0,
        }
    }
}

impl<E: Element> Right<E> {
    /// Packs `steps · STEP` rows of `columns` values; a row that `row` does not give is zero.
    pub(crate) fn pack<'a>(
        isa: Isa,
        [steps, columns]: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]>,
    ) -> Self {
        let mut right = Self::default();
        right.repack(isa, [steps, columns], row);
        right
    }

    /// [`Right::pack`] into the memory of an earlier one; of the same shape, it needs no zeros.
    pub(crate) fn repack<'a>(
        &mut self,
        isa: Isa,
        [steps, columns]: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]>,
    ) {
        self.reshape([steps, columns]);
        let zeros = OnceCell::new();
        let row = |k: usize| row(k).unwrap_or_else(|| zeros.get_or_init(|| vec![0f32; columns]));
        for Block { first, units } in blocks(columns) {
            let width = units * UNIT * E::STEP;
            let block = &mut self.data[steps * first * E::STEP..][..steps * width];
            let last = columns.min(first + units * UNIT);
            for (step, out) in block.chunks_exact_mut(width).enumerate() {
                let rows = [0, E::STEP - 1].map(|i| &row(step * E::STEP + i)[first..last]);
                E::interleave(isa, rows, &mut out[..(last - first) * E::STEP]);
            }
        }
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Takes memory for a shape, with zeros where a block has columns that the factor has not.
    fn reshape(&mut self, [steps, columns]: [usize; 2]) {
        if [self.steps, self.columns] != [steps, columns] {
            (self.steps, self.columns) = (steps, columns);
            self.data.clear();
            let width = columns.div_ceil(UNIT) * UNIT * E::STEP;
            self.data.resize(steps * width, E::default());
        }
    }
}

impl Right<f32> {
    /// Packs the transpose of a matrix of so many columns, whose rows `row` gives, each of `steps` values; into the memory of
    /// an earlier one.
    pub(crate) fn repack_transposed<'a>(
        &mut self,
        [steps, columns]: [usize; 2],
        row: impl Fn(usize) -> &'a [f32],
    ) {
        /// Steps at a time: a cache line of each row.
        const LINE: usize = 16;
        self.reshape([steps, columns]);
        for Block { first, units } in blocks(columns) {
            let width = units * UNIT;
            let block = &mut self.data[steps * first..][..steps * width];
            for (unit, column) in (first..columns.min(first + width))
                .step_by(UNIT)
                .enumerate()
            {
                let rows = UNIT.min(columns - column);
                let out = &mut block[unit * UNIT..];
                for step in (0..steps).step_by(LINE) {
                    let line = step..steps.min(step + LINE);
                    for r in 0..rows {
                        let values = &row(column + r)[line.clone()];
                        for (step, value) in line.clone().zip(values) {
                            out[step * width + r] = *value;
                        }
                    }
                }
            }
        }
    }
}

/// A block of columns.
struct Block {
    first: usize,
    units: usize,
}

impl Block {
    /// How many blocks cover `columns`.
    fn count(columns: usize) -> usize {
        columns.div_ceil(UNIT).div_ceil(UNITS)
    }

    /// The `i`-th of them; they are of nearly equal width.
    fn nth(columns: usize, i: usize) -> Self {
        let (units, count) = (columns.div_ceil(UNIT), Self::count(columns));
        let (first, end) = (i * units / count, (i + 1) * units / count);
        Self {
            first: first * UNIT,
            units: end - first,
        }
    }
}

/// Blocks that cover `columns`.
fn blocks(columns: usize) -> impl Iterator<Item = Block> {
    (0..Block::count(columns)).map(move |i| Block::nth(columns, i))
}

/// Sets `out` `[rows, columns]` to the product, as `finish` says.
pub(crate) fn multiply<E: Element>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    out: &mut [f32],
    finish: Finish,
) {
    check(left, right, out, finish);
    if right.columns > 0 {
        let blocks = 0..Block::count(right.columns);
        let out = Rectangle::whole(out, right.columns);
        part(isa, left, right, (0, blocks), out, finish);
    }
}

/// [`multiply`] by all threads; the values are the same.
pub(crate) fn multiply_parallel<E: Element>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    out: &mut [f32],
    finish: Finish,
) {
    check(left, right, out, finish);
    let (rows, columns) = (left.rows.count(), right.columns);
    if rows == 0 || columns == 0 {
        return;
    }
    let blocks = Block::count(columns);
    let down = rows.div_ceil(PANEL).max((RECTANGLES / 4).div_ceil(blocks));
    // Whole tiles, and as many in each panel.
    let panel = rows.div_ceil(down).next_multiple_of(tile::rows(isa));
    let across = RECTANGLES.div_ceil(rows.div_ceil(panel)).min(blocks);
    let first = |i: usize| i * blocks / across;
    let edge = |i: usize| match first(i) {
        block if block == blocks => columns,
        block => Block::nth(columns, block).first,
    };
    for_each_rectangle(out, [columns, panel, across], edge, |row, i, out| {
        part(isa, left, right, (row, first(i)..first(i + 1)), out, finish);
    });
}

/// Checks that the factors and the result fit each other.
fn check<E: Element>(left: &Left<E>, right: &Right<E>, out: &[f32], finish: Finish) {
    assert_eq!(left.segments * left.steps, right.steps, "summed dimensions");
    assert_eq!(
        out.len(),
        left.rows.count() * right.columns,
        "the result's size"
    );
    let bias = finish.bias.len();
    assert!(bias == 0 || bias == right.columns, "the bias's length");
}

/// Computes the rectangle `out` of a product, which begins at a row and at the first of some blocks.
fn part<E: Element>(
    isa: Isa,
    left: &Left<E>,
    right: &Right<E>,
    (first_row, blocks): (usize, Range<usize>),
    mut out: Rectangle,
    finish: Finish,
) {
    let origin = Block::nth(right.columns, blocks.start).first;
    // Segments that are summed at a time.
    let group = (DEPTH / left.steps.max(1)).clamp(1, left.segments.max(1));
    let tile_rows = tile::rows(isa);
    let mut sums = Sums::default();
    for block in blocks {
        let Block { first, units } = Block::nth(right.columns, block);
        let width = units * UNIT * E::STEP;
        let packed = &right.data[right.steps * first * E::STEP..][..right.steps * width];
        let columns = first..right.columns.min(first + units * UNIT);
        for segment in (0..left.segments.max(1)).step_by(group) {
            let segments = group.min(left.segments - segment);
            let packed = &packed[segment * left.steps * width..][..segments * left.steps * width];
            let is_last = segment + segments >= left.segments;
            let finish = Finish {
                bias: match finish.bias {
                    [] => &[],
                    _ if segment > 0 => &[],
                    bias => &bias[columns.clone()],
                },
                accumulate: finish.accumulate || segment > 0,
                activation: finish.activation.filter(|_| is_last),
            };
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
                E::tile(isa, &tile, &mut sums);
                let columns = columns.start - origin..columns.end - origin;
                store(isa, &sums, finish, &mut out, (row..row + rows, columns));
            }
        }
    }
}

/// The bias of a layer that has none.
const ZEROS: [f32; UNITS * UNIT] = [0.0; UNITS * UNIT];

vectorised! {
    fn store(
        sums: &Sums,
        finish: Finish,
        out: &mut Rectangle,
        place: (Range<usize>, Range<usize>),
    ) {
        let (rows, columns) = place;
        let n = columns.len();
        for (i, row) in rows.enumerate() {
            let sums = sums.row(i, n);
            let out = out.row(row, columns.clone());
            let bias = match finish.bias {
                [] => &ZEROS[..n],
                bias => &bias[..n],
            };
            if finish.accumulate {
                for i in 0..n {
                    out[i] += sums[i] + bias[i];
                }
            } else {
                for i in 0..n {
                    out[i] = sums[i] + bias[i];
                }
            }
            if let Some(activation) = finish.activation {
                activate(activation, out);
            }
        }
    }
}
