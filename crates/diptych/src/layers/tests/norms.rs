//! Norms, linear layers and embeddings.

use burn::tensor::{Device, Int, Tensor};

use super::super::naive::{self, Map};
use super::super::{
    BatchNorm, Builder, Embedding, GroupNorm, LayerNorm, Linear, Phase, plain_values,
};
use super::{Named, close, flat, hold};

#[test]
fn norms_are_their_definition() {
    let shape = [2, 3, 5, 6];
    let shapes: &[(&str, &[usize])] =
        &[("layer.weight", &[6]), ("layer.bias", &[6]), ("x", &shape)];
    for groups in [1, 2, 3, 6] {
        hold(
            &format!("group norm, {groups} groups"),
            shapes,
            |b| GroupNorm::build(b, "layer", groups, 1e-3),
            |layer, given| flat(layer.forward(given.get("x"))),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                naive::group_norm(x, [&v["layer.weight"], &v["layer.bias"]], groups, 1e-3)
            },
        );
    }
    hold(
        "layer norm",
        shapes,
        |b| LayerNorm::build(b, "layer", 1e-3),
        |layer, given| flat(layer.forward::<4>(given.get("x"))),
        |v| naive::layer_norm(&v["x"], [&v["layer.weight"], &v["layer.bias"]], 1e-3),
    );
}

#[test]
fn batch_norm_is_its_definition() {
    let shape = [2, 3, 5, 6];
    hold(
        "batch norm",
        &[("layer.weight", &[6]), ("layer.bias", &[6]), ("x", &shape)],
        |b| {
            let statistics = b.tensor::<1>("layer.bias")?; // any, for they are not used
            let mut named = Named::drawn(&[]);
            for name in ["layer.running_mean", "layer.running_var"] {
                let values = plain_values(statistics.clone());
                let data = crate::tensor_data::TensorData::new(values, [6]);
                named.0.insert(name.to_owned(), data);
            }
            for name in ["layer.weight", "layer.bias"] {
                let values = plain_values(b.tensor::<1>(name)?);
                let data = crate::tensor_data::TensorData::new(values, [6]);
                named.0.insert(name.to_owned(), data);
            }
            let device = Device::flex().autodiff();
            BatchNorm::build(&mut Builder::new(&mut named, &device), "layer", 1e-3)
        },
        |layer, given| flat(layer.forward(given.get("x"), Phase::Train)),
        |v| {
            let x = Map {
                values: &v["x"],
                shape,
            };
            naive::batch_norm(x, [&v["layer.weight"], &v["layer.bias"]], 1e-3)
        },
    );
}

#[test]
fn linear_layers_are_their_definition() {
    // As many rows as the kernels take, and fewer.
    for rows in [300, 5] {
        hold(
            &format!("linear, {rows} rows"),
            &[
                ("layer.weight", &[4, 3]),
                ("layer.bias", &[4]),
                ("x", &[rows, 3]),
            ],
            |b| Linear::build(b, "layer"),
            |layer, given| flat(layer.forward::<2>(given.get("x"))),
            |v| naive::linear(&v["x"], &v["layer.weight"], &v["layer.bias"], 3),
        );
        hold(
            &format!("linear without bias, {rows} rows"),
            &[("layer.weight", &[4, 3]), ("x", &[rows, 3])],
            |b| Linear::without_bias(b, "layer"),
            |layer, given| flat(layer.forward::<2>(given.get("x"))),
            |v| naive::linear(&v["x"], &v["layer.weight"], &[], 3),
        );
    }
}

#[test]
fn an_embedding_is_a_row_of_its_table_and_its_gradient_the_sum_of_its_uses() {
    let named = Named::drawn(&[("layer.weight", &[5, 3])]);
    let table = named.0["layer.weight"].values().to_vec();
    let device = Device::flex().autodiff();
    let mut source = named;
    let layer = Embedding::build(&mut Builder::new(&mut source, &device), "layer").unwrap();
    let ids = Tensor::<2, Int>::from_ints([[4, 0, 4]], &device);
    let y = layer.forward(ids);
    let want: Vec<f64> = [4, 0, 4]
        .iter()
        .flat_map(|id| table[id * 3..][..3].iter().map(|v| f64::from(*v)))
        .collect();
    close("embedding", &plain_values(y), &want);
}
