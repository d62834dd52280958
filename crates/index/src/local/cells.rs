//! Cells: groups of vectors that lie near each other, so that a search among many looks at the
//! nearest groups alone.
//!
//! An inverted file (Sivic and Zisserman 2003; Jégou et al. 2011, section IV, without its product
//! codes): k-means on a sample, then each vector goes to the nearest centre. Rows of a cell lie
//! together, so looking at one is a scan. Rows that came since lie after the last cell, and are
//! always looked at.
//!
//! `N` rows, `C` cells, `D` width.

use std::cmp::Ordering;
use std::ops::Range;

use diptych_kernels::{Linear, Packing, Rounding, Rows, Then, dots};

use super::columns::{Codes, Columns};
use super::snapshot::Snapshot;

/// Rows for each cell that k-means looks at.
const SAMPLE: usize = 48;

/// Rounds of k-means: the share of rows that change their cell is small after so many.
const ROUNDS: usize = 8;

/// Rows whose products with all centres are in memory at a time.
const CHUNK: usize = 2048;

/// Rows are regrouped once more than one in this many lies outside all cells.
const OUTSIDE: usize = 16;

/// Which rows belong to which cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Partition {
    /// `[C, D]`.
    pub(super) centres: Codes,
    /// `[C + 1]`: where each begins, and where the last ends; nothing, if there are none.
    pub(super) starts: Vec<usize>,
}

impl Partition {
    /// Number of cells, `C`.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The rows of a cell.
    pub(super) fn rows(&self, cell: usize) -> Range<usize> {
        self.starts[cell]..self.starts[cell + 1]
    }

    /// Where the rows begin that are in no cell.
    pub(super) fn end(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The product of a query with each centre, `[C]`.
    pub(super) fn products(&self, query: &[f32]) -> Vec<f32> {
        let mut products = vec![0f32; self.len()];
        dots(query, self.centres.all(), &mut products);
        products
    }
}

/// Number of cells for `n` rows, 4 √n, so that comparing with all centres costs a small share of a
/// scan. For example a million rows have 4000 cells of 250 rows; their centres cost 0.4 % of it.
fn wanted(n: usize) -> usize {
    (4.0 * (n as f64).sqrt()) as usize
}

impl Snapshot {
    /// Whether [`Columns::regrouped`] would be of use.
    pub(super) fn needs_regrouping(&self) -> bool {
        let (cells, rows) = (self.n_cells(), self.len());
        cells == 0 || self.outside() > rows / OUTSIDE || has_outgrown(cells, rows)
    }
}

/// Whether cells were made for far fewer rows, or far more.
fn has_outgrown(cells: usize, rows: usize) -> bool {
    let wanted = wanted(rows);
    cells > 2 * wanted || 2 * cells < wanted
}

impl Columns {
    /// The same rows, each in a cell: in new ones if there are none yet or the old ones no longer
    /// fit.
    pub(super) fn regrouped(&self, dim: usize) -> Self {
        let mut of_row: Vec<usize> = Vec::with_capacity(self.len());
        let centres = if self.cells.len() == 0 || has_outgrown(self.cells.len(), self.len()) {
            centres(&self.codes, dim)
        } else {
            let cells = (0..self.cells.len()).map(|cell| (cell, self.cells.rows(cell).len()));
            of_row.extend(cells.flat_map(|(cell, n)| std::iter::repeat_n(cell, n)));
            self.cells.centres.clone()
        };
        let n = centres.scales.len();
        let mut values = Vec::new();
        centres.values(0..n, dim, &mut values);
        let nearest = Nearest::new(&values, dim);
        for first in (of_row.len()..self.len()).step_by(CHUNK) {
            let rows = first..self.len().min(first + CHUNK);
            values.clear();
            self.codes.values(rows, dim, &mut values);
            nearest.extend(&values, &mut of_row);
        }
        let mut starts = vec![0; n + 1];
        of_row.iter().for_each(|cell| starts[cell + 1] += 1);
        (0..n).for_each(|cell| starts[cell + 1] += starts[cell]);
        let mut places = starts.clone();
        let mut order = vec![0; self.len()];
        for (row, &cell) in of_row.iter().enumerate() {
            order[places[cell]] = row;
            places[cell] += 1;
        }
        let cells = Partition { centres, starts };
        Self {
            cells,
            ..self.permuted(&order, dim)
        }
    }
}

/// Centres of the rows by k-means, for vectors of length 1.
fn centres(codes: &Codes, dim: usize) -> Codes {
    let rows = codes.scales.len();
    let n = wanted(rows).min(rows).max(1);
    let sample = rows.min(n * SAMPLE);
    let mut values = Vec::with_capacity(sample * dim);
    // Spread evenly over all, since neighbours in time are often alike.
    for i in 0..sample {
        let row = i * rows / sample;
        codes.values(row..row + 1, dim, &mut values);
    }
    let start = (0..n).flat_map(|i| {
        let row = i * sample / n;
        &values[row * dim..(row + 1) * dim]
    });
    let mut centres: Vec<f32> = start.copied().collect();
    for _ in 0..ROUNDS {
        let nearest = Nearest::new(&centres, dim);
        let mut of_row = Vec::with_capacity(sample);
        values
            .chunks(CHUNK * dim)
            .for_each(|rows| nearest.extend(rows, &mut of_row));
        let mut sums = vec![0f32; n * dim];
        for (row, &cell) in values.chunks_exact(dim).zip(&of_row) {
            let sum = &mut sums[cell * dim..(cell + 1) * dim];
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
        for (centre, sum) in centres.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)) {
            let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
            // A centre without rows stays where it is.
            if length > 0.0 {
                centre
                    .iter_mut()
                    .zip(sum)
                    .for_each(|(c, s)| *c = s / length);
            }
        }
    }
    let mut codes = Codes::default();
    centres
        .chunks_exact(dim)
        .for_each(|centre| codes.push(centre));
    codes
}

/// Finds the nearest of some centres, by one matrix product in eight bits.
struct Nearest(Linear);

impl Nearest {
    fn new(centres: &[f32], dim: usize) -> Self {
        let packing = if dim <= diptych_kernels::INT8_INPUTS {
            Packing::Int8
        } else {
            Packing::F32
        };
        Self(Linear::new(centres, &[], dim, packing))
    }

    /// Appends the nearest centre of each row `[n, D]`.
    fn extend(&self, rows: &[f32], out: &mut Vec<usize>) {
        let n = rows.len() / self.0.inputs();
        let mut products = vec![0f32; n * self.0.outputs()];
        let rows = Rows::of(Rounding::F32, rows);
        self.0.apply(&rows, &mut products, Then::Store);
        let largest = |row: &[f32]| {
            let by = |a: &(usize, &f32), b: &(usize, &f32)| -> Ordering { a.1.total_cmp(b.1) };
            row.iter()
                .enumerate()
                .max_by(by)
                .map_or(0, |(cell, _)| cell)
        };
        out.extend(products.chunks_exact(self.0.outputs()).map(largest));
    }
}
