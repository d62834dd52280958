//! A product of two matrices, tile by tile.

use crate::element::Element;
use crate::isa::Isa;
use crate::tile::{ROWS, Tile, UNIT, UNITS};

/// The left factor: rows that lie anywhere in `data`, each of `segments` runs of `steps` steps.
pub(crate) struct Left<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    pub(crate) steps: usize,
    pub(crate) step_stride: usize,
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
        if [self.steps, self.columns] != [steps, columns] {
            (self.steps, self.columns) = (steps, columns);
            self.data.clear();
            let width = columns.div_ceil(UNIT) * UNIT * E::STEP;
            self.data.resize(steps * width, E::default());
        }
        let zeros = vec![0f32; columns];
        let row = |k: usize| row(k).unwrap_or(&zeros);
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
}

/// A block of columns.
struct Block {
    first: usize,
    units: usize,
}

/// Blocks of nearly equal width that cover `columns`.
fn blocks(columns: usize) -> impl Iterator<Item = Block> {
    let units = columns.div_ceil(UNIT);
    let count = units.div_ceil(UNITS);
    (0..count).map(move |i| {
        let (first, end) = (i * units / count, (i + 1) * units / count);
        Block {
            first: first * UNIT,
            units: end - first,
        }
    })
}

/// Sets `out` `[rows, columns]` to the product, or adds it.
///
/// `starts` says where in `left` each row begins.
pub(crate) fn multiply<E: Element>(
    isa: Isa,
    left: &Left<E>,
    starts: &[usize],
    right: &Right<E>,
    (out, accumulate): (&mut [f32], bool),
) {
    assert_eq!(left.segments * left.steps, right.steps, "summed dimensions");
    assert_eq!(out.len(), starts.len() * right.columns, "the result's size");
    for Block { first, units } in blocks(right.columns) {
        let width = units * UNIT * E::STEP;
        let block = &right.data[right.steps * first * E::STEP..][..right.steps * width];
        let tiles = starts
            .chunks(ROWS)
            .zip(out.chunks_mut(ROWS * right.columns));
        for (starts, out) in tiles {
            let last = starts[starts.len() - 1];
            let tile = Tile {
                left: left.data,
                starts: std::array::from_fn(|r| *starts.get(r).unwrap_or(&last)),
                segments: left.segments,
                segment_stride: left.segment_stride,
                steps: left.steps,
                step_stride: left.step_stride,
                right: block,
                units,
                rows: starts.len(),
                columns: (right.columns - first).min(units * UNIT),
                out_stride: right.columns,
                accumulate,
            };
            E::tile(isa, &tile, &mut out[first..]);
        }
    }
}
