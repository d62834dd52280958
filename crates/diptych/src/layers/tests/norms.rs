//! Norms, linear layers and embeddings.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use super::super::naive::{self, Map};
use super::super::ops;
use super::super::{
    Activation, BatchNorm, Builder, Embedding, GroupNorm, LayerNorm, Linear, Mlp, ParameterPath,
    Phase, named_parameters, plain_values,
};
use super::{Collected, Named, close, flat, hold};
use crate::model::{Fresh, Init, Table};
use crate::tensor_data::TensorData;

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

const STATISTICS: [(&str, &[usize]); 2] =
    [("layer.running_mean", &[6]), ("layer.running_var", &[6])];

#[test]
fn batch_norm_is_its_definition() {
    let shape = [2, 3, 5, 6];
    let mut shapes: Vec<(&str, &[usize])> = STATISTICS.to_vec();
    shapes.extend([
        ("layer.weight", &[6][..]),
        ("layer.bias", &[6]),
        ("x", &shape),
    ]);
    for phase in [Phase::Train, Phase::Rehearse] {
        hold(
            &format!("batch norm, {phase:?}"),
            &shapes,
            |b| BatchNorm::build(b, "layer", 1e-3),
            |layer, given| flat(layer.forward(given.get("x"), phase)),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                naive::batch_norm(x, [&v["layer.weight"], &v["layer.bias"]], 1e-3)
            },
        );
    }
}

#[test]
fn batch_norm_moves_its_statistics_in_training_alone_and_infers_by_them() {
    let mut shapes: Vec<(&str, &[usize])> = STATISTICS.to_vec();
    shapes.extend([
        ("layer.weight", &[6][..]),
        ("layer.bias", &[6]),
        ("x", &[2, 2, 1, 6]),
    ]);
    let mut named = Named::drawn(&shapes);
    let variance = TensorData::new(vec![0.5, 0.25, 2.0, 1.0, 0.1, 3.0], [6]);
    named.0.insert("layer.running_var".to_owned(), variance);
    let v = named.values();
    let device = Device::flex().autodiff();
    let mut source = named;
    let mut b = Builder::new(&mut source, &device);
    let x: Tensor<4> = b.tensor("x").unwrap();
    let layer = BatchNorm::build(&mut b, "layer", 1e-3).unwrap();
    let mut frozen = b.freeze(|_| true);
    let frozen = BatchNorm::build(&mut frozen, "layer", 1e-3).unwrap();
    let statistics = |layer: &BatchNorm| {
        let parameters = named_parameters(layer).into_iter();
        let statistics = parameters.filter(|(name, _)| name.starts_with("running_"));
        let values: Vec<Vec<f32>> = statistics.map(|(_, data)| data.into_values()).collect();
        values
    };
    let before = [&v["layer.running_mean"], &v["layer.running_var"]].map(Vec::clone);
    layer.forward(x.clone(), Phase::Rehearse);
    frozen.forward(x.clone(), Phase::Train);
    for layer in [&layer, &frozen] {
        for (got, want) in statistics(layer).iter().zip(&before) {
            close("statistics that stay", got, want);
        }
    }
    layer.forward(x.clone(), Phase::Train);
    // A tenth of the way to the batch's mean and unbiased variance, as PyTorch moves them.
    let rows: Vec<&[f64]> = v["x"].chunks_exact(6).collect();
    let count = rows.len() as f64;
    let column = |c: usize| rows.iter().map(move |row| row[c]);
    let mean: Vec<f64> = (0..6).map(|c| column(c).sum::<f64>() / count).collect();
    let squares = |c: usize| column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>();
    let variance: Vec<f64> = (0..6).map(|c| squares(c) / (count - 1.0)).collect();
    let moved = |before: &[f64], batch: &[f64]| -> Vec<f64> {
        let pairs = before.iter().zip(batch);
        pairs
            .map(|(before, batch)| 0.9 * before + 0.1 * batch)
            .collect()
    };
    let after = [moved(&before[0], &mean), moved(&before[1], &variance)];
    for (got, want) in statistics(&layer).iter().zip(&after) {
        close("statistics that move", got, want);
    }
    for (layer, [mean, variance]) in [(&layer, &after), (&frozen, &before)] {
        let values = v["x"].iter().enumerate().map(|(i, x)| {
            let c = i % 6;
            let normal = (x - mean[c]) / (variance[c] + 1e-3).sqrt();
            normal * v["layer.weight"][c] + v["layer.bias"][c]
        });
        let got = plain_values(layer.forward(x.clone(), Phase::Infer));
        close("inference", &got, &values.collect::<Vec<_>>());
    }
}

#[test]
fn two_linear_layers_around_an_activation_are_their_definition() {
    hold(
        "MLP",
        &[
            ("layer.c_fc.weight", &[5, 3]),
            ("layer.c_fc.bias", &[5]),
            ("layer.c_proj.weight", &[3, 5]),
            ("layer.c_proj.bias", &[3]),
            ("x", &[4, 3]),
        ],
        |b| Mlp::build(b, "layer", Activation::QuickGelu),
        |layer, given| flat(layer.forward::<2>(given.get("x"))),
        |v| {
            let (weight, bias) = (&v["layer.c_fc.weight"], &v["layer.c_fc.bias"]);
            let hidden = naive::linear(&v["x"], weight, bias, 3).into_iter();
            let hidden: Vec<f64> = hidden.map(|x| x / (1.0 + (-1.702 * x).exp())).collect();
            let (weight, bias) = (&v["layer.c_proj.weight"], &v["layer.c_proj.bias"]);
            naive::linear(&hidden, weight, bias, 5)
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
    close("embedding", &plain_values(y.clone()), &want);
    let upstream = Tensor::<3>::from_floats(
        [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.5, 0.0, -9.0]]],
        &device,
    );
    let grads = (y * upstream).sum().backward();
    let mut collected = Collected {
        path: ParameterPath::default(),
        grads: &grads,
        gradients: BTreeMap::new(),
    };
    layer.visit(&mut collected);
    let mut want = vec![0.0; 15];
    want[..3].copy_from_slice(&[4.0, 5.0, 6.0]);
    want[12..].copy_from_slice(&[1.5, 2.0, -6.0]);
    close("its gradient", &collected.gradients["layer.weight"], &want);
}

#[test]
fn parameters_of_another_width_panic() {
    let device = Device::flex();
    let of = |n: usize| [Tensor::<1>::ones([n], &device), Tensor::zeros([n], &device)];
    let x = || Tensor::<4>::ones([2, 3, 3, 6], &device);
    for width in [3, 12] {
        catch_unwind(|| ops::layer_norm(x(), of(width), 1e-3)).unwrap_err();
        catch_unwind(|| ops::group_norm(x(), of(width), 3, 1e-3)).unwrap_err();
    }
    for styles in [[1, 6], [4, 6], [2, 3], [4, 3]] {
        catch_unwind(|| ops::modulate(x(), Tensor::ones(styles, &device))).unwrap_err();
    }
    ops::modulate(
        ops::group_norm(x(), of(6), 3, 1e-3),
        Tensor::ones([2, 6], &device),
    );
}

#[test]
fn what_can_not_be_built_or_drawn_says_so() {
    let device = Device::flex();
    let table = |bias: usize, init: Init| {
        Table::new().tensor("fc.weight", &[3, 8], init).tensor(
            "fc.bias",
            &[bias],
            Init::Constant(0.0),
        )
    };
    let build = |table: Table| {
        Linear::build(
            &mut Builder::new(&mut Fresh::of_table(table, 1), &device),
            "fc",
        )
        .map(|_| ())
        .map_err(|error| error.to_string())
    };
    build(table(3, Init::Normal(0.02))).unwrap();
    for (table, words) in [
        (
            table(4, Init::Normal(0.02)),
            "`bias` has 4 values, wanted 3",
        ),
        (
            table(3, Init::Uniform(-1.0)),
            "`fc.weight` can't be drawn by Uniform(-1.0)",
        ),
        (
            table(3, Init::Normal(f32::INFINITY)),
            "`fc.weight` can't be drawn",
        ),
        (Table::new(), "no parameter `fc.weight`"),
    ] {
        let message = build(table).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}
