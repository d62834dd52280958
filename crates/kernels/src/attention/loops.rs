//! One head's attention of many queries over keys, forward and backward, as plain loops for
//! training.
//!
//! Source: Vaswani et al., arXiv 1706.03762: softmax(q kᵀ / √d) v. The backward takes the
//! probabilities anew, a head at a time, so that none are kept.
//!
//! `Q` queries, `L` keys, `D` width of a head.

use crate::math::exp;
use crate::vectorised::vectorised;

/// One head of one input.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Queries `Q`.
    pub(super) queries: usize,
    /// Keys `L`.
    pub(super) keys: usize,
    /// Width `D`.
    pub(super) width: usize,
    /// Whether a query attends to the keys up to its own place alone; then `Q` is `L`.
    pub(super) causal: bool,
}

impl Shape {
    /// Number of keys, from the first, that the `i`-th query attends to.
    #[inline(always)]
    fn reach(&self, i: usize) -> usize {
        if self.causal { i + 1 } else { self.keys }
    }
}

/// The forward's inputs. Queries come scaled by 1 / √D.
pub(super) struct Head {
    /// `[Q, D]`.
    pub(super) queries: Vec<f32>,
    /// `[L, D]`.
    pub(super) values: Vec<f32>,
    /// `[D, L]`.
    pub(super) keys_by_column: Vec<f32>,
}

/// The backward's further inputs.
pub(super) struct Backward {
    /// The output's gradient, `[Q, D]`.
    pub(super) grad: Vec<f32>,
    /// `[L, D]`.
    pub(super) keys: Vec<f32>,
    /// `[D, L]`.
    pub(super) values_by_column: Vec<f32>,
}

/// One head's columns of rows.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    /// The rows of one input.
    pub(super) rows: &'a [f32],
    /// Values of a row.
    pub(super) stride: usize,
    /// The head's first value in a row.
    pub(super) first: usize,
    /// Its width `D`.
    pub(super) width: usize,
}

impl Columns<'_> {
    /// The head's rows one after the other, scaled: `[L, D]`.
    pub(super) fn rows(&self, scale: f32) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.rows.len() / self.stride * self.width);
        for row in self.rows.chunks_exact(self.stride) {
            rows.extend(row[self.first..][..self.width].iter().map(|v| v * scale));
        }
        rows
    }

    /// The head's columns one after the other: `[D, L]`.
    pub(super) fn columns(&self) -> Vec<f32> {
        let l = self.rows.len() / self.stride;
        let mut columns = vec![0f32; self.width * l];
        for (j, row) in self.rows.chunks_exact(self.stride).enumerate() {
            for (i, value) in row[self.first..][..self.width].iter().enumerate() {
                columns[i * l + j] = *value;
            }
        }
        columns
    }

    /// Writes rows `[L, D]` to the head's columns of `out`, whose rows have `stride` values.
    pub(super) fn put(&self, from: &[f32], out: &mut [f32]) {
        let rows = out.chunks_exact_mut(self.stride);
        for (row, from) in rows.zip(from.chunks_exact(self.width)) {
            row[self.first..][..self.width].copy_from_slice(from);
        }
    }
}

/// Values of a result that are summed in registers at once: a head's width, or as many keys.
const BLOCK: usize = 64;

/// A remainder's block.
const SMALL: usize = 16;

/// `out[c] = Σ factor(k) rows[k][c]` over `k` in `over`; `rows` lie `stride` apart.
#[inline(always)]
fn combine(
    rows: &[f32],
    stride: usize,
    over: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f32,
    out: &mut [f32],
) {
    let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
    let first = blocks.len() * BLOCK;
    for (b, block) in blocks.iter_mut().enumerate() {
        combine_block(&rows[b * BLOCK..], stride, over.clone(), &factor, block);
    }
    let (blocks, rest) = rest.as_chunks_mut::<SMALL>();
    for (b, block) in blocks.iter_mut().enumerate() {
        combine_block(
            &rows[first + b * SMALL..],
            stride,
            over.clone(),
            &factor,
            block,
        );
    }
    let first = first + blocks.len() * SMALL;
    for (c, value) in rest.iter_mut().enumerate() {
        let mut sum = 0f32;
        for k in over.clone() {
            sum += factor(k) * rows[first + c + k * stride];
        }
        *value = sum;
    }
}

/// [`combine`] for a block of columns, whose sums stay in registers.
#[inline(always)]
fn combine_block<const N: usize>(
    rows: &[f32],
    stride: usize,
    over: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f32,
    out: &mut [f32; N],
) {
    let mut sums = [0f32; N];
    for k in over {
        let x = factor(k);
        let row = &rows[k * stride..][..N];
        for c in 0..N {
            sums[c] += x * row[c];
        }
    }
    *out = sums;
}

/// The probabilities of one query over the keys it reaches.
#[inline(always)]
fn probabilities(query: &[f32], keys: &[f32], l: usize, out: &mut [f32]) {
    combine(keys, l, 0..query.len(), |i| query[i], out);
    let mut highest = f32::NEG_INFINITY;
    for &s in out.iter() {
        highest = if s > highest { s } else { highest };
    }
    for s in out.iter_mut() {
        *s = exp(*s - highest);
    }
    let sum: f32 = out.iter().sum();
    for s in out.iter_mut() {
        *s /= sum;
    }
}

vectorised! {
    pub(super) fn attend(shape: Shape, head: &Head, scratch: &mut [f32], out: &mut [f32]) {
        let (l, d) = (shape.keys, shape.width);
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            let p = &mut scratch[..shape.reach(i)];
            probabilities(&head.queries[i * d..][..d], &head.keys_by_column, l, p);
            combine(&head.values, d, 0..p.len(), |j| p[j], out);
        }
    }
}

vectorised! {
    /// With p = softmax(q kᵀ / √D) and the output's gradient g: dv = Σ p g; ds = p (g·v − Σ p g·v);
    /// dq = Σ ds k / √D, dk = Σ ds q / √D.
    pub(super) fn attend_backward(
        shape: Shape,
        head: &Head,
        more: &Backward,
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        let (q, l, d) = (shape.queries, shape.keys, shape.width);
        let scale = 1.0 / (d as f32).sqrt();
        let (of_queries, rest) = out.split_at_mut(q * d);
        let (of_keys, of_values) = rest.split_at_mut(l * d);
        let (p, ds) = scratch.split_at_mut(q * l); // [Q, L] each
        for i in 0..q {
            let reach = shape.reach(i);
            let (p, ds) = (&mut p[i * l..][..reach], &mut ds[i * l..][..reach]);
            let g = &more.grad[i * d..][..d];
            probabilities(&head.queries[i * d..][..d], &head.keys_by_column, l, p);
            combine(&more.values_by_column, l, 0..d, |c| g[c], ds);
            let mut mean = 0f32;
            for j in 0..reach {
                mean += p[j] * ds[j];
            }
            for j in 0..reach {
                ds[j] = p[j] * (ds[j] - mean);
            }
            let of_query = &mut of_queries[i * d..][..d];
            combine(&more.keys, d, 0..reach, |j| ds[j] * scale, of_query);
        }
        for j in 0..l {
            // The queries that reach this key.
            let over = if shape.causal { j..q } else { 0..q };
            let (key, value) = (&mut of_keys[j * d..][..d], &mut of_values[j * d..][..d]);
            // The queries are scaled already.
            combine(&head.queries, d, over.clone(), |i| ds[i * l + j], key);
            combine(&more.grad, d, over, |i| p[i * l + j], value);
        }
    }
}
