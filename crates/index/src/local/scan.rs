//! The exact scan: every vector in eight bits, then in full those that could be among the nearest.
//!
//! What rounding took off a vector bounds how wrong its product is (Cauchy and Schwarz), so the result is that of a
//! comparison in f32, at a quarter of the memory that is read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use kernels::{Vectors, dots};
use rayon::prelude::*;

use super::columns::Codes;
use super::select::Selection;

/// Rows whose products are taken at a time: they stay in the cache.
const BLOCK: usize = 512;

/// Rows that one task looks at.
const TASK: usize = 1 << 14;

/// Rounding of sums in f32, for vectors of length 1.
const SUMS: f32 = 1e-5;

/// A row that could be among the nearest, and the highest product that it can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) row: usize,
    pub(super) at_most: f32,
}

/// Looks at ranges of rows for the `k` nearest to `query`.
pub(super) fn scan(
    query: &[f32],
    codes: &Codes,
    ranges: &[Range<usize>],
    k: usize,
    selection: &Selection,
) -> Found {
    let pieces = ranges.iter().flat_map(|range| {
        let starts = range.clone().step_by(TASK);
        starts.map(|start| start..range.end.min(start + TASK))
    });
    let pieces: Vec<Range<usize>> = pieces.collect();
    let look = |mut found: Found, piece: &Range<usize>| {
        for first in piece.clone().step_by(BLOCK) {
            let rows = first..piece.end.min(first + BLOCK);
            block(query, codes, rows, selection, &mut found);
        }
        found
    };
    let found = pieces.par_iter().fold(|| Found::new(k), look);
    found.reduce(|| Found::new(k), Found::merge)
}

fn block(
    query: &[f32],
    codes: &Codes,
    rows: Range<usize>,
    selection: &Selection,
    found: &mut Found,
) {
    let dim = query.len();
    let part = |rows: Range<usize>| Vectors::Int8 {
        codes: &codes.codes[rows.start * dim..rows.end * dim],
        scales: &codes.scales[rows],
    };
    let mut products = [0f32; BLOCK];
    if selection.is_all() {
        let products = &mut products[..rows.len()];
        dots(query, part(rows.clone()), products);
        rows.zip(products)
            .for_each(|(row, product)| found.add(row, *product, codes.errors[row]));
        return;
    }
    // Runs of rows that are allowed, so that few are computed for nothing and neighbours together.
    let mut row = rows.start;
    while row < rows.end {
        if !selection.allows(row) {
            row += 1;
            continue;
        }
        let start = row;
        while row < rows.end && (row == start || selection.allows(row)) {
            row += 1;
        }
        let products = &mut products[..row - start];
        dots(query, part(start..row), products);
        (start..row)
            .zip(products)
            .for_each(|(row, product)| found.add(row, *product, codes.errors[row]));
    }
}

/// What has been found so far: rows among which the nearest of those that were seen are for certain.
pub(super) struct Found {
    k: usize,
    /// Rows that were looked at and may be found.
    pub(super) seen: usize,
    /// The `k` highest of what products are at the least, lowest first.
    least: BinaryHeap<Reverse<Total>>,
    /// Below this a product can't be among the nearest.
    bound: f32,
    candidates: Vec<Candidate>,
}

/// Finite numbers in their order.
#[derive(Clone, Copy, PartialEq)]
struct Total(f32);

impl Eq for Total {}

impl PartialOrd for Total {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Total {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Found {
    fn new(k: usize) -> Self {
        Self {
            k,
            seen: 0,
            least: BinaryHeap::new(),
            bound: f32::NEG_INFINITY,
            candidates: Vec::new(),
        }
    }

    fn add(&mut self, row: usize, product: f32, error: f32) {
        self.seen += 1;
        let error = error + SUMS;
        let at_most = product + error;
        if at_most < self.bound || at_most.is_nan() {
            return;
        }
        self.candidates.push(Candidate { row, at_most });
        self.raise(product - error);
        // Most of them have been overtaken by now.
        if self.candidates.len() >= 4096.max(16 * self.k) {
            self.prune();
        }
    }

    fn raise(&mut self, at_least: f32) {
        if self.least.len() == self.k {
            if at_least <= self.bound {
                return;
            }
            self.least.pop();
        }
        self.least.push(Reverse(Total(at_least)));
        if self.least.len() == self.k {
            self.bound = self.least.peek().map_or(self.bound, |least| least.0.0);
        }
    }

    /// The same of both.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.seen += other.seen;
        self.candidates.extend(other.candidates);
        other
            .least
            .into_iter()
            .for_each(|least| self.raise(least.0.0));
        self
    }

    /// The rows, those that may be nearest first.
    pub(super) fn into_candidates(mut self) -> Vec<Candidate> {
        self.prune();
        let by = |a: &Candidate, b: &Candidate| b.at_most.total_cmp(&a.at_most);
        self.candidates.sort_unstable_by(by);
        self.candidates
    }

    fn prune(&mut self) {
        let bound = self.bound;
        self.candidates
            .retain(|candidate| candidate.at_most >= bound);
    }
}
