//! Attention forward and backward, for training: of tokens to each other, and of queries to the
//! tokens of something else.
//!
//! `N` inputs, `Q` queries, `L` tokens or keys, `W` width, `H` heads, `D` = W / H.

use super::loops::{Backward, Columns, Head, Shape, attend, attend_backward};
use crate::buffer::{fill, fill_and};
use crate::isa::Isa;

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

/// The shape of an attention of queries to keys of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossAttention {
    /// Queries `Q` of an input.
    pub queries: usize,
    /// Keys `L` of an input, and as many values.
    pub keys: usize,
    /// Width `W`, over all heads.
    pub width: usize,
    /// Heads `H`.
    pub heads: usize,
}

/// The columns of one head's queries, keys and values, in one input.
type Parts<'a> = [Columns<'a>; 3];

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
        let (l, w, shape) = (self.tokens, self.width, self.shape());
        assert!(qkv.len().is_multiple_of(3 * l * w), "qkv's length");
        fill(qkv.len() / 3, l * w, |first, out| {
            let parts = |h: usize| self.parts(&qkv[3 * first..][..3 * l * w], h);
            forward(isa, shape, self.heads, parts, out);
        })
    }

    pub(crate) fn backward_with(&self, isa: Isa, qkv: &[f32], grad: &[f32]) -> Vec<f32> {
        let (l, w, shape) = (self.tokens, self.width, self.shape());
        assert!(
            qkv.len().is_multiple_of(3 * l * w) && 3 * grad.len() == qkv.len(),
            "lengths"
        );
        fill(qkv.len(), 3 * l * w, |first, out| {
            let (qkv, grad) = (&qkv[first..][..3 * l * w], &grad[first / 3..][..l * w]);
            let parts = |h: usize| self.parts(qkv, h);
            backward(isa, shape, self.heads, parts, grad, |part, head, rows| {
                head[part].put(rows, out);
            });
        })
    }

    fn shape(&self) -> Shape {
        Shape {
            queries: self.tokens,
            keys: self.tokens,
            width: head_width([self.tokens, self.tokens], [self.width, self.heads]),
            causal: self.causal,
        }
    }

    /// One head of an input's `[L, 3 W]`.
    fn parts<'a>(&self, qkv: &'a [f32], h: usize) -> Parts<'a> {
        let (w, d) = (self.width, self.width / self.heads);
        [0, w, 2 * w].map(|first| Columns {
            rows: qkv,
            stride: 3 * w,
            first: first + h * d,
            width: d,
        })
    }
}

impl CrossAttention {
    /// Attention of `queries` `[N, Q, W]` to `keys_values` `[N, L, 2 W]`, keys first: `[N, Q, W]`.
    ///
    /// # Panics
    /// If a slice is not whole inputs, or as many of them, or `heads` does not divide `width`.
    pub fn forward(&self, queries: &[f32], keys_values: &[f32]) -> Vec<f32> {
        self.forward_with(Isa::current(), queries, keys_values)
    }

    /// The gradients of `queries` and `keys_values`, given that of the output.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn backward(
        &self,
        queries: &[f32],
        keys_values: &[f32],
        grad: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        self.backward_with(Isa::current(), [queries, keys_values, grad])
    }

    pub(crate) fn forward_with(&self, isa: Isa, queries: &[f32], keys_values: &[f32]) -> Vec<f32> {
        let (shape, [q, kv]) = (self.shape(), self.lengths(queries, keys_values));
        fill(queries.len(), q, |first, out| {
            let (queries, keys_values) = (&queries[first..][..q], &keys_values[first / q * kv..]);
            let parts = |h: usize| self.parts([queries, &keys_values[..kv]], h);
            forward(isa, shape, self.heads, parts, out);
        })
    }

    pub(crate) fn backward_with(
        &self,
        isa: Isa,
        [queries, keys_values, grad]: [&[f32]; 3],
    ) -> (Vec<f32>, Vec<f32>) {
        let (shape, [q, kv]) = (self.shape(), self.lengths(queries, keys_values));
        assert_eq!(grad.len(), queries.len(), "grad's length");
        let (of_keys_values, of_queries) = fill_and(keys_values.len(), kv, |first, out| {
            let input = first / kv * q;
            let (queries, grad) = (&queries[input..][..q], &grad[input..][..q]);
            let mut of_queries = vec![0f32; q];
            let parts = |h: usize| self.parts([queries, &keys_values[first..][..kv]], h);
            backward(isa, shape, self.heads, parts, grad, |part, head, rows| {
                let out = if part == 0 {
                    &mut of_queries[..]
                } else {
                    &mut *out
                };
                head[part].put(rows, out);
            });
            of_queries
        });
        (of_queries.concat(), of_keys_values)
    }

    fn shape(&self) -> Shape {
        Shape {
            queries: self.queries,
            keys: self.keys,
            width: head_width([self.queries, self.keys], [self.width, self.heads]),
            causal: false,
        }
    }

    /// Values of an input's queries, and of its keys and values.
    fn lengths(&self, queries: &[f32], keys_values: &[f32]) -> [usize; 2] {
        let [q, kv] = [self.queries * self.width, self.keys * 2 * self.width];
        assert!(
            queries.len().is_multiple_of(q) && keys_values.len() == queries.len() / q * kv,
            "lengths"
        );
        [q, kv]
    }

    /// One head of an input's `[Q, W]` and `[L, 2 W]`.
    fn parts<'a>(&self, [queries, keys_values]: [&'a [f32]; 2], h: usize) -> Parts<'a> {
        let (w, d) = (self.width, self.width / self.heads);
        let of = |rows: &'a [f32], stride: usize, first: usize| Columns {
            rows,
            stride,
            first: first + h * d,
            width: d,
        };
        [
            of(queries, w, 0),
            of(keys_values, 2 * w, 0),
            of(keys_values, 2 * w, w),
        ]
    }
}

/// The width of a head.
fn head_width(tokens: [usize; 2], [width, heads]: [usize; 2]) -> usize {
    assert!(
        tokens.iter().all(|&tokens| tokens > 0) && heads > 0 && width > 0,
        "not an attention: {tokens:?} tokens, {width} wide, {heads} heads"
    );
    assert!(width.is_multiple_of(heads), "heads");
    width / heads
}

/// One input's attention, head by head, into `out` `[Q, W]`.
fn forward<'a>(
    isa: Isa,
    shape: Shape,
    heads: usize,
    parts: impl Fn(usize) -> Parts<'a>,
    out: &mut [f32],
) {
    let mut rows = vec![0f32; shape.queries * shape.width];
    let mut scratch = vec![0f32; shape.keys];
    for h in 0..heads {
        let head = head(shape, parts(h));
        attend(isa, shape, &head, &mut scratch, &mut rows);
        output(shape, heads, h).put(&rows, out);
    }
}

/// One input's gradients, head by head. `put` gets a part's number (queries, keys, values), all
/// parts' columns, and the rows of the part's gradient.
fn backward<'a>(
    isa: Isa,
    shape: Shape,
    heads: usize,
    parts: impl Fn(usize) -> Parts<'a>,
    grad: &[f32],
    mut put: impl FnMut(usize, &Parts<'a>, &[f32]),
) {
    let (q, l, d) = (shape.queries, shape.keys, shape.width);
    let mut scratch = vec![0f32; 2 * q * l];
    let mut gradients = vec![0f32; (q + 2 * l) * d];
    for h in 0..heads {
        let parts = parts(h);
        let grad = Columns {
            rows: grad,
            ..output(shape, heads, h)
        };
        let more = Backward {
            grad: grad.rows(1.0),
            keys: parts[1].rows(1.0),
            values_by_column: parts[2].columns(),
        };
        let head = head(shape, parts);
        attend_backward(isa, shape, &head, &more, &mut scratch, &mut gradients);
        let (of_queries, rest) = gradients.split_at(q * d);
        let (of_keys, of_values) = rest.split_at(l * d);
        for (part, rows) in [of_queries, of_keys, of_values].into_iter().enumerate() {
            put(part, &parts, rows);
        }
    }
}

/// The columns of a head's output in rows `[Q, W]`.
fn output(shape: Shape, heads: usize, h: usize) -> Columns<'static> {
    Columns {
        rows: &[],
        stride: heads * shape.width,
        first: h * shape.width,
        width: shape.width,
    }
}

/// One head as the loops read it.
fn head(shape: Shape, [queries, keys, values]: Parts) -> Head {
    Head {
        queries: queries.rows((shape.width as f32).sqrt().recip()),
        values: values.rows(1.0),
        keys_by_column: keys.columns(),
    }
}
