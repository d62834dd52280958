//! The kernels of inference on every instruction set against their definitions in f64.

use proptest::prelude::*;

use super::{close, for_each_product, same, values};
use crate::Rounding;
use crate::activation::Activation;
use crate::attention::{Heads, Paths, attend_with};
use crate::convolution::PackedConvolution;
use crate::isa::Isa;
use crate::linear::{Linear, Packing, Then};
use crate::pool::AveragePool;
use crate::rows::{Normed, Rows};

const THEN: [Then; 4] = [
    Then::Store,
    Then::Add,
    Then::Activate(Activation::Relu),
    Then::AddActivate(Activation::Relu),
];

/// The value that `then` stores for a sum, where `before` was.
fn then(then: Then, before: f64, sum: f64) -> f64 {
    match then {
        Then::Store => sum,
        Then::Add => before + sum,
        Then::Activate(_) => sum.max(0.0),
        Then::AddActivate(_) => (before + sum).max(0.0),
    }
}

/// The formats that weights and activations may be kept in together.
pub(super) const FORMATS: [(Packing, Rounding); 4] = [
    (Packing::F32, Rounding::F32),
    (Packing::Bf16, Rounding::Bf16),
    (Packing::Int8, Rounding::F32),
    (Packing::Int8, Rounding::Bf16),
];

pub(super) fn read(rows: &Rows) -> Vec<f32> {
    let mut values = Vec::new();
    rows.read_into(&mut values);
    values
}

fn f32_rows(values: &[f32]) -> Rows {
    Rows::of(Rounding::F32, values)
}

fn check_linear([rows, inputs, outputs]: [usize; 3]) {
    let (x, weight) = (values(rows * inputs, 1), values(outputs * inputs, 2));
    let (bias, before) = (values(outputs, 3), values(rows * outputs, 4));
    let mut sums = Vec::new();
    for x in x.chunks_exact(inputs) {
        for (weight, bias) in weight.chunks_exact(inputs).zip(&bias) {
            let products = x
                .iter()
                .zip(weight)
                .map(|(x, w)| f64::from(*x) * f64::from(*w));
            sums.push(f64::from(*bias) + products.sum::<f64>());
        }
    }
    let layer = Linear::new(&weight, &bias, inputs, Packing::F32);
    assert_eq!([layer.inputs(), layer.outputs()], [inputs, outputs]);
    for isa in Isa::all() {
        for what in THEN {
            let mut got = before.clone();
            layer.apply_as(isa, &x, &mut got[..], what);
            let want = before
                .iter()
                .zip(&sums)
                .map(|(b, s)| then(what, f64::from(*b), *s));
            close(&got, &want.collect::<Vec<_>>(), inputs + 2);
        }
    }
    // The same weight, given as the matrix of a projection.
    let mut matrix = vec![0f32; weight.len()];
    for (i, value) in weight.iter().enumerate() {
        matrix[i % inputs * outputs + i / inputs] = *value;
    }
    let mut got = vec![0f32; rows * outputs];
    let layer = Linear::from_matrix(&matrix, outputs, Packing::F32);
    layer.apply(&f32_rows(&x), &mut got, Then::Store);
    let without_bias = sums
        .iter()
        .enumerate()
        .map(|(i, s)| s - f64::from(bias[i % outputs]));
    close(&got, &without_bias.collect::<Vec<_>>(), inputs + 2);
}

/// The softmax of scores, and with it the sum of values.
fn mixed(scores: &[f64], value: impl Fn(usize) -> f64) -> f64 {
    let highest = scores.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let exps: Vec<f64> = scores.iter().map(|s| (s - highest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter()
        .enumerate()
        .map(|(j, e)| e / sum * value(j))
        .sum()
}

/// Attention of a query `[W]` to the nodes along `path`, with `bias` added to the scores.
fn found(
    query: &[f32],
    keys_values: &[f32],
    heads: usize,
    path: &[usize],
    bias: &[f32],
) -> Vec<f64> {
    let (w, d) = (query.len(), query.len() / heads);
    let at = |node: usize, i: usize| f64::from(keys_values[node * 2 * w + i]);
    let mut out = Vec::new();
    for i in 0..w {
        let head = i / d * d..(i / d + 1) * d;
        let score = |&node: &usize| {
            let products = head.clone().map(|c| f64::from(query[c]) * at(node, c));
            products.sum::<f64>() / (d as f64).sqrt()
        };
        let bias = bias
            .iter()
            .map(|&b| f64::from(b))
            .chain(std::iter::repeat(0.0));
        let scores: Vec<f64> = path
            .iter()
            .map(score)
            .zip(bias)
            .map(|(s, b)| s + b)
            .collect();
        out.push(mixed(&scores, |j| at(path[j], w + i)));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn linear_layers_are_their_definition(
        rows in 1..120usize, inputs in 1..40usize, outputs in 1..200usize,
    ) {
        check_linear([rows, inputs, outputs]);
    }

    #[test]
    fn folded_convolutions_are_their_definition(
        n in 1..6usize, height in 1..9usize, width in 1..9usize,
        inputs in 1..12usize, outputs in 1..60usize, kernel in 0..3usize, stride in 1..3usize,
    ) {
        let kernel = 2 * kernel + 1;
        let c = same([height, width], [inputs, outputs], [kernel, stride]);
        let x = values(n * height * width * inputs, 1);
        let weight = values(outputs * inputs * kernel * kernel, 2);
        let bias = values(outputs, 3);
        let before = values(n * c.output().positions() * outputs, 4);
        let mut sums: Vec<f64> = (0..before.len()).map(|i| f64::from(bias[i % outputs])).collect();
        for_each_product(&c, n, |o, i, w| sums[o] += f64::from(x[i]) * f64::from(weight[w]));
        let packed = PackedConvolution::new(&weight, &bias, [inputs, kernel, stride], Packing::F32);
        for isa in Isa::all() {
            for what in THEN {
                let mut got = f32_rows(&before);
                packed.apply_with(isa, [height, width], &f32_rows(&x), &mut got, what);
                let got = read(&got);
                let want = before.iter().zip(&sums).map(|(b, s)| then(what, f64::from(*b), *s));
                close(&got, &want.collect::<Vec<_>>(), kernel * kernel * inputs + 2);
            }
        }
    }

    #[test]
    fn attention_finds_what_its_definition_says(
        n in 1..4usize, queries in 1..40usize, keys in 1..70usize, heads in 1..4usize, d in 1..70usize,
    ) {
        let w = heads * d;
        let (q, kv) = (values(n * queries * w, 1), values(n * keys * 2 * w, 2));
        let all: Vec<usize> = (0..keys).collect();
        let bias = values(queries * keys, 3);
        for bias in [None, Some(&bias[..])] {
            let mut want = Vec::new();
            for (i, query) in q.chunks_exact(w).enumerate() {
                let kv = &kv[i / queries * keys * 2 * w..][..keys * 2 * w];
                let bias = bias.map_or(&[][..], |bias| &bias[i % queries * keys..][..keys]);
                want.extend(found(query, kv, heads, &all, bias));
            }
            for isa in Isa::all() {
                let mut got = vec![f32::NAN; q.len()];
                attend_with(isa, n, Heads { width: w, heads }, [&q[..], &kv], bias, &mut got);
                close(&got, &want, keys + d);
            }
        }
    }

    #[test]
    fn attention_along_paths_finds_what_its_definition_says(
        parents in prop::collection::vec(0..1000usize, 1..90), heads in 1..4usize,
        d in prop_oneof![1..70usize, Just(64)],
    ) {
        let w = heads * d;
        // Every node hangs on an earlier one, mostly the last, or on none.
        let mut paths: Vec<Vec<usize>> = Vec::new();
        for (node, parent) in parents.iter().enumerate() {
            let parent = match parent % 12 {
                0 => parent % (node + 1),
                _ => node.saturating_sub(1),
            };
            let mut path = if parent < node { paths[parent].clone() } else { Vec::new() };
            path.push(node);
            paths.push(path);
        }
        let (q, kv) = (values(paths.len() * w, 1), values(paths.len() * 2 * w, 2));
        let mut given = Paths::default();
        let mut want = Vec::new();
        for (query, path) in q.chunks_exact(w).zip(&paths) {
            given.push(path.iter().map(|&node| node as u32));
            want.extend(found(query, &kv, heads, path, &[]));
        }
        for isa in Isa::all() {
            let mut got = vec![f32::NAN; q.len()];
            given.attend_with(isa, Heads { width: w, heads }, [&q[..], &kv], &mut got);
            close(&got, &want, paths.len() + d);
        }
    }
}

#[test]
fn long_sums_are_taken_in_parts_and_tall_products_in_panels() {
    check_linear([9, 3072, 50]);
    check_linear([2, 2048 + 1, 17]);
    check_linear([700, 5, 97]);
}

#[test]
fn large_maps_are_convolved_in_bands() {
    let c = same([61, 40], [3, 5], [3, 2]);
    let x = values(3 * 61 * 40 * 3, 1);
    let (weight, bias) = (values(5 * 3 * 9, 2), values(5, 3));
    let want = c.forward(crate::Rounding::F32, &x, &weight, &bias);
    let mut got = f32_rows(&vec![0f32; want.len()]);
    let packed = PackedConvolution::new(&weight, &bias, [3, 3, 2], Packing::F32);
    packed.apply([61, 40], &f32_rows(&x), &mut got, Then::Store);
    let want: Vec<f64> = want.into_iter().map(f64::from).collect();
    close(&read(&got), &want, 28);
}

#[test]
fn what_is_made_in_the_callers_memory_is_what_is_made_anew() {
    let x = values(3 * 8 * 6 * 5, 1);
    let pool = AveragePool {
        height: 8,
        width: 6,
        channels: 5,
        side: 2,
    };
    let mut out = Rows::new(Rounding::F32);
    pool.forward_into(&f32_rows(&x), &mut out);
    let close_to = |got: &[f32], want: &[f32]| {
        close(
            got,
            &want.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
            4,
        );
    };
    close_to(&read(&out), &pool.forward(&x));
    let (weight, bias) = (values(40, 2), values(40, 3));
    let mut out = Normed::new(Rounding::F32, Packing::F32);
    crate::layer_norm_into(1e-5, &x, &weight, &bias, &mut out);
    // Read by a layer that changes nothing.
    let identity: Vec<f32> = (0..1600).map(|i| f32::from(i % 41 == 0)).collect();
    let mut same = vec![f32::NAN; x.len()];
    let layer = Linear::new(&identity, &[], 40, Packing::F32);
    layer.apply(&out, &mut same, Then::Store);
    close_to(&same, &crate::layer_norm(1e-5, &x, &weight, &bias));
}

#[test]
fn values_do_not_depend_on_the_number_of_threads() {
    for (packing, rounding) in FORMATS {
        check_threads(packing, rounding);
    }
}

fn check_threads(packing: Packing, rounding: Rounding) {
    let linear = Linear::new(&values(300 * 70, 1), &values(300, 2), 70, packing);
    let (weight, bias) = (values(20 * 6 * 9, 3), values(20, 4));
    let folded = PackedConvolution::new(&weight, &bias, [6, 3, 1], packing);
    let rows = |count, seed| Rows::of(rounding, &values(count, seed));
    let (x, map) = (rows(130 * 70, 5), rows(33 * 41 * 6, 6));
    let (q, kv) = (rows(2 * 40 * 48, 7), rows(2 * 40 * 96, 8));
    let half = rows(40 * 48, 7);
    let mut paths = Paths::default();
    (0..40u32).for_each(|node| paths.push(0..=node));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let sizes = [130 * 300, 33 * 41 * 20, q.len(), 40 * 48];
            let mut out = sizes.map(|n| rows(n, 9));
            linear.apply(&x, &mut out[0], Then::Store);
            folded.apply([33, 41], &map, &mut out[1], Then::Store);
            crate::attend(
                2,
                Heads {
                    width: 48,
                    heads: 3,
                },
                &q,
                &kv,
                &mut out[2],
            );
            paths.attend(
                Heads {
                    width: 48,
                    heads: 3,
                },
                &half,
                &kv,
                &mut out[3],
            );
            out.map(|rows| read(&rows))
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
#[should_panic(expected = "keys and values")]
fn a_path_beyond_the_nodes_is_refused() {
    let mut paths = Paths::default();
    paths.push([3]);
    let [q, kv, mut out] = [4, 3 * 8, 4].map(|n| f32_rows(&vec![0f32; n]));
    paths.attend(Heads { width: 4, heads: 1 }, &q, &kv, &mut out);
}
