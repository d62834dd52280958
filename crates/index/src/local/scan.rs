//! The exact scan: every vector in eight bits, then in full those that could be among the nearest.
//!
//! What rounding took off a vector bounds how wrong its product is (Cauchy and Schwarz), so the result is that of a
//! comparison in f32, at a quarter of the memory that is read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use diptych_kernels::{dots, dots_at};
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

/// What is looked for, and where.
pub(super) struct Look<'a> {
    pub(super) query: &'a [f32],
    pub(super) codes: &'a Codes,
    pub(super) k: usize,
    pub(super) selection: &'a Selection<'a>,
    /// The share of a row's error bound that is reckoned with; 1 leaves out nothing.
    pub(super) margin: f32,
}

impl Look<'_> {
    /// Looks at ranges of rows for the `k` nearest to the query.
    pub(super) fn scan(&self, ranges: &[Range<usize>]) -> Found {
        let look = |mut found: Found, piece: Range<usize>| {
            for first in piece.clone().step_by(BLOCK) {
                self.block(first..piece.end.min(first + BLOCK), &mut found);
            }
            found
        };
        let new = || Found::new(self.k);
        if ranges.iter().map(Range::len).sum::<usize>() <= TASK {
            return ranges.iter().cloned().fold(new(), look);
        }
        let pieces = ranges.iter().flat_map(|range| {
            let starts = range.clone().step_by(TASK);
            starts.map(|start| start..range.end.min(start + TASK))
        });
        let pieces: Vec<Range<usize>> = pieces.collect();
        let found = pieces.into_par_iter().fold(new, look);
        found.reduce(new, Found::merge)
    }

    fn block(&self, rows: Range<usize>, found: &mut Found) {
        let mut allowed = [0; BLOCK];
        let mut n = 0;
        for row in rows.clone() {
            allowed[n] = row;
            n += usize::from(self.selection.allows(row));
        }
        let mut add = |row: usize, product: f32| {
            found.add(row, product, self.margin * self.codes.errors[row]);
        };
        let mut products = [0f32; BLOCK];
        // Reading on is faster than leaving a few out.
        if n > rows.len() / 2 {
            let products = &mut products[..rows.len()];
            let vectors = self.codes.part(rows.clone(), self.query.len());
            dots(self.query, vectors, products);
            let of_row = allowed[..n]
                .iter()
                .map(|&row| (row, products[row - rows.start]));
            of_row.for_each(|(row, product)| add(row, product));
        } else {
            let products = &mut products[..n];
            dots_at(self.query, self.codes.all(), &allowed[..n], products);
            let of_row = allowed.iter().zip(products);
            of_row.for_each(|(&row, &mut product)| add(row, product));
        }
    }
}

/// What has been found so far: rows among which the nearest of those that were seen are for certain.
pub(super) struct Found {
    k: usize,
    /// The `k` highest of what products are at the least, lowest first.
    least: BinaryHeap<Reverse<Total>>,
    /// Below this a product can't be among the nearest.
    bound: f32,
    candidates: Vec<Candidate>,
    /// When most of them are thought to have been overtaken.
    limit: usize,
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
            least: BinaryHeap::new(),
            bound: f32::NEG_INFINITY,
            candidates: Vec::new(),
            limit: 4096.max(16 * k),
        }
    }

    fn add(&mut self, row: usize, product: f32, error: f32) {
        let error = error + SUMS;
        let at_most = product + error;
        if at_most < self.bound || at_most.is_nan() {
            return;
        }
        self.candidates.push(Candidate { row, at_most });
        self.raise(product - error);
        if self.candidates.len() >= self.limit {
            self.prune();
            // Where many are as near as rounding lets tell, they stay.
            self.limit = self.limit.max(2 * self.candidates.len());
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

    /// What the `k`-th best product is at the least, so far.
    pub(super) fn bound(&self) -> f32 {
        self.bound
    }

    /// The same of both.
    pub(super) fn merge(mut self, other: Self) -> Self {
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
