//! Attention of tokens to each other, to a memory, and of the next token.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::super::naive;
use super::super::{Attention, Builder, CrossAttention, KeysValues, Mask, plain_values};
use super::{Named, PLAIN, close, flat, hold};

const WIDTH: usize = 6;
const HEADS: usize = 2;
/// Inputs, tokens of each, and a memory's.
const N: usize = 2;
const TOKENS: usize = 5;
const MEMORY: usize = 3;

const SHAPES: [(&str, &[usize]); 4] = [
    ("layer.in_proj_weight", &[3 * WIDTH, WIDTH]),
    ("layer.in_proj_bias", &[3 * WIDTH]),
    ("layer.out_proj.weight", &[WIDTH, WIDTH]),
    ("layer.out_proj.bias", &[WIDTH]),
];

type Values = BTreeMap<String, Vec<f64>>;

/// One of query, key and value of the stacked projection.
fn project(v: &Values, x: &[f64], part: usize) -> Vec<f64> {
    let weight = &v["layer.in_proj_weight"][part * WIDTH * WIDTH..][..WIDTH * WIDTH];
    let bias = &v["layer.in_proj_bias"][part * WIDTH..][..WIDTH];
    naive::linear(x, weight, bias, WIDTH)
}

fn output(v: &Values, y: &[f64]) -> Vec<f64> {
    let (weight, bias) = (&v["layer.out_proj.weight"], &v["layer.out_proj.bias"]);
    naive::linear(y, weight, bias, WIDTH)
}

fn self_attention(v: &Values, is_causal: bool) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = (0..3).map(|part| project(v, &v["x"], part)).collect();
    let y = naive::attention([&parts[0], &parts[1], &parts[2]], [N, WIDTH, HEADS], |i| {
        if is_causal { i + 1 } else { TOKENS }
    });
    output(v, &y)
}

#[test]
fn attention_is_its_definition() {
    let mut shapes = SHAPES.to_vec();
    shapes.push(("x", &[N, TOKENS, WIDTH]));
    for mask in [Mask::None, Mask::Causal] {
        hold(
            &format!("attention, {mask:?}"),
            &shapes,
            |b| Attention::build(b, "layer", HEADS),
            |layer, given| flat(layer.forward(given.get("x"), mask)),
            |v| self_attention(v, mask == Mask::Causal),
        );
    }
}

#[test]
fn attention_to_a_memory_is_its_definition() {
    let mut shapes = SHAPES.to_vec();
    shapes.push(("x", &[N, TOKENS, WIDTH]));
    shapes.push(("memory", &[N, MEMORY, WIDTH]));
    let naive = |v: &Values| {
        let queries = project(v, &v["x"], 0);
        let [keys, values] = [1, 2].map(|part| project(v, &v["memory"], part));
        let y = naive::attention([&queries, &keys, &values], [N, WIDTH, HEADS], |_| MEMORY);
        output(v, &y)
    };
    hold(
        "cross attention",
        &shapes,
        |b| Attention::build(b, "layer", HEADS),
        |layer, given| {
            let keys_values = layer.keys_values(given.get("memory"));
            flat(layer.find(given.get("x"), keys_values))
        },
        naive,
    );
}

#[test]
fn a_memory_may_have_another_width() {
    const OTHER: usize = 4;
    let shapes: &[(&str, &[usize])] = &[
        ("layer.q_proj_weight", &[WIDTH, WIDTH]),
        ("layer.k_proj_weight", &[WIDTH, OTHER]),
        ("layer.v_proj_weight", &[WIDTH, OTHER]),
        ("layer.in_proj_bias", &[3 * WIDTH]),
        ("layer.out_proj.weight", &[WIDTH, WIDTH]),
        ("layer.out_proj.bias", &[WIDTH]),
        ("x", &[N, TOKENS, WIDTH]),
        ("memory", &[N, MEMORY, OTHER]),
    ];
    hold(
        "cross attention to another width",
        shapes,
        |b| CrossAttention::build(b, "layer", HEADS),
        |layer, given| {
            let keys_values = layer.keys_values(given.get("memory"));
            flat(layer.find(given.get("x"), keys_values))
        },
        |v| {
            let bias = |part: usize| &v["layer.in_proj_bias"][part * WIDTH..][..WIDTH];
            let queries = naive::linear(&v["x"], &v["layer.q_proj_weight"], bias(0), WIDTH);
            let keys = naive::linear(&v["memory"], &v["layer.k_proj_weight"], bias(1), OTHER);
            let values = naive::linear(&v["memory"], &v["layer.v_proj_weight"], bias(2), OTHER);
            let y = naive::attention([&queries, &keys, &values], [N, WIDTH, HEADS], |_| MEMORY);
            output(v, &y)
        },
    );
}

#[test]
fn one_query_for_all_finds_what_each_would() {
    let mut shapes = SHAPES.to_vec();
    shapes.push(("query", &[1, 1, WIDTH]));
    shapes.push(("x", &[N, TOKENS, WIDTH]));
    hold(
        "one query",
        &shapes,
        |b| Attention::build(b, "layer", HEADS),
        |layer, given| flat(layer.query(given.get("query"), given.get("x"))),
        |v| {
            let queries = project(v, &v["query"], 0).repeat(N);
            let [keys, values] = [1, 2].map(|part| project(v, &v["x"], part));
            let y = naive::attention([&queries, &keys, &values], [N, WIDTH, HEADS], |_| TOKENS);
            output(v, &y)
        },
    );
}

/// Checks that texts written in `parts` of so many tokens get what causal attention to all of their
/// tokens gives.
fn written(parts: &[usize], device: &Device) {
    let mut shapes = SHAPES.to_vec();
    shapes.push(("x", &[N, TOKENS, WIDTH]));
    let named = Named::drawn(&shapes);
    let want = self_attention(&named.values(), true);
    for is_plain in [false, true] {
        PLAIN.set(is_plain);
        let mut source = named.clone();
        let mut b = Builder::new(&mut source, device);
        let x: Tensor<3> = b.tensor("x").unwrap();
        let layer = Attention::build(&mut b, "layer", HEADS).unwrap();
        let mut kept = KeysValues::new(N, TOKENS + 2, WIDTH, device);
        let mut found = Vec::new();
        for &count in parts {
            let x = x.clone().narrow(1, kept.tokens(), count);
            found.push(layer.next(x, &mut kept));
        }
        PLAIN.set(false);
        assert_eq!(kept.tokens(), TOKENS);
        let found = plain_values(Tensor::cat(found, 1));
        close(&format!("parts of {parts:?}"), &found, &want);
    }
}

#[test]
fn texts_are_written_token_by_token() {
    for parts in [&[1, 1, 1, 1, 1][..], &[3, 1, 1], &[2, 3], &[5]] {
        written(parts, &Device::flex());
        written(parts, &Device::flex().autodiff());
    }
}

#[test]
fn beams_go_on_from_the_texts_that_are_kept() {
    let mut shapes = SHAPES.to_vec();
    shapes.push(("x", &[N, TOKENS, WIDTH]));
    let named = Named::drawn(&shapes);
    let device = Device::flex();
    let mut source = named.clone();
    let mut b = Builder::new(&mut source, &device);
    let x: Tensor<3> = b.tensor("x").unwrap();
    let layer = Attention::build(&mut b, "layer", HEADS).unwrap();
    let mut kept = KeysValues::new(N, TOKENS, WIDTH, &device);
    layer.next(x.clone().narrow(1, 0, TOKENS - 1), &mut kept);
    kept.keep(&[1, 0, 1]);
    let last = x.narrow(1, TOKENS - 1, 1);
    let last = Tensor::cat(
        [1, 0, 1]
            .map(|text| last.clone().narrow(0, text, 1))
            .to_vec(),
        0,
    );
    let got = plain_values(layer.next(last.clone(), &mut kept));
    let want = self_attention(&named.values(), true);
    let ends: Vec<f64> = [1, 0, 1]
        .iter()
        .flat_map(|text| want[((text + 1) * TOKENS - 1) * WIDTH..][..WIDTH].to_vec())
        .collect();
    close("beams", &got, &ends);
    // A token is taken back and written again.
    kept.truncate(TOKENS - 1);
    assert_eq!(plain_values(layer.next(last, &mut kept)), got);
}
