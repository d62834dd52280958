//! Attention of many queries over all keys of their input, for inference.
//!
//! `N` inputs, `Q` queries and `L` keys of each, `W` width, `H` heads, `D` = W / H.

use super::Heads;
use super::head::{Attended, Head};
use crate::buffer::for_each_rectangle;
use crate::isa::Isa;
use crate::rows::{Data, Rows};

/// Attention of queries `[N, Q, W]` to keys and values `[N, L, 2 W]`, keys first, into `out`
/// `[N, Q, W]`.
///
/// # Panics
/// If the lengths do not fit `inputs` and `shape`, or each other, or the formats differ; in bf16,
/// if a head's width is odd.
pub fn attend(inputs: usize, shape: Heads, queries: &Rows, keys_values: &Rows, out: &mut Rows) {
    attend_in_format(inputs, shape, [queries, keys_values], None, out);
}

/// [`attend`], with `bias` `[Q, L]` added to the scaled products of queries and keys, in every
/// input and head.
///
/// # Panics
/// As [`attend`], and if `bias` has another length.
pub fn attend_biased(
    inputs: usize,
    shape: Heads,
    queries: &Rows,
    keys_values: &Rows,
    bias: &[f32],
    out: &mut Rows,
) {
    attend_in_format(inputs, shape, [queries, keys_values], Some(bias), out);
}

fn attend_in_format(
    inputs: usize,
    shape: Heads,
    [queries, keys_values]: [&Rows; 2],
    bias: Option<&[f32]>,
    out: &mut Rows,
) {
    let isa = Isa::current();
    match (&queries.0, &keys_values.0, &mut out.0) {
        (Data::F32(queries), Data::F32(keys_values), Data::F32(out)) => {
            attend_with(isa, inputs, shape, [queries, keys_values], bias, out);
        }
        (Data::Bf16(queries), Data::Bf16(keys_values), Data::Bf16(out)) => {
            attend_with(isa, inputs, shape, [queries, keys_values], bias, out);
        }
        _ => panic!("queries, keys and result in several formats"),
    }
}

pub(crate) fn attend_with<F: Attended>(
    isa: Isa,
    inputs: usize,
    Heads { width, heads }: Heads,
    [queries, keys_values]: [&[F]; 2],
    bias: Option<&[f32]>,
    out: &mut [F],
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
    assert!(bias.is_none_or(|bias| bias.len() == q * l), "bias");
    let d = width / heads;
    assert!(d.is_multiple_of(F::STEP), "heads of whole steps");
    for_each_rectangle(
        out,
        [width, q, heads],
        |h| h * d,
        |first, h, mut out| {
            let head = Head {
                queries: &queries[first * width..],
                keys_values: &keys_values[first / q.max(1) * l * 2 * width..][..l * 2 * width],
                width,
                columns: h * d..(h + 1) * d,
            };
            head.attend(isa, (l, |j| j), [l, 0], bias, &mut out);
        },
    );
}
