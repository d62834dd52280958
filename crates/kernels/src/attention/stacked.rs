//! Self-attention over stacked queries, keys and values, forward and backward, for training.
//!
//! Source: Vaswani et al., arXiv 1706.03762: softmax(q kᵀ / √d) v. The backward takes the
//! probabilities anew, a head at a time, so that none are kept.
//!
//! `N` inputs, `L` tokens, `W` width, `H` heads, `D` = W / H.

use crate::buffer::fill;
use crate::isa::Isa;
use crate::math::exp;
use crate::vectorised::vectorised;

/// The shape of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Tokens `L`.
    pub tokens: usize,
    /// Width `W`, over all heads.
    pub width: usize,
    /// Heads `H`.
    pub heads: usize,
    /// Whether a token attends to itself and those before it alone.
    pub causal: bool,
}

/// One head of one input, as the loops want it. Queries come scaled by 1 / √D.
struct Head {
    /// `[L, D]` each.
    queries: Vec<f32>,
    values: Vec<f32>,
    /// `[D, L]`.
    keys_by_column: Vec<f32>,
}

/// What the backward wants besides.
struct Backward {
    /// The output's gradient, `[L, D]`.
    grad: Vec<f32>,
    /// `[L, D]`.
    keys: Vec<f32>,
    /// `[D, L]`.
    values_by_column: Vec<f32>,
}

impl Attention {
    /// Attends in `qkv` `[N, L, 3 W]`: `[N, L, W]`.
    ///
    /// # Panics
    /// If `qkv` is not whole inputs, or `heads` does not divide `width`.
    pub fn forward(&self, qkv: &[f32]) -> Vec<f32> {
        self.forward_with(Isa::current(), qkv)
    }

    /// The gradient of `qkv`, given that of the output.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn backward(&self, qkv: &[f32], grad: &[f32]) -> Vec<f32> {
        self.backward_with(Isa::current(), qkv, grad)
    }

    pub(crate) fn forward_with(&self, isa: Isa, qkv: &[f32]) -> Vec<f32> {
        let (l, w, d) = (self.tokens, self.width, self.head_width());
        assert!(qkv.len().is_multiple_of(3 * l * w), "qkv's length");
        fill(qkv.len() / 3, l * w, |first, out| {
            let qkv = &qkv[3 * first..][..3 * l * w];
            let mut rows = vec![0f32; l * d];
            let mut scratch = vec![0f32; l];
            for h in 0..self.heads {
                let head = self.head(qkv, h);
                attend(isa, *self, &head, &mut scratch, &mut rows);
                for (row, from) in out.chunks_exact_mut(w).zip(rows.chunks_exact(d)) {
                    row[h * d..(h + 1) * d].copy_from_slice(from);
                }
            }
        })
    }

    pub(crate) fn backward_with(&self, isa: Isa, qkv: &[f32], grad: &[f32]) -> Vec<f32> {
        let (l, w, d) = (self.tokens, self.width, self.head_width());
        assert!(
            qkv.len().is_multiple_of(3 * l * w) && 3 * grad.len() == qkv.len(),
            "lengths"
        );
        fill(qkv.len(), 3 * l * w, |first, out| {
            let (qkv, grad) = (&qkv[first..][..3 * l * w], &grad[first / 3..][..l * w]);
            let mut scratch = vec![0f32; 2 * l * l];
            let mut gradients = vec![0f32; 3 * l * d];
            for h in 0..self.heads {
                let head = self.head(qkv, h);
                let more = Backward {
                    grad: self.rows(grad, [w, h * d], 1.0),
                    keys: self.rows(qkv, [3 * w, w + h * d], 1.0),
                    values_by_column: self.columns(qkv, 2 * w + h * d),
                };
                attend_backward(isa, *self, &head, &more, &mut scratch, &mut gradients);
                for (part, gradients) in gradients.chunks_exact(l * d).enumerate() {
                    let rows = out.chunks_exact_mut(3 * w).zip(gradients.chunks_exact(d));
                    for (row, from) in rows {
                        row[part * w + h * d..][..d].copy_from_slice(from);
                    }
                }
            }
        })
    }

    fn head_width(&self) -> usize {
        assert!(
            self.tokens > 0 && self.heads > 0 && self.width > 0,
            "not an attention: {self:?}"
        );
        assert!(self.width.is_multiple_of(self.heads), "heads");
        self.width / self.heads
    }

    /// Takes one head out of an input's `[L, 3 W]`.
    fn head(&self, qkv: &[f32], h: usize) -> Head {
        let (w, d) = (self.width, self.head_width());
        let scale = (d as f32).sqrt().recip();
        Head {
            queries: self.rows(qkv, [3 * w, h * d], scale),
            values: self.rows(qkv, [3 * w, 2 * w + h * d], 1.0),
            keys_by_column: self.columns(qkv, w + h * d),
        }
    }

    /// What every row of `stride` values has from `first` on, `[L, D]`, scaled.
    fn rows(&self, from: &[f32], [stride, first]: [usize; 2], scale: f32) -> Vec<f32> {
        let d = self.head_width();
        let mut rows = Vec::with_capacity(self.tokens * d);
        for row in from.chunks_exact(stride) {
            rows.extend(row[first..][..d].iter().map(|v| v * scale));
        }
        rows
    }

    /// What every row of an input has from `first` on, `[D, L]`.
    fn columns(&self, qkv: &[f32], first: usize) -> Vec<f32> {
        let (l, d) = (self.tokens, self.head_width());
        let mut columns = vec![0f32; d * l];
        for (j, row) in qkv.chunks_exact(3 * self.width).enumerate() {
            for (i, value) in row[first..][..d].iter().enumerate() {
                columns[i * l + j] = *value;
            }
        }
        columns
    }

    /// How many tokens the `i`-th attends to, from the first.
    #[inline(always)]
    fn reach(&self, i: usize) -> usize {
        if self.causal { i + 1 } else { self.tokens }
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
    fn attend(shape: Attention, head: &Head, scratch: &mut [f32], out: &mut [f32]) {
        let (l, d) = (shape.tokens, shape.width / shape.heads);
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            let p = &mut scratch[..shape.reach(i)];
            probabilities(&head.queries[i * d..][..d], &head.keys_by_column, l, p);
            combine(&head.values, d, 0..p.len(), |j| p[j], out);
        }
    }
}

vectorised! {
    /// With S = softmax: dv += p g; ds = p (g·v − Σ p g·v); dq += ds k / √D, dk += ds q / √D.
    fn attend_backward(
        shape: Attention,
        head: &Head,
        more: &Backward,
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        let (l, d) = (shape.tokens, shape.width / shape.heads);
        let scale = 1.0 / (d as f32).sqrt();
        let (of_queries, rest) = out.split_at_mut(l * d);
        let (of_keys, of_values) = rest.split_at_mut(l * d);
        let (p, ds) = scratch.split_at_mut(l * l); // [L, L] each
        for i in 0..l {
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
            let over = if shape.causal { j..l } else { 0..l };
            let (key, value) = (&mut of_keys[j * d..][..d], &mut of_values[j * d..][..d]);
            // The queries are scaled already.
            combine(&head.queries, d, over.clone(), |i| ds[i * l + j], key);
            combine(&more.grad, d, over, |i| p[i * l + j], value);
        }
    }
}
