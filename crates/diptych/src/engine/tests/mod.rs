//! The engine against the towers that training uses, and against itself with less to share.

mod exits;

use burn::tensor::{self, Device, Tensor};

use super::tree::Tree;
use super::{Engine, Precision};
use crate::image::Pixels;
use crate::layers::{Phase, plain_values};
use crate::model::Alive;
use crate::model::{ClipConfig, ClipModel, Fresh, Source};
use crate::text::Tokens;
use crate::weights::TensorData;
use crate::{Embeddings, Result};
use diptych_testing::max_difference;

/// Architectures that take every way through the engine.
const CONFIGS: [&str; 4] = [
    // CLIP's, with a rim of pixels that fill no patch, and a head narrower than its width.
    r#"{"embed_dim":24,"quick_gelu":true,
        "vision_cfg":{"image_size":34,"layers":3,"width":48,"head_width":16,"patch_size":8},
        "text_cfg":{"context_length":20,"vocab_size":600,"width":40,"heads":2,"layers":3}}"#,
    // SigLIP's: no class token, no mask, one learned query.
    r#"{"embed_dim":32,"init_logit_bias":-10,
        "vision_cfg":{"image_size":32,"layers":2,"width":32,"head_width":16,"patch_size":16,
            "pool_type":"map","norm_kwargs":{"eps":1e-6},"act_kwargs":{"approximate":"tanh"}},
        "text_cfg":{"context_length":10,"vocab_size":300,"width":32,"heads":2,"layers":2,
            "no_causal_mask":true,"pool_type":"last","proj_bias":true}}"#,
    // A causal text tower that is read at its last place.
    r#"{"embed_dim":16,"vision_cfg":{"image_size":16,"layers":1,"width":16,"head_width":16,"patch_size":8},
        "text_cfg":{"context_length":7,"vocab_size":30,"width":16,"heads":1,"layers":1,"pool_type":"last"}}"#,
    r#"{"embed_dim":24,"vision_cfg":{"image_size":64,"layers":[2,1,1,2],"width":8,"head_width":16},
        "text_cfg":{"context_length":9,"vocab_size":100,"width":16,"heads":1,"layers":2}}"#,
];

fn config(json: &str) -> ClipConfig {
    ClipConfig::from_json("c.json", serde_json::from_str(json).unwrap()).unwrap()
}

fn engine(config: &ClipConfig) -> Engine {
    Engine::new(config.clone(), Precision::F32, Alive::new(config, 5))
}

/// Deterministic numbers below `n`.
fn numbers(n: u32, seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % u64::from(n)) as u32
    }
}

/// Texts of every length that the context has room for, whose highest id is their last.
fn texts(config: &ClipConfig, count: usize) -> Tokens {
    let text = &config.text_cfg;
    let end = text.vocab_size as u32 - 1;
    let mut next = numbers(end.min(4), 9); // few ids, so that beginnings are shared
    let rows: Vec<Vec<u32>> = (0..count)
        .map(|i| {
            let length = if config.reading().reads_padding() {
                text.context_length
            } else {
                1 + i % text.context_length
            };
            (1..length).map(|_| next()).chain([end]).collect()
        })
        .collect();
    Tokens::from_rows(&rows, text.context_length).unwrap()
}

#[track_caller]
fn same(dim: usize, got: Vec<f32>, want: Vec<f32>) {
    let [got, want] = [got, want].map(|features| Embeddings::from_features(dim, features).unwrap());
    let difference = max_difference(got.as_slice(), want.as_slice());
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn both_towers_are_those_that_training_uses() {
    for json in CONFIGS {
        let config = config(json);
        let device = Device::flex();
        let mut source = Alive::new(&config, 5);
        let model = ClipModel::build(&config, &mut source, &device).unwrap();
        let engine = engine(&config);

        let (n, side) = (5, config.vision_cfg.image_size);
        let mut next = numbers(1000, 1);
        let values: Vec<f32> = (0..n * 3 * side * side)
            .map(|_| next() as f32 / 500.0 - 1.0)
            .collect();
        let pixels = Pixels::from_vec(side, values.clone()).unwrap();
        let tensor =
            Tensor::from_data(tensor::TensorData::new(values, [n, 3, side, side]), &device);
        let want = plain_values(model.image_features(tensor, Phase::Infer));
        same(
            config.embed_dim,
            engine.image_features(&pixels).unwrap(),
            want,
        );

        let tokens = texts(&config, 40);
        let (ids, ends) = model.token_tensors(&tokens, 0..tokens.len(), &device);
        let want = plain_values(model.text_features(ids, ends));
        same(
            config.embed_dim,
            engine.text_features(&tokens).unwrap(),
            want,
        );
    }
}

/// A fresh model's tensors, some channels of the residual streams many times as large as the
/// others.
struct Planted(Fresh);

const PLANTED: [(usize, f32); 3] = [(7, 60.0), (100, -80.0), (150, 100.0)];

impl Source for Planted {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        let data = self.0.read(name)?;
        let shape = data.shape().to_vec();
        let mut values = data.into_values();
        // The stream's other channels are of about this size.
        let size = match name {
            "visual.ln_pre.bias" => 1.0,
            "positional_embedding" => 0.02,
            _ => 0.0,
        };
        if size > 0.0 {
            let width = shape.last().copied().unwrap_or_default();
            for row in values.chunks_exact_mut(width) {
                PLANTED
                    .iter()
                    .for_each(|&(channel, value)| row[channel] += size * value);
            }
        }
        Ok(TensorData::new(values, shape))
    }
}

/// Pictures of stripes of several widths, directions and colours.
fn stripes(n: usize, side: usize) -> Pixels {
    let plane = side * side;
    let stripe = |i: usize| {
        let (picture, channel) = (i / (3 * plane), i / plane % 3);
        let (y, x) = (i / side % side, i % side);
        let along = (picture % 4) as f32 * x as f32 + (picture % 3) as f32 * y as f32;
        2.0 * (along * (0.1 + picture as f32 / 30.0) + (channel * picture) as f32).sin()
    };
    Pixels::from_vec(side, (0..n * 3 * plane).map(stripe).collect()).unwrap()
}

/// The least cosine of rows of `dim` values, and the least after the mean of `want`'s is taken off
/// both.
fn least_cosines(dim: usize, got: &[f32], want: &[f32]) -> (f64, f64) {
    let unit = |features: &[f32]| {
        Embeddings::from_features(dim, features.to_vec())
            .unwrap()
            .as_slice()
            .to_vec()
    };
    let [got, want] = [got, want].map(unit);
    let mut mean = vec![0f64; dim]; // of rows
    for row in want.chunks_exact(dim) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, v)| *m += f64::from(*v) * dim as f64 / want.len() as f64);
    }
    let cosine = |a: &[f32], b: &[f32], mean: &[f64]| {
        let pairs = a
            .iter()
            .zip(b)
            .zip(mean)
            .map(|((a, b), m)| (f64::from(*a) - m, f64::from(*b) - m));
        let sums = pairs.fold([0.0; 3], |[p, q, r], (a, b)| {
            [p + a * b, q + a * a, r + b * b]
        });
        sums[0] / (sums[1] * sums[2]).sqrt()
    };
    let rows = || got.chunks_exact(dim).zip(want.chunks_exact(dim));
    let least = |mean: &[f64]| rows().map(|(a, b)| cosine(a, b, mean)).fold(1.0, f64::min);
    (least(&vec![0.0; dim]), least(&mean))
}

#[test]
fn lower_precisions_are_near_f32() {
    // With heads of an odd width, which bf16 can't pair.
    let odd = CONFIGS[0].replace(
        "\"width\":48,\"head_width\":16",
        "\"width\":45,\"head_width\":15",
    );
    for json in CONFIGS.into_iter().chain([&odd[..]]) {
        let config = config(json);
        let pixels = stripes(9, config.vision_cfg.image_size);
        let tokens = texts(&config, 40);
        let run = |precision| {
            let engine = Engine::new(config.clone(), precision, Alive::new(&config, 5));
            let odd = json.contains("\"head_width\":15") && precision == Precision::Bf16;
            assert_eq!(
                engine.precision(),
                if odd { Precision::F32 } else { precision }
            );
            [
                engine.image_features(&pixels).unwrap(),
                engine.text_features(&tokens).unwrap(),
            ]
        };
        let want = run(Precision::F32);
        // With the mean taken off, which is most of what fresh weights make of any input.
        for (precision, floor) in [(Precision::Bf16, 0.99), (Precision::Int8, 0.97)] {
            for (got, want) in run(precision).iter().zip(&want) {
                let (plain, centred) = least_cosines(config.embed_dim, got, want);
                // A fresh ResNet's branches add nothing yet, so it says nearly the same of all
                // pictures.
                let centred = if json == CONFIGS[3] { 1.0 } else { centred };
                assert!(
                    centred > floor && plain > floor,
                    "{precision:?}: {plain}, centred {centred} in {json}"
                );
            }
        }
    }
}

#[test]
fn the_default_model_is_near_f32_in_lower_precisions() {
    let texts = [
        "a red square",
        "a dog in the snow",
        "two people",
        "an old ship",
    ];
    let run = |precision| {
        let clip = crate::Clip::open_in("default", precision).unwrap();
        let pixels = stripes(12, clip.config().vision_cfg.image_size);
        let images = clip.encode_images(&pixels).unwrap();
        [images, clip.encode_texts(&texts).unwrap()]
    };
    let want = run(Precision::F32);
    for (precision, floor) in [(Precision::Bf16, 0.999), (Precision::Int8, 0.99)] {
        for (got, want) in run(precision).iter().zip(&want) {
            let (_, centred) = least_cosines(want.dim(), got.as_slice(), want.as_slice());
            assert!(centred > floor, "{precision:?}: {centred}");
        }
    }
}

#[test]
fn eight_bits_survive_channels_that_stand_out() {
    let config = config(
        r#"{"embed_dim":64,"quick_gelu":true,
            "vision_cfg":{"image_size":32,"layers":3,"width":192,"head_width":64,"patch_size":8},
            "text_cfg":{"context_length":12,"vocab_size":100,"width":192,"heads":3,"layers":3}}"#,
    );
    let pixels = stripes(20, 32);
    let tokens = texts(&config, 30);
    let run = |precision| {
        let engine = Engine::new(config.clone(), precision, Planted(Fresh::new(&config, 5)));
        [
            engine.image_features(&pixels).unwrap(),
            engine.text_features(&tokens).unwrap(),
        ]
    };
    for (got, want) in run(Precision::Int8).iter().zip(&run(Precision::F32)) {
        let (plain, centred) = least_cosines(64, got, want);
        // The large channels are alike in all inputs. Without what `kernels` does about them the
        // first is 0.9997 and the second −0.08, for pictures.
        assert!(
            plain > 0.9995 && centred > 0.5,
            "{plain}, centred {centred}"
        );
    }
}

#[test]
fn auto_is_what_the_processor_is_made_for() {
    let is_native = diptych_kernels::Rounding::Bf16.is_native();
    let want = if is_native {
        Precision::Bf16
    } else {
        Precision::F32
    };
    let engine = Engine::new(
        config(CONFIGS[0]),
        Precision::Auto,
        Fresh::new(&config(CONFIGS[0]), 1),
    );
    assert_eq!(engine.precision(), want);
    for (name, precision) in Precision::NAMES {
        assert_eq!(precision.name(), name);
    }
}

#[test]
fn texts_that_share_beginnings_are_encoded_as_each_alone() {
    let config = config(CONFIGS[0]);
    let engine = engine(&config);
    // More than one batch of nodes, with equal texts, in no order.
    let tokens = texts(&config, 700);
    let together = engine.text_features(&tokens).unwrap();
    let mut alone = Vec::new();
    for (row, &length) in tokens.rows().zip(tokens.lengths()) {
        let one = Tokens::from_rows(&[&row[..length]], row.len()).unwrap();
        alone.extend(engine.text_features(&one).unwrap());
    }
    same(config.embed_dim, together, alone);
}

#[test]
fn more_than_goes_through_the_blocks_at_a_time_is_encoded_as_each_alone() {
    for json in &CONFIGS[..2] {
        let config = config(json);
        let engine = engine(&config);
        let (n, side) = (530, config.vision_cfg.image_size);
        let mut next = numbers(1000, 2);
        let each = 3 * side * side;
        let values: Vec<f32> = (0..n * each).map(|_| next() as f32 / 500.0 - 1.0).collect();
        let pixels = |values: &[f32]| Pixels::from_vec(side, values.to_vec()).unwrap();
        let together = engine.image_features(&pixels(&values)).unwrap();
        let alone = values
            .chunks_exact(each)
            .flat_map(|one| engine.image_features(&pixels(one)).unwrap());
        same(config.embed_dim, together, alone.collect());
        let tokens = texts(&config, 230);
        let together = engine.text_features(&tokens).unwrap();
        let one = |row: &[u32]| Tokens::from_rows(&[row], row.len()).unwrap();
        let alone = tokens
            .rows()
            .flat_map(|row| engine.text_features(&one(row)).unwrap());
        same(config.embed_dim, together, alone.collect());
    }
}

#[test]
fn a_tree_has_a_node_for_each_beginning() {
    let mut tree = Tree::default();
    // Two texts with a beginning in common, one twice, one that another goes on from.
    let rows: [&[u32]; 5] = [&[1, 2, 3, 9], &[1, 2, 4], &[1, 2, 4], &[1, 2, 4, 9], &[5]];
    for (text, row) in rows.iter().enumerate() {
        tree.push(text, row);
    }
    assert_eq!(tree.ids, [1, 2, 3, 9, 4, 9, 5]);
    assert_eq!(tree.places, [0, 1, 2, 3, 2, 3, 0]);
    assert_eq!(tree.ends, [3, 4, 5, 6]);
    assert_eq!(tree.texts, [(0, 0), (1, 1), (2, 1), (3, 2), (4, 3)]);
    assert_eq!(tree.paths.get(5), [0, 1, 4, 5]);
    assert_eq!(tree.end_paths.get(1), [0, 1, 4]);
    assert_eq!((tree.paths.len(), tree.end_paths.len()), (7, 4));
}

#[test]
fn no_inputs_have_no_features() {
    for json in CONFIGS {
        let config = config(json);
        let engine = engine(&config);
        let pixels = Pixels::empty(config.vision_cfg.image_size);
        assert!(engine.image_features(&pixels).unwrap().is_empty());
        let none: [&[u32]; 0] = [];
        let tokens = Tokens::from_rows(&none, config.text_cfg.context_length).unwrap();
        assert!(engine.text_features(&tokens).unwrap().is_empty());
    }
}

#[test]
fn a_tower_that_cannot_be_read_is_an_error_each_time() {
    let [clip, other] = [0, 1].map(|i| config(CONFIGS[i]));
    // The other model has no class embedding.
    let engine = Engine::new(clip.clone(), Precision::F32, Fresh::new(&other, 1));
    let pixels = Pixels::from_vec(34, vec![0.0; 3 * 34 * 34]).unwrap();
    for _ in 0..2 {
        let message = engine.image_features(&pixels).unwrap_err().to_string();
        assert!(message.contains("visual.class_embedding"), "{message}");
    }
}
