//! Attention to something else, and of the next token, against the attention of tokens to each
//! other.

use proptest::prelude::*;

use super::{close, values};
use crate::attention::{Attention, CrossAttention, Heads, NextAttention, attend_with};
use crate::isa::Isa;

/// The `part`-th third, or two, of rows of `3 · width` values.
fn columns(qkv: &[f32], width: usize, first: usize, count: usize) -> Vec<f32> {
    let rows = qkv.chunks_exact(3 * width);
    rows.flat_map(|row| &row[first * width..(first + count) * width])
        .copied()
        .collect()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn tokens_attend_to_each_other_as_to_something_else(
        n in 1..4usize, tokens in 1..30usize, heads in 1..4usize, d in 1..40usize,
    ) {
        let width = heads * d;
        let stacked = Attention { tokens, width, heads, causal: false };
        let cross = CrossAttention { queries: tokens, keys: tokens, width, heads };
        let qkv = values(n * tokens * 3 * width, 1);
        let grad = values(n * tokens * width, 2);
        let (queries, keys_values) = (columns(&qkv, width, 0, 1), columns(&qkv, width, 1, 2));
        for isa in Isa::all() {
            let want = stacked.forward_with(isa, &qkv);
            prop_assert_eq!(cross.forward_with(isa, &queries, &keys_values), want);
            let want = stacked.backward_with(isa, &qkv, &grad);
            let (q, kv) = cross.backward_with(isa, [&queries, &keys_values, &grad]);
            prop_assert_eq!(q, columns(&want, width, 0, 1));
            prop_assert_eq!(kv, columns(&want, width, 1, 2));
        }
    }

    #[test]
    fn queries_find_what_each_finds_alone(
        n in 1..4usize, queries in 1..9usize, keys in 1..20usize, heads in 1..4usize, d in 1..20usize,
    ) {
        let width = heads * d;
        let shape = CrossAttention { queries, keys, width, heads };
        let (q, kv) = (values(n * queries * width, 1), values(n * keys * 2 * width, 2));
        let got = shape.forward(&q, &kv);
        let alone = CrossAttention { queries: 1, ..shape };
        for (i, got) in got.chunks_exact(width).enumerate() {
            let kv = &kv[i / queries * keys * 2 * width..][..keys * 2 * width];
            let want = alone.forward(&q[i * width..][..width], kv);
            close(got, &widened(&want), 1);
        }
    }

    #[test]
    fn the_next_token_finds_what_the_last_one_does(
        n in 1..4usize, tokens in 1..20usize, spare in 0..5usize, heads in 1..4usize, d in 1..20usize,
    ) {
        let width = heads * d;
        let qkv = values(n * tokens * 3 * width, 1);
        let last = |rows: Vec<f32>| -> Vec<f32> {
            let texts = rows.chunks_exact(tokens * width);
            texts.flat_map(|text| text[(tokens - 1) * width..].to_vec()).collect()
        };
        let want = last(Attention { tokens, width, heads, causal: true }.forward(&qkv));
        // The room beyond the written tokens is NaN here: it must not count.
        let mut keys_values = Vec::new();
        for text in columns(&qkv, width, 1, 2).chunks_exact(tokens * 2 * width) {
            keys_values.extend_from_slice(text);
            keys_values.resize(keys_values.len() + spare * 2 * width, f32::NAN);
        }
        let shape = NextAttention { capacity: tokens + spare, tokens, width, heads };
        let got = shape.forward(&last(columns(&qkv, width, 0, 1)), &keys_values);
        close(&got, &widened(&want), 8 * d);
    }
}

/// A head's keys fill as much memory as a large weight, which all threads lay out; but a head's
/// memory is its thread's, so it must share no work.
#[test]
fn heads_of_many_keys_share_no_work() {
    let (keys, shape) = (
        8192,
        Heads {
            width: 1024,
            heads: 16,
        },
    );
    let queries = values(shape.width, 1);
    let keys_values = vec![0.25; keys * 2 * shape.width];
    let mut found = vec![0f32; shape.width];
    // So many threads that some are idle whenever there is work to share.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(12).build();
    let threads = threads.unwrap();
    for _ in 0..16 {
        threads.install(|| {
            let given = [&queries[..], &keys_values];
            attend_with(Isa::current(), 1, shape, given, None, &mut found);
        });
        assert!(found.iter().all(|value| (value - 0.25).abs() < 1e-4));
    }
}
