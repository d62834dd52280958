//! The rows with the highest dot products.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::{Vectors, dots_with};
use crate::isa::Isa;

/// A vector that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The vector's row, from 0.
    pub row: usize,
    /// Its dot product with the query.
    pub score: f32,
}

/// Rows whose scores are taken at a time: they stay in the cache, and most are left out by one
/// comparison.
const BLOCK: usize = 512;

/// Rows that one task searches.
const TASK: usize = 1 << 15;

/// The `k` vectors with the highest dot products with `query` `[D]`, the highest first; of equal
/// ones the first row. Vectors whose product is NaN are not found. By all threads; the result is
/// the same.
///
/// # Panics
/// As [`super::dots`].
pub fn top_k(query: &[f32], vectors: Vectors, k: usize) -> Vec<Scored> {
    top_k_with(Isa::current(), query, vectors, k)
}

/// The `k` highest of `scores`, the highest first; of equal ones the first row. NaN is not found.
pub fn top_scores(scores: &[f32], k: usize) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    let mut best = Best::new(k);
    best.add(0, scores);
    let found = best.heap.into_sorted_vec();
    found.into_iter().map(|worst| worst.0).collect()
}

pub(crate) fn top_k_with(isa: Isa, query: &[f32], vectors: Vectors, k: usize) -> Vec<Scored> {
    let (dim, rows) = (query.len(), vectors.rows(query.len()));
    if k == 0 {
        return Vec::new();
    }
    let tasks = (0..rows.div_ceil(TASK)).into_par_iter();
    let found: Vec<Vec<Worst>> = tasks
        .map(|task| {
            let end = rows.min((task + 1) * TASK);
            let mut best = Best::new(k);
            let mut scores = [0f32; BLOCK];
            for first in (task * TASK..end).step_by(BLOCK) {
                let rows = first..end.min(first + BLOCK);
                let scores = &mut scores[..rows.len()];
                dots_with(isa, query, vectors.part(rows, dim), scores);
                best.add(first, scores);
            }
            best.heap.into_vec()
        })
        .collect();
    let mut found: Vec<Worst> = found.into_iter().flatten().collect();
    found.sort_unstable();
    found.truncate(k);
    found.into_iter().map(|worst| worst.0).collect()
}

/// The best so far.
struct Best {
    k: usize,
    heap: BinaryHeap<Worst>,
    /// Once there are `k`: the score that a further one must exceed.
    least: f32,
}

/// Ordered so that the worst is the greatest.
#[derive(Clone, Copy, Debug)]
struct Worst(Scored);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        let scores = other.0.score.total_cmp(&self.0.score);
        scores.then(self.0.row.cmp(&other.0.row))
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Worst {}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
            least: f32::NEG_INFINITY,
        }
    }

    /// Takes in the scores of rows from `first` on, which are after all earlier ones.
    fn add(&mut self, first: usize, scores: &[f32]) {
        for (i, &score) in scores.iter().enumerate() {
            let is_full = self.heap.len() == self.k;
            // A later row with an equal score ranks below, and NaN is never found.
            if score.is_nan() || (is_full && score <= self.least) {
                continue;
            }
            if is_full {
                self.heap.pop();
            }
            // Zeros of both signs are equal.
            let score = score + 0.0;
            self.heap.push(Worst(Scored {
                row: first + i,
                score,
            }));
            if self.heap.len() == self.k {
                self.least = self.heap.peek().map_or(self.least, |worst| worst.0.score);
            }
        }
    }
}
