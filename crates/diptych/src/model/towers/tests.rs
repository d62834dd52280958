//! The towers against open_clip's numbers, and their parameters against the table.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};

use crate::image::Pixels;
use crate::layers::{Phase, plain_values};
use crate::model::Fresh;
use crate::model::{ClipConfig, ClipModel, named_tensors, parameters};
use crate::text::Tokens;
use crate::weights::{architectures, describe};
use crate::{Clip, Device, Embeddings, Precision};
use diptych_testing::{Golden, folder, max_difference};

/// Every value that open_clip recorded for a tiny model (`parity/towers.py`; versions beside it),
/// by the towers that training uses and by those of inference.
fn towers_match_open_clip(name: &str) {
    matches_open_clip(
        name,
        &Clip::open_differentiable(folder(name), &crate::device::tested()).unwrap(),
    );
    matches_open_clip(name, &Clip::open_in(folder(name), Precision::F32).unwrap());
}

fn matches_open_clip(name: &str, clip: &Clip) {
    let golden = Golden::open(name, "expected.safetensors");
    let config = clip.config().clone();

    let pixels = Pixels::from_vec(config.vision_cfg.image_size, golden.f32("pixels")).unwrap();
    let image_features = clip.image_features(&pixels).unwrap();
    let context_length = config.text_cfg.context_length;
    let rows = golden.ids("ids", context_length);
    let tokens = Tokens::from_rows(&rows, context_length).unwrap();
    let text_features = clip.text_features(&tokens).unwrap();

    // A feature may be in the tens; the embeddings' bound is absolute.
    let relative = |got: &[f32], want: &str| {
        let want = golden.f32(want);
        let scale = want.iter().fold(1.0, |m: f32, v| m.max(v.abs()));
        assert!(
            max_difference(got, &want) / scale < 1e-5,
            "{name}: features"
        );
    };
    relative(&image_features, "image_features");
    relative(&text_features, "text_features");

    let images = Embeddings::from_features(config.embed_dim, image_features).unwrap();
    let texts = Embeddings::from_features(config.embed_dim, text_features).unwrap();
    assert!(max_difference(images.as_slice(), &golden.f32("image_embeddings")) < 1e-5);
    assert!(max_difference(texts.as_slice(), &golden.f32("text_embeddings")) < 1e-5);

    let logits: Vec<f32> = images
        .cosines(&texts)
        .unwrap()
        .iter()
        .map(|c| c * clip.logit_scale())
        .collect();
    assert!(max_difference(&logits, &golden.f32("logits_per_image")) < 1e-3);
}

#[test]
fn tiny_vit_matches_open_clip() {
    towers_match_open_clip("tiny-vit");
}

#[test]
fn tiny_resnet_matches_open_clip() {
    towers_match_open_clip("tiny-resnet");
}

#[test]
fn a_checkpoints_own_tokenizer_gives_the_references_ids() {
    let texts = fs_err::read_to_string(folder("tiny-vit").join("texts.json")).unwrap();
    let texts: Vec<String> = serde_json::from_str(&texts).unwrap();
    let clip = Clip::open(folder("tiny-vit")).unwrap();
    let tokens = clip.tokens(&texts, Default::default()).unwrap();
    let want = Golden::open("tiny-vit", "expected.safetensors").ids("ids", 18);
    let got: Vec<Vec<u32>> = tokens
        .rows()
        .zip(tokens.lengths())
        .map(|(row, &n)| row[..n].to_vec())
        .collect();
    assert_eq!(got, want);
}

#[test]
fn the_module_tree_has_the_tables_names_and_shapes() {
    for name in ["tiny-vit", "tiny-resnet"] {
        let config = describe(folder(name).to_str().unwrap()).unwrap().config;
        let model =
            ClipModel::build(&config, &mut Fresh::new(&config, 1), &Device::flex()).unwrap();
        let got: BTreeMap<String, Vec<usize>> = named_tensors(&model)
            .into_iter()
            .map(|(name, data)| (name, data.shape().to_vec()))
            .collect();
        let want: BTreeMap<String, Vec<usize>> = parameters(&config)
            .into_iter()
            .map(|p| (p.name, p.shape))
            .collect();
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn known_architectures_have_the_published_number_of_parameters() {
    // Millions, from open_clip's model profile; running statistics are not parameters.
    let published = [
        ("RN50", 102.01),
        ("RN101", 119.69),
        ("ViT-B-32", 151.28),
        ("ViT-L-14", 427.62),
    ];
    for (name, millions) in published {
        let config = describe(name).unwrap().config;
        let count: usize = parameters(&config)
            .iter()
            .filter(|p| !p.name.contains(".running_"))
            .map(|p| p.shape.iter().product::<usize>())
            .sum();
        let got = count as f64 / 1e6;
        assert!(
            (got - millions).abs() < 0.01,
            "{name}: {got} million, published {millions}"
        );
    }
    assert!(architectures().all(|name| describe(name).is_ok()));
}

#[test]
fn fields_that_change_the_architecture_are_refused_by_name() {
    let base = r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":1,"width":64,"patch_size":8 VISION},
        "text_cfg":{"context_length":8,"vocab_size":600,"width":8,"heads":1,"layers":1 TEXT} TOP}"#;
    let parse = |vision: &str, text: &str, top: &str| {
        let json = base
            .replace("VISION", vision)
            .replace("TEXT", text)
            .replace("TOP", top);
        ClipConfig::from_json("c.json", serde_json::from_str(&json).unwrap())
    };
    let plain = parse("", "", "").unwrap();
    let message = |r: crate::Result<ClipConfig>| r.unwrap_err().to_string();

    assert!(message(parse(r#","rope":true"#, "", "")).contains("rope"));
    assert!(
        message(parse(r#","pool_type":"avg""#, "", ""))
            .contains("`vision_cfg.pool_type` is \"avg\"")
    );
    assert!(message(parse("", r#","embed_cls":true"#, "")).contains("embed_cls"));
    assert!(message(parse("", "", r#","init_logit_bias":1e9"#)).contains("init_logit_bias"));
    let biased = parse("", "", r#","init_logit_bias":-10"#).unwrap();
    let named = parameters(&biased)
        .into_iter()
        .any(|p| p.name == "logit_bias");
    assert!(named && parameters(&plain).iter().all(|p| p.name != "logit_bias"));
    // At their defaults, the same fields say nothing.
    let defaults = parse(
        r#","pool_type":"tok","act_kwargs":null,"timm_pool":"avg""#,
        r#","no_causal_mask":false,"pad_id":0"#,
        r#","custom_text":false"#,
    );
    assert_eq!(defaults.unwrap(), plain);
    for (vision, wanted) in [
        (r#","head_width":48"#, "does not divide"),
        (r#","mlp_ratio":-1"#, "mlp_ratio"),
    ] {
        assert!(message(parse(vision, "", "")).contains(wanted));
    }
}

#[test]
fn tokens_of_another_model_are_refused() {
    let clip = Clip::open(folder("tiny-vit")).unwrap();
    let refused = |rows: &[Vec<u32>], length: usize, wanted: &str| {
        let tokens = Tokens::from_rows(rows, length).unwrap();
        let message = clip.text_features(&tokens).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    refused(&[vec![538, 49_407]], 18, "49407");
    refused(&[vec![1; 19]], 19, "a row has 19");
    refused(&[vec![]], 18, "a row has 0");
}

#[test]
fn a_model_can_be_shared_among_threads() {
    fn check<T: Send + Sync>() {}
    check::<Clip>();
}

#[test]
fn pixels_that_fill_no_patch_are_left_out() {
    // As SigLIP's SO400M has 27 patches of 14 pixels in 384: here four of 4 in 18, and in 16.
    let features = |side: usize| {
        let json = format!(
            r#"{{"embed_dim":8,"vision_cfg":{{"image_size":{side},"layers":1,"width":16,"head_width":8,"patch_size":4}},
            "text_cfg":{{"context_length":8,"vocab_size":600,"width":8,"heads":1,"layers":1}}}}"#
        );
        let config = ClipConfig::from_json("c.json", serde_json::from_str(&json).unwrap()).unwrap();
        let device = Device::flex();
        let mut source = Fresh::new(&config, 3);
        let model = ClipModel::build(&config, &mut source, &device).unwrap();
        // The same picture, with a rim on the right and below.
        let pixel = |c: usize, y: usize, x: usize| ((7 * c + 5 * y + 3 * x) % 11) as f32 / 11.0;
        let rim = |c, y, x| {
            if y < 16 && x < 16 {
                pixel(c, y, x)
            } else {
                9.0
            }
        };
        let pixels: Vec<f32> = (0..3)
            .flat_map(|c| (0..side).flat_map(move |y| (0..side).map(move |x| (c, y, x))))
            .map(|(c, y, x)| rim(c, y, x))
            .collect();
        let pixels = Tensor::from_data(TensorData::new(pixels, [1, 3, side, side]), &device);
        plain_values(model.image_features(pixels, Phase::Infer))
    };
    assert_eq!(features(18), features(16));
}
