//! Columns that a search reads, in memory: one for each property that filters ask for, and the
//! vectors in eight bits.
//!
//! Once made, columns do not change: what comes and goes later is a
//! [`Snapshot`](super::snapshot::Snapshot)'s business. Invariant: each row has at least one file,
//! and rows are in any order, but that those of a cell lie together.
//!
//! `N` rows, `D` width.

use diptych_kernels::Vectors;

use super::cells::Partition;
use super::follow::Fresh;
use crate::{Taken, TakenFrom};

/// Time at which a content was made, with a flag: twice the second, plus 1 if somebody else than
/// the content says so. One number answers both questions of a filter. For example second 5 is 10
/// if the content says so, and 11 if the file does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct When(pub(super) i64);

impl When {
    /// Of a content of which it isn't known.
    pub(super) const UNKNOWN: Self = Self(i64::MIN);

    pub(super) fn new(taken: Option<Taken>) -> Self {
        taken.map_or(Self::UNKNOWN, |Taken { at, from }| {
            let at = at.clamp(i64::MIN / 2 + 1, i64::MAX / 2);
            Self(at * 2 + i64::from(from != TakenFrom::Exif))
        })
    }

    /// The second, as in [`Taken::at`].
    pub(super) fn at(self) -> Option<i64> {
        (self != Self::UNKNOWN).then_some(self.0 >> 1)
    }

    /// Whether the content says so itself.
    pub(super) fn is_dated(self) -> bool {
        self != Self::UNKNOWN && self.0 & 1 == 0
    }
}

/// Bit in `Columns::folders` that marks a content with files in further folders, too.
const MORE: u32 = 1 << 31;

/// A row for each vector that can be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// `[N]`, their numbers.
    pub(super) vectors: Vec<i64>,
    /// `[N]`.
    pub(super) taken: Vec<When>,
    /// `[N]`, the folder of the content's first file, perhaps with [`MORE`].
    pub(super) folders: Vec<u32>,
    /// The further folders of rows with `MORE`, as pairs of a vector and a folder, in the order of
    /// vectors.
    pub(super) more: Vec<(i64, u32)>,
    /// `[N, D]`.
    pub(super) codes: Codes,
    /// Which rows lie near each other.
    pub(super) cells: Partition,
}

/// Vectors in eight bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Codes {
    /// `[N, D]`.
    pub(super) codes: Vec<i8>,
    /// `[N]`.
    pub(super) scales: Vec<f32>,
    /// `[N]`: the length of the rounding error, the vector minus its eight-bit form. It bounds the
    /// error of any product with a vector of length 1.
    pub(super) errors: Vec<f32>,
}

impl Codes {
    pub(super) fn push(&mut self, vector: &[f32]) {
        let (codes, scales) = diptych_kernels::to_int8(vector, vector.len());
        let scale = f64::from(scales[0]);
        let lost = |(x, &code): (&f32, &i8)| (f64::from(*x) - scale * f64::from(code)).powi(2);
        let error = vector.iter().zip(&codes).map(lost).sum::<f64>().sqrt();
        self.codes.extend(codes);
        self.scales.extend(scales);
        self.errors.push((error as f32).next_up());
    }

    /// Appends the values of rows, `[n, D]`.
    pub(super) fn values(&self, rows: std::ops::Range<usize>, dim: usize, out: &mut Vec<f32>) {
        for row in rows {
            let codes = &self.codes[row * dim..(row + 1) * dim];
            out.extend(codes.iter().map(|&code| self.scales[row] * f32::from(code)));
        }
    }

    /// The rows as the kernels take them.
    pub(super) fn all(&self) -> Vectors<'_> {
        Vectors::Int8 {
            codes: &self.codes,
            scales: &self.scales,
        }
    }

    /// Some of the rows, as the kernels take them.
    pub(super) fn part(&self, rows: std::ops::Range<usize>, dim: usize) -> Vectors<'_> {
        Vectors::Int8 {
            codes: &self.codes[rows.start * dim..rows.end * dim],
            scales: &self.scales[rows],
        }
    }

    /// The rows in another order.
    pub(super) fn permuted(&self, order: &[usize], dim: usize) -> Self {
        let mut codes = Vec::with_capacity(self.codes.len());
        for &row in order {
            codes.extend_from_slice(&self.codes[row * dim..(row + 1) * dim]);
        }
        Self {
            codes,
            scales: order.iter().map(|&row| self.scales[row]).collect(),
            errors: order.iter().map(|&row| self.errors[row]).collect(),
        }
    }
}

impl Columns {
    /// Number of rows, `N`.
    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// The folder of a row's content, if all its files are in one.
    pub(super) fn only_folder(&self, row: usize) -> Option<u32> {
        let folder = self.folders[row];
        (folder & MORE == 0).then_some(folder)
    }

    /// Whether any of a row's folders is wanted.
    pub(super) fn any_folder(&self, row: usize, wanted: impl Fn(u32) -> bool) -> bool {
        let folder = self.folders[row];
        wanted(folder & !MORE)
            || (folder & MORE != 0
                && self
                    .others(self.vectors[row])
                    .any(|&(_, folder)| wanted(folder)))
    }

    /// The other folders of a vector.
    fn others(&self, vector: i64) -> impl Iterator<Item = &(i64, u32)> {
        let first = self.more.partition_point(|(v, _)| *v < vector);
        self.more[first..]
            .iter()
            .take_while(move |(v, _)| *v == vector)
    }

    /// All folders of a row, ascending.
    pub(super) fn folders_of(&self, row: usize) -> Vec<u32> {
        let others = self.others(self.vectors[row]).map(|(_, folder)| *folder);
        let mut folders: Vec<u32> = others.chain([self.folders[row] & !MORE]).collect();
        folders.sort_unstable();
        folders
    }

    /// The rows of vectors, which are given in ascending order.
    pub(super) fn find<'a>(&'a self, vectors: &'a [i64]) -> impl Iterator<Item = usize> + 'a {
        let is_one = |vector: &i64| vectors.binary_search(vector).is_ok();
        let rows = self.vectors.iter().enumerate();
        rows.filter(move |(_, vector)| is_one(vector))
            .map(|(row, _)| row)
    }

    /// Appends rows of others, which are of other vectors.
    pub(super) fn append(&mut self, other: &Self, rows: std::ops::Range<usize>, dim: usize) {
        self.vectors.extend_from_slice(&other.vectors[rows.clone()]);
        self.taken.extend_from_slice(&other.taken[rows.clone()]);
        self.folders.extend_from_slice(&other.folders[rows.clone()]);
        let (codes, from) = (&mut self.codes, &other.codes);
        codes.scales.extend_from_slice(&from.scales[rows.clone()]);
        codes.errors.extend_from_slice(&from.errors[rows.clone()]);
        let values = rows.start * dim..rows.end * dim;
        codes.codes.extend_from_slice(&from.codes[values]);
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize, dim: usize) {
        self.vectors.reserve_exact(rows);
        self.taken.reserve_exact(rows);
        self.folders.reserve_exact(rows);
        self.codes.scales.reserve_exact(rows);
        self.codes.errors.reserve_exact(rows);
        self.codes.codes.reserve_exact(rows * dim);
    }

    /// Appends a vector.
    pub(super) fn push(&mut self, fresh: Fresh) {
        let Some((first, others)) = fresh.folders.split_first() else {
            return; // it can't be found
        };
        let mark = if others.is_empty() { 0 } else { MORE };
        self.vectors.push(fresh.vector);
        self.taken.push(fresh.taken);
        self.folders.push(first | mark);
        let others = others.iter().map(|folder| (fresh.vector, *folder));
        self.more.extend(others);
        self.codes.push(&fresh.values);
    }

    /// The same rows in another order.
    pub(super) fn permuted(&self, order: &[usize], dim: usize) -> Self {
        Self {
            vectors: order.iter().map(|&row| self.vectors[row]).collect(),
            taken: order.iter().map(|&row| self.taken[row]).collect(),
            folders: order.iter().map(|&row| self.folders[row]).collect(),
            more: self.more.clone(),
            codes: self.codes.permuted(order, dim),
            cells: Partition::default(),
        }
    }
}

/// The numbers in an embedding's bytes.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    let chunks = bytes.as_chunks::<4>().0;
    chunks
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect()
}
