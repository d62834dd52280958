//! The right factor of a product, packed once for all its rows.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::element::{Element, Float};
use crate::isa::Isa;
use crate::tile::{UNIT, UNITS};

/// The right factor, packed in panels of up to `UNITS` units of columns.
pub(crate) struct Right<E: Element> {
    data: Vec<E::Right>,
    pub(super) steps: usize,
    pub(super) columns: usize,
}

/// The threads that pack.
#[derive(Clone, Copy)]
enum By {
    /// The calling thread alone: it may hold memory that other work, begun while it waits for
    /// threads, would find taken.
    Caller,
    /// All threads, if there are many values.
    All,
}

/// Values from which all threads pack.
const MANY_VALUES: usize = 1 << 18;

impl<E: Element> Default for Right<E> {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            steps: 0,
            columns: 0,
        }
    }
}

impl<E: Float> Right<E> {
    /// Packs `steps · STEP` rows of `columns` values, by all threads; where `row` gives none, the
    /// row is zero.
    pub(crate) fn pack<'a>(
        isa: Isa,
        shape: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]> + Sync,
    ) -> Self {
        let mut right = Self::default();
        right.fill_rounded(By::All, isa, shape, row);
        right
    }

    /// Packs the transpose of a matrix, `columns` rows of `values` values, by all threads, and
    /// zeros up to a whole step.
    pub(crate) fn pack_transposed(isa: Isa, matrix: &[f32], [values, columns]: [usize; 2]) -> Self {
        let matrix = E::rounded(isa, matrix);
        let mut right = Self::default();
        let row = |r: usize| &matrix[r * values..][..values];
        right.fill_transposed(By::All, [values, columns], row);
        right
    }

    /// [`Right::pack`] into the memory of an earlier one, by the calling thread; of the same shape,
    /// it needs no zeros.
    pub(crate) fn repack<'a>(
        &mut self,
        isa: Isa,
        shape: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]> + Sync,
    ) {
        self.fill_rounded(By::Caller, isa, shape, row);
    }

    fn fill_rounded<'a>(
        &mut self,
        by: By,
        isa: Isa,
        [steps, columns]: [usize; 2],
        row: impl Fn(usize) -> Option<&'a [f32]> + Sync,
    ) {
        let zeros = OnceLock::new();
        let row = |k: usize| row(k).unwrap_or_else(|| zeros.get_or_init(|| vec![0f32; columns]));
        self.fill(by, [steps, columns], |step, columns, out| {
            let rows = [0, E::STEP - 1].map(|i| &row(step * E::STEP + i)[columns.clone()]);
            E::interleave(isa, rows, out);
        });
    }

    /// Packs some rows of values in this format, `columns` of each, and zeros up to a whole step;
    /// by the calling thread, into the memory of an earlier one.
    pub(crate) fn repack_rows<'a>(
        &mut self,
        isa: Isa,
        [rows, columns]: [usize; 2],
        row: impl Fn(usize) -> &'a [E] + Sync,
    ) {
        let zeros = OnceLock::new();
        let row = |k: usize| {
            if k < rows {
                row(k)
            } else {
                zeros.get_or_init(|| vec![E::default(); columns])
            }
        };
        let steps = rows.div_ceil(E::STEP);
        self.fill(By::Caller, [steps, columns], |step, columns, out| {
            let rows = [0, E::STEP - 1].map(|i| &row(step * E::STEP + i)[columns.clone()]);
            E::zip(isa, rows, out);
        });
    }

    /// Takes memory for a shape and calls `f` for every step of every block, with the block's
    /// columns.
    fn fill(
        &mut self,
        by: By,
        [steps, columns]: [usize; 2],
        f: impl Fn(usize, Range<usize>, &mut [E]) + Sync,
    ) {
        self.reshape([steps, columns]);
        self.for_each_block(by, |Block { first, units }, block| {
            let width = units * UNIT * E::STEP;
            let last = columns.min(first + units * UNIT);
            for (step, out) in block.chunks_exact_mut(width).enumerate() {
                f(step, first..last, &mut out[..(last - first) * E::STEP]);
            }
        });
    }
}

impl<E: Element> Right<E> {
    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The block of so many units that begins at a column: all steps.
    pub(super) fn panel(&self, first: usize, units: usize) -> &[E::Right] {
        &self.data[self.steps * first * E::STEP..][..self.steps * units * UNIT * E::STEP]
    }

    /// One step of the block that begins at a column, `STEP` values for each of its columns.
    pub(crate) fn step(&self, (first, units): (usize, usize), step: usize) -> &[E::Right] {
        let width = units * UNIT * E::STEP;
        &self.panel(first, units)[step * width..][..width]
    }

    /// Takes memory for a shape, with zeros where a block has columns that the factor has not.
    fn reshape(&mut self, [steps, columns]: [usize; 2]) {
        if [self.steps, self.columns] != [steps, columns] {
            (self.steps, self.columns) = (steps, columns);
            self.data.clear();
            let width = columns.div_ceil(UNIT) * UNIT * E::STEP;
            self.data.resize(steps * width, E::Right::default());
        }
    }

    /// Packs the transpose of a matrix of so many columns, whose rows `row` gives, each of `values`
    /// values, and zeros up to a whole step; by the calling thread, into the memory of an
    /// earlier one.
    pub(crate) fn repack_transposed<'a>(
        &mut self,
        shape: [usize; 2],
        row: impl Fn(usize) -> &'a [E::Right] + Sync,
    ) {
        self.fill_transposed(By::Caller, shape, row);
    }

    fn fill_transposed<'a>(
        &mut self,
        by: By,
        [values, columns]: [usize; 2],
        row: impl Fn(usize) -> &'a [E::Right] + Sync,
    ) {
        /// Steps at a time: a cache line of each row.
        const LINE: usize = 16;
        let steps = values.div_ceil(E::STEP);
        self.reshape([steps, columns]);
        self.for_each_block(by, |Block { first, units }, block| {
            let width = units * UNIT;
            let last = columns.min(first + width);
            for unit in (first..last).step_by(UNIT) {
                let rows = unit..last.min(unit + UNIT);
                let out = E::steps_mut(block);
                for step in (0..steps).step_by(LINE) {
                    for r in rows.clone() {
                        let line = &row(r)[step * E::STEP..];
                        let out = out[step * width + r - first..].iter_mut().step_by(width);
                        let line = E::steps(line).iter().take(LINE);
                        out.zip(line).for_each(|(out, values)| *out = *values);
                    }
                }
            }
            if let rest @ 1.. = values % E::STEP {
                for r in first..last {
                    let place = ((steps - 1) * width + r - first) * E::STEP;
                    let end = &row(r)[values - rest..];
                    block[place..place + rest].copy_from_slice(end);
                    block[place + rest..place + E::STEP].fill(E::Right::default());
                }
            }
        });
    }

    /// Calls `f` for each block and its values.
    fn for_each_block(&mut self, by: By, f: impl Fn(Block, &mut [E::Right]) + Sync) {
        let (steps, columns) = (self.steps, self.columns);
        let is_shared = matches!(by, By::All) && self.data.len() >= MANY_VALUES;
        let mut rest = &mut self.data[..];
        let parts = blocks(columns).map(|block| {
            let len = steps * block.units * UNIT * E::STEP;
            let (part, more) = std::mem::take(&mut rest).split_at_mut(len);
            rest = more;
            (block, part)
        });
        if is_shared {
            let parts: Vec<_> = parts.collect();
            parts
                .into_par_iter()
                .for_each(|(block, part)| f(block, part));
        } else {
            parts.for_each(|(block, part)| f(block, part));
        }
    }
}

/// A block of columns.
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) units: usize,
}

impl Block {
    /// Number of blocks that cover `columns`.
    pub(super) fn count(columns: usize) -> usize {
        columns.div_ceil(UNIT).div_ceil(UNITS)
    }

    /// The `i`-th of them; they are of nearly equal width.
    pub(super) fn nth(columns: usize, i: usize) -> Self {
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
