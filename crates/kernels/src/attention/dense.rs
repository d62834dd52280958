//! Attention of many queries over all keys, for inference: both products go through the tiles.
//!
//! `N` inputs, `Q` queries and `L` keys of each, `W` width, `H` heads, `D` = W / H.

use std::cell::RefCell;

use crate::buffer::for_each_rectangle;
use crate::isa::Isa;
use crate::math::exp;
use crate::product::{Finish, Left, Right, Rows, multiply};
use crate::vectorised::vectorised;

/// Queries that attend at a time: whole tiles, few enough for their scores to stay in the cache.
const QUERIES: usize = 32;

/// What one head of one input is computed in, kept from call to call.
#[derive(Default)]
struct Scratch {
    keys: Right<f32>,
    values: Right<f32>,
    scores: Vec<f32>,
    found: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What queries `[N, Q, W]` find by keys in values, both `[N, L, 2 W]`, keys first: `out` `[N, Q, W]`.
///
/// # Panics
/// If the lengths do not fit `inputs`, `width` and `heads`, or each other.
pub fn attend(
    [inputs, width, heads]: [usize; 3],
    queries: &[f32],
    keys_values: &[f32],
    out: &mut [f32],
) {
    attend_with(
        Isa::current(),
        [inputs, width, heads],
        queries,
        keys_values,
        out,
    );
}

pub(crate) fn attend_with(
    isa: Isa,
    [inputs, width, heads]: [usize; 3],
    queries: &[f32],
    keys_values: &[f32],
    out: &mut [f32],
) {
    assert!(
        heads > 0 && width > 0 && width.is_multiple_of(heads),
        "heads"
    );
    if inputs == 0 {
        assert!(queries.is_empty() && out.is_empty(), "lengths");
        return;
    }
    let each = |len: usize| {
        assert!(len.is_multiple_of(inputs * width), "lengths");
        len / (inputs * width)
    };
    let (q, l) = (each(queries.len()), each(keys_values.len()) / 2);
    assert!(keys_values.len() == inputs * l * 2 * width && l > 0, "keys");
    assert_eq!(out.len(), queries.len(), "lengths");
    let d = width / heads;
    for_each_rectangle(
        out,
        [width, q, heads],
        |h| h * d,
        |first, h, mut out| {
            let keys_values = &keys_values[first / q.max(1) * l * 2 * width..][..l * 2 * width];
            SCRATCH.with_borrow_mut(|scratch| {
                let Scratch {
                    keys,
                    values,
                    scores,
                    found,
                } = scratch;
                keys.repack_transposed([d, l], &keys_values[h * d..], 2 * width);
                let values_at = width + h * d;
                values.repack(isa, [l, d], |j| {
                    Some(&keys_values[j * 2 * width + values_at..][..d])
                });
                for block in (0..q).step_by(QUERIES) {
                    let n = QUERIES.min(q - block);
                    let left = Left {
                        data: &queries[(first + block) * width + h * d..],
                        rows: Rows::Every {
                            stride: width,
                            count: n,
                        },
                        ..Left::matrix(&[], d)
                    };
                    scores.resize(n * l, 0.0);
                    multiply(isa, &left, keys, scores, Finish::default());
                    soften(isa, l, 1.0 / (d as f32).sqrt(), scores);
                    found.resize(n * d, 0.0);
                    multiply(
                        isa,
                        &Left::matrix(scores, l),
                        values,
                        found,
                        Finish::default(),
                    );
                    for (i, found) in found.chunks_exact(d).enumerate() {
                        out.row(block + i, 0..d).copy_from_slice(found);
                    }
                }
            });
        },
    );
}

vectorised! {
    /// The softmax of every row of `l` scores, scaled.
    fn soften(l: usize, scale: f32, scores: &mut [f32]) {
        for row in scores.chunks_exact_mut(l) {
            softmax(scale, row);
        }
    }
}

/// Sums are taken in so many lanes: with a fixed order that vectorises.
const LANES: usize = 16;

/// The softmax of a row of scores, scaled, within a loop that is compiled for each instruction set.
#[inline(always)]
pub(super) fn softmax(scale: f32, row: &mut [f32]) {
    let mut highest = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (h, &s) in highest.iter_mut().zip(chunk) {
            *h = if s > *h { s } else { *h };
        }
    }
    let highest = rest
        .iter()
        .chain(&highest)
        .fold(f32::NEG_INFINITY, |h, &s| if s > h { s } else { h });
    for s in row.iter_mut() {
        *s = exp((*s - highest) * scale);
    }
    let mut sums = [0f32; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (sum, s) in sums.iter_mut().zip(chunk) {
            *sum += s;
        }
    }
    let sum: f32 = sums.iter().chain(rest).sum();
    let inverse = 1.0 / sum;
    for s in row.iter_mut() {
        *s *= inverse;
    }
}
