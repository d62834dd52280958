//! One head's attention through the tiles: scores, softmax, sums of values.
//!
//! `Q` queries, `L` keys, `D` width of a head.

use std::cell::RefCell;
use std::ops::Range;

use half::bf16;

use crate::buffer::Rectangle;
use crate::element::Float;
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, Rows, multiply};
use crate::row::softmax;
use crate::tile::UNIT;

/// Queries that attend at a time: whole tiles, few enough for their scores to stay in the cache.
pub(super) const QUERIES: usize = 32;

/// Memory that a head is computed in, kept from call to call.
#[derive(Default)]
pub(crate) struct Scratch<F: Float> {
    keys: Right<F>,
    values: Right<F>,
    /// A row for each query, in whole units; values beyond the last key are ignored.
    pub(super) scores: Vec<f32>,
    /// The scores' softmax.
    shares: Vec<F>,
}

/// A format that attention is computed in.
pub(crate) trait Attended: Float {
    /// Calls `f` with this thread's memory for it.
    fn with_scratch<R>(f: impl FnOnce(&mut Scratch<Self>) -> R) -> R;
}

thread_local! {
    // Borrowed while one thread computes a head. It must share no work meanwhile: a thread that
    // waits for others may begin another head, and would borrow this a second time.
    static F32: RefCell<Scratch<f32>> = RefCell::default();
    static BF16: RefCell<Scratch<bf16>> = RefCell::default();
}

impl Attended for f32 {
    fn with_scratch<R>(f: impl FnOnce(&mut Scratch<Self>) -> R) -> R {
        F32.with_borrow_mut(f)
    }
}

impl Attended for bf16 {
    fn with_scratch<R>(f: impl FnOnce(&mut Scratch<Self>) -> R) -> R {
        BF16.with_borrow_mut(f)
    }
}

/// A head's queries, keys and values: columns of `[Q, W]` and `[T, 2 W]`, keys first.
pub(super) struct Head<'a, F> {
    pub(super) queries: &'a [F],
    pub(super) keys_values: &'a [F],
    pub(super) width: usize,
    pub(super) columns: Range<usize>,
}

impl<F: Attended> Head<'_, F> {
    /// Sets `out` `[Q, D]` to the queries' attention to `l` keys, of which the `j`-th is in row
    /// `node(j)`. Query `i` reaches the first `reach + i · more` of them. `bias` `[Q, l]` is added
    /// to the scaled scores.
    pub(super) fn attend(
        &self,
        isa: Isa,
        (l, node): (usize, impl Fn(usize) -> usize + Sync),
        [reach, more]: [usize; 2],
        bias: Option<&[f32]>,
        out: &mut Rectangle<F>,
    ) {
        let (w, d) = (self.width, self.columns.len());
        let row = |j: usize, part: usize| {
            &self.keys_values[(2 * node(j) + part) * w..][self.columns.clone()]
        };
        F::with_scratch(|scratch| {
            scratch.keys.repack_transposed([d, l], |j| row(j, 0));
            scratch.values.repack_rows(isa, [l, d], |j| row(j, 1));
            for first in (0..out.rows()).step_by(QUERIES) {
                let rows = first..out.rows().min(first + QUERIES);
                let queries = &self.queries[first * w + self.columns.start..];
                let (stride, count) = (w, rows.len());
                let queries = Left::rows(queries, Rows::Every { stride, count }, d);
                let reaches = [reach + first * more, more];
                let bias = bias.map(|bias| &bias[first * l..]);
                scratch.attend(isa, &queries, reaches, bias, out.rows_mut(rows));
            }
        });
    }
}

impl<F: Float> Scratch<F> {
    /// Sets `out` to the queries' attention; query `i` reaches the first `reach + i · more` keys.
    fn attend(
        &mut self,
        isa: Isa,
        queries: &Left<F>,
        reaches: [usize; 2],
        bias: Option<&[f32]>,
        out: Rectangle<F>,
    ) {
        let Self {
            keys,
            values,
            scores,
            shares,
        } = self;
        let (q, l, d) = (queries.rows.count(), keys.columns(), values.columns());
        let stride = l.next_multiple_of(UNIT);
        scores.resize(q * stride, 0.0);
        let found = Rectangle::strided(scores, stride, l);
        multiply(isa, queries, keys, found, Finish::default());
        let ([reach, more], scale) = (reaches, 1.0 / (d as f32).sqrt());
        if let Some(bias) = bias {
            // Softmax multiplies the scores by `scale`, so the bias is divided by it here.
            let rows = scores.chunks_exact_mut(stride).zip(bias.chunks_exact(l));
            for (scores, bias) in rows {
                scores
                    .iter_mut()
                    .zip(bias)
                    .for_each(|(s, b)| *s += b / scale);
            }
        }
        shares.resize(scores.len(), F::default());
        let rows = scores
            .chunks_exact_mut(stride)
            .zip(shares.chunks_exact_mut(stride));
        for (i, (scores, shares)) in rows.enumerate() {
            softmax(isa, scale, reach + i * more, scores, shares);
        }
        let shares = Left::rows(shares, Rows::Every { stride, count: q }, l);
        multiply(isa, &shares, values, out, Finish::default());
    }
}
