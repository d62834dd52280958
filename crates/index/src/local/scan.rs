//! The exact scan: every vector in eight bits, then in full those that could be among the nearest.
//!
//! A row's product with the query is wrong by at most the length of what rounding took off the row
//! (Cauchy and Schwarz; the query has length 1). So the result is that of a comparison in f32, at a
//! quarter of the memory that is read.
//!
//! For example with `k` = 1: a product of 0.80 that is wrong by at most 0.01 is really at least
//! 0.79. A row with 0.77 ± 0.01 can't be nearest; one with 0.785 ± 0.01 can, and is compared in
//! full.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use diptych_kernels::{dots, dots_at};
use rayon::prelude::*;

use super::select::Selection;
use super::snapshot::{SEGMENT, Segment};
use super::turns::Threads;

/// Rows whose products are taken at a time: they stay in the cache.
const BLOCK: usize = 512;

/// Rows that one task looks at.
const TASK: usize = SEGMENT;

/// Rounding of sums in f32, for vectors of length 1.
const SUMS: f32 = 1e-5;

/// A vector that could be among the nearest, and the highest product that it can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) vector: i64,
    pub(super) at_most: f32,
}

/// Rows of a segment.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) segment: &'a Segment,
    pub(super) rows: Range<usize>,
}

impl<'a> Piece<'a> {
    /// All rows of a segment.
    pub(super) fn all(segment: &'a Segment) -> Self {
        let rows = 0..segment.columns.len();
        Self { segment, rows }
    }
}

/// A search by a scan: the query, the number of hits, and the rows that may be found.
pub(super) struct Look<'a> {
    pub(super) query: &'a [f32],
    pub(super) k: usize,
    pub(super) selection: &'a Selection,
    /// Share of a row's error bound that is allowed for; with 1 no hit can be missed.
    pub(super) margin: f32,
    pub(super) threads: Threads,
}

impl Look<'_> {
    /// Looks at pieces for the `k` nearest to the query.
    pub(super) fn scan(&self, pieces: &[Piece]) -> Found {
        let look = |mut found: Found, piece: Piece| {
            let Piece { segment, rows } = piece;
            for first in rows.clone().step_by(BLOCK) {
                self.block(segment, first..rows.end.min(first + BLOCK), &mut found);
            }
            found
        };
        let new = || Found::new(self.k);
        let rows: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
        if rows <= TASK || self.threads == Threads::One {
            return pieces.iter().cloned().fold(new(), look);
        }
        let tasks = pieces.iter().flat_map(|Piece { segment, rows }| {
            let starts = rows.clone().step_by(TASK);
            starts.map(|start| Piece {
                segment,
                rows: start..rows.end.min(start + TASK),
            })
        });
        let tasks: Vec<Piece> = tasks.collect();
        let found = tasks.into_par_iter().fold(new, look);
        found.reduce(new, Found::merge)
    }

    fn block(&self, segment: &Segment, rows: Range<usize>, found: &mut Found) {
        let columns = &*segment.columns;
        let mut add = |row: usize, product: f32| {
            let error = self.margin * columns.codes.errors[row] + SUMS;
            if found.may_have(product + error) {
                found.add(columns.vectors[row], product, error);
            }
        };
        let mut products = [0f32; BLOCK];
        let is_any_left_out = !segment.is_whole() || !self.selection.is_all();
        let mut allowed = [0; BLOCK];
        let mut n = 0;
        if is_any_left_out {
            for row in rows.clone() {
                allowed[n] = row;
                n += usize::from(segment.has(row) && self.selection.allows(columns, row));
            }
        }
        // Reading on is faster than leaving a few out.
        if is_any_left_out && n <= rows.len() / 2 {
            let products = &mut products[..n];
            dots_at(self.query, columns.codes.all(), &allowed[..n], products);
            let of_row = allowed.iter().zip(products);
            of_row.for_each(|(&row, &mut product)| add(row, product));
            return;
        }
        let products = &mut products[..rows.len()];
        dots(
            self.query,
            columns.codes.part(rows.clone(), self.query.len()),
            products,
        );
        if is_any_left_out {
            let of_row = allowed[..n].iter();
            of_row.for_each(|&row| add(row, products[row - rows.start]));
        } else {
            let of_row = rows.zip(products);
            of_row.for_each(|(row, &mut product)| add(row, product));
        }
    }
}

/// Candidates found so far: the `k` nearest of the vectors that were seen are certainly among them.
pub(super) struct Found {
    k: usize,
    /// The `k` highest lower bounds of products; the lowest of them is on top.
    least: BinaryHeap<Reverse<Total>>,
    /// Below this a product can't be among the nearest.
    bound: f32,
    candidates: Vec<Candidate>,
    /// Number of candidates at which those below the bound are dropped.
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
            limit: k.saturating_mul(16).max(4096),
        }
    }

    /// Whether a vector whose product is at the most this could be among the nearest.
    #[inline]
    fn may_have(&self, at_most: f32) -> bool {
        at_most >= self.bound
    }

    /// Adds a vector, whose product is so much and wrong by `error` at the most.
    fn add(&mut self, vector: i64, product: f32, error: f32) {
        let at_most = product + error;
        self.candidates.push(Candidate { vector, at_most });
        self.raise(product - error);
        if self.candidates.len() >= self.limit {
            self.prune();
            // Candidates too close together to be told apart stay; the next pruning waits for twice
            // as many.
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

    /// Returns a lower bound of the `k`-th best product so far; −∞ until `k` vectors were seen.
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

    /// The vectors, those that may be nearest first.
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
