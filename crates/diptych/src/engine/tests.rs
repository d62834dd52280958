//! The engine against the towers that training uses, and against itself with less to share.

use burn::tensor::{Device, Tensor, TensorData};

use super::Engine;
use super::tree::Tree;
use crate::Embeddings;
use crate::clip::token_tensors;
use crate::golden::max_difference;
use crate::image::Pixels;
use crate::model::{ClipConfig, ClipModel, Mode, plain_values};
use crate::text::Tokens;
use crate::train::Fresh;

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
    Engine::new(config.clone(), Fresh::new(config, 5))
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
            let length = match config.reading().reads_padding() {
                true => text.context_length,
                false => 1 + i % text.context_length,
            };
            (1..length).map(|_| next()).chain([end]).collect()
        })
        .collect();
    Tokens::from_rows(&rows, text.context_length).unwrap()
}

#[track_caller]
fn same(dim: usize, got: Vec<f32>, want: Vec<f32>) {
    let [got, want] = [got, want].map(|features| Embeddings::from_features(dim, features));
    let difference = max_difference(got.as_slice(), want.as_slice());
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn both_towers_are_those_that_training_uses() {
    for json in CONFIGS {
        let config = config(json);
        let device = Device::flex();
        let mut source = Fresh::new(&config, 5);
        let model = ClipModel::build(&config, &mut source, &device).unwrap();
        let engine = engine(&config);

        let (n, side) = (5, config.vision_cfg.image_size);
        let mut next = numbers(1000, 1);
        let values: Vec<f32> = (0..n * 3 * side * side)
            .map(|_| next() as f32 / 500.0 - 1.0)
            .collect();
        let pixels = Pixels::from_vec(side, values.clone()).unwrap();
        let tensor = Tensor::from_data(TensorData::new(values, [n, 3, side, side]), &device);
        let want = plain_values(model.image_features(tensor, Mode::Infer));
        same(
            config.embed_dim,
            engine.image_features(&pixels).unwrap(),
            want,
        );

        let tokens = texts(&config, 40);
        let (ids, ends) = token_tensors(&tokens, 0..tokens.len(), model.reading(), &device);
        let want = plain_values(model.text_features(ids, ends));
        same(
            config.embed_dim,
            engine.text_features(&tokens).unwrap(),
            want,
        );
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
    let engine = Engine::new(clip.clone(), Fresh::new(&other, 1));
    let pixels = Pixels::from_vec(34, vec![0.0; 3 * 34 * 34]).unwrap();
    for _ in 0..2 {
        let message = engine.image_features(&pixels).unwrap_err().to_string();
        assert!(message.contains("visual.class_embedding"), "{message}");
    }
}
