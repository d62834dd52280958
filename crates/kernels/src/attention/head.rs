//! One head's attention through the tiles: scores, softmax, sums of values.
//!
//! `Q` queries, `L` keys, `D` width of a head.

use std::cell::RefCell;
use std::ops::Range;

use super::softmax::softmax;
use crate::buffer::Rectangle;
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, Rows, multiply};
use crate::vectorised::vectorised;

/// Queries that attend at a time: whole tiles, few enough for their scores to stay in the cache.
pub(super) const QUERIES: usize = 32;

/// What a head is computed in, kept from call to call.
#[derive(Default)]
pub(super) struct Scratch {
    keys: Right<f32>,
    values: Right<f32>,
    pub(super) scores: Vec<f32>,
    found: Vec<f32>,
    /// Keys `L` and width `D` of what is packed.
    shape: [usize; 2],
}

thread_local! {
    // Borrowed while a head is computed, which one thread does alone: in between it must share no work, since a thread
    // that waits for others may begin another head.
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Where a head's queries, keys and values lie: columns of `[Q, W]` and `[T, 2 W]`, keys first.
pub(super) struct Head<'a> {
    pub(super) queries: &'a [f32],
    pub(super) keys_values: &'a [f32],
    pub(super) width: usize,
    pub(super) columns: Range<usize>,
}

impl Head<'_> {
    /// Sets `out` `[Q, D]` to what the queries find among `l` keys, of which the `j`-th is in row `node(j)`. The first
    /// query reaches `reach` of them, each after it `more` further ones.
    pub(super) fn attend(
        &self,
        isa: Isa,
        (l, node): (usize, impl Fn(usize) -> usize),
        [reach, more]: [usize; 2],
        out: &mut Rectangle,
    ) {
        let (w, d) = (self.width, self.columns.len());
        let row = |j: usize, part: usize| {
            &self.keys_values[(2 * node(j) + part) * w..][self.columns.clone()]
        };
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.pack(isa, [l, d], |j| row(j, 0), |j| row(j, 1));
            for first in (0..out.rows()).step_by(QUERIES) {
                let rows = Rows::Every {
                    stride: w,
                    count: QUERIES.min(out.rows() - first),
                };
                let queries = &self.queries[first * w + self.columns.start..];
                let queries = Left::rows(queries, rows, d);
                let found = scratch.attend(isa, &queries, [reach + first * more, more]);
                for (i, found) in found.chunks_exact(d).enumerate() {
                    out.row(first + i, 0..d).copy_from_slice(found);
                }
            }
        });
    }
}

impl Scratch {
    /// Packs keys and values, `[L, D]`, by their rows.
    fn pack<'a>(
        &mut self,
        isa: Isa,
        [l, d]: [usize; 2],
        key: impl Fn(usize) -> &'a [f32],
        value: impl Fn(usize) -> &'a [f32],
    ) {
        self.shape = [l, d];
        self.keys.repack_transposed([d, l], key);
        self.values.repack(isa, [l, d], |j| Some(value(j)));
    }

    /// What queries find, `[Q, D]`; the first reaches `reach` keys, each after it `more` further ones.
    fn attend(&mut self, isa: Isa, queries: &Left<f32>, [reach, more]: [usize; 2]) -> &[f32] {
        let Self {
            keys,
            values,
            scores,
            found,
            shape: [l, d],
        } = self;
        let q = queries.rows.count();
        scores.resize(q * *l, 0.0);
        multiply(isa, queries, keys, scores, Finish::default());
        soften(isa, *l, [reach, more], 1.0 / (*d as f32).sqrt(), scores);
        found.resize(q * *d, 0.0);
        multiply(
            isa,
            &Left::matrix(scores, *l),
            values,
            found,
            Finish::default(),
        );
        found
    }
}

vectorised! {
    /// The softmax of every row of `l` scores, scaled; what a row does not reach is zero.
    fn soften(l: usize, reaches: [usize; 2], scale: f32, scores: &mut [f32]) {
        let [reach, more] = reaches;
        for (i, row) in scores.chunks_exact_mut(l).enumerate() {
            let (reached, beyond) = row.split_at_mut(reach + i * more);
            softmax(scale, reached);
            beyond.fill(0.0);
        }
    }
}
