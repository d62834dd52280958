//! `diptych convert`, and `diptych models show` of what came in and out.

use crate::support::*;

/// The embeddings of two texts and of two pictures by `model`.
fn embeddings(model: &str) -> Vec<f32> {
    let dir = folder(&[("texts.txt", b"a photo of a cat\n42 in, not on\n")]);
    let (texts, images) = (within(&dir, "texts.npy"), within(&dir, "images.npy"));
    let file = within(&dir, "texts.txt");
    diptych(&["embed", "--texts", &file, "--out", &texts, "--model", model]).ok();
    let [a, b] = ["RGB-61x40.png", "420-q95.jpg"].map(picture);
    diptych(&[
        "embed", "--images", &a, &b, "--out", &images, "--model", model,
    ])
    .ok();
    [read_npy(&texts).1, read_npy(&images).1].concat()
}

#[test]
fn every_layout_becomes_every_other_and_computes_the_same() {
    let dir = folder(&[]);
    for from in [
        "openai-vit/script.pt",
        "hf/sharded",
        "open-clip/custom-text",
    ] {
        let from = golden(&format!("layouts/{from}"));
        let want = embeddings(&from);
        for (layout, dtype) in [
            ("open_clip", "f32"),
            ("hf", "f32"),
            ("hf", "f16"),
            ("open_clip", "bf16"),
        ] {
            let out = within(&dir, &format!("{layout}-{dtype}"));
            let ran = diptych(&["convert", &from, &out, "--layout", layout, "--dtype", dtype]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            assert_eq!(ran.stdout.trim(), out);
            // The golden weights are numbers in f16; bf16 has three bits less.
            let most = if dtype == "bf16" { 0.05 } else { 1e-6 };
            assert_close(&embeddings(&out), &want, most);
            let shown = &diptych(&["models", "show", &out, "--json"]).json()[0];
            assert_eq!(shown["weights"]["dtypes"], serde_json::json!([dtype]));
        }
    }
}

#[test]
fn each_tensor_keeps_its_format_unless_another_is_asked_for() {
    let dir = folder(&[]);
    let mixed = golden("layouts/openai-vit/script.pt");
    let dtypes = |model: &str| {
        let shown = &diptych(&["models", "show", model, "--json"]).json()[0];
        shown["weights"]["dtypes"].clone()
    };
    for layout in ["open_clip", "hf"] {
        let out = within(&dir, layout);
        let back = within(&dir, "back");
        diptych(&["convert", &mixed, &out, "--layout", layout])
            .code
            .unwrap();
        assert_eq!(
            dtypes(&out),
            serde_json::json!(["f16", "f32"]),
            "as OpenAI's file has them"
        );
        diptych(&["convert", &out, &back]).code.unwrap();
        assert_eq!(dtypes(&back), serde_json::json!(["f16", "f32"]));
        if layout == "hf" {
            let config = fs_err::read_to_string(format!("{out}/config.json")).unwrap();
            assert!(config.contains(r#""torch_dtype": "float32""#), "{config}");
        }
        // To the bit.
        assert_eq!(embeddings(&back), embeddings(&mixed));
    }
    let half = within(&dir, "bf16");
    diptych(&["convert", &mixed, &half, "--dtype", "bf16"]).ok();
    diptych(&["convert", &half, &within(&dir, "again")]).ok();
    assert_eq!(dtypes(&within(&dir, "again")), serde_json::json!(["bf16"]));
    diptych(&["convert", "default", &within(&dir, "own")]).ok();
    assert_eq!(dtypes(&within(&dir, "own")), dtypes("default"));
}

#[test]
fn a_resnet_has_no_place_in_transformers() {
    let dir = folder(&[]);
    let (from, out) = (golden("layouts/openai-rn/script.pt"), within(&dir, "out"));
    diptych(&["convert", &from, &out, "--layout", "hf"]).fails(&["CLIPModel", "ModifiedResNet"]);
    assert!(!dir.path().join("out").exists());
}

#[test]
fn what_a_model_is_and_where_that_came_from_is_shown() {
    let script = golden("layouts/openai-vit/script.pt");
    let shown = &diptych(&["models", "show", &script, "--json"]).json()[0];
    assert_eq!(shown["model_cfg"]["quick_gelu"], true);
    assert_eq!(shown["model_cfg"]["vision_cfg"]["width"], 64);
    assert_eq!(shown["weights"]["container"], "PyTorch");
    assert_eq!(
        shown["weights"]["dtypes"],
        serde_json::json!(["f16", "f32"])
    );
    let origin = shown["origins"]["config"].as_str().unwrap();
    assert!(
        origin.contains(&script) && origin.contains("QuickGELU"),
        "{origin}"
    );
    let table = diptych(&["models", "show", &golden("layouts/hf/bin")]).ok();
    for words in [
        "QuickGELU",
        "preprocessor_config.json",
        "tokenizer.json",
        "f16 in PyTorch",
    ] {
        assert!(table.contains(words), "no `{words}` in {table}");
    }
    let known = &diptych(&["models", "show", "ViT-B/32", "--json"]).json()[0];
    assert!(known["weights"].is_null());
    assert_eq!(known["parameters"], 151_277_313);
    diptych(&["models", "show", "nothing"]).fails(&["`nothing`"]);
}

#[test]
fn what_was_guessed_of_a_file_is_said_and_a_directory_can_say_otherwise() {
    let file = golden("layouts/openai-vit/state_dict.pt");
    let dir = folder(&[("texts.txt", b"a cat\n")]);
    let [out, texts, vectors] = ["out", "texts.txt", "a.npy"].map(|name| within(&dir, name));
    let guessed = "taken for QuickGELU";
    for args in [
        &["models", "show", &file][..],
        &["convert", &file, &out],
        &[
            "embed", "--texts", &texts, "--out", &vectors, "--model", &file,
        ],
    ] {
        let ran = diptych(args);
        assert!(ran.stderr.contains(guessed), "{args:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("`quick_gelu` to false"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.code, Some(0), "{args:?}");
    }
    let config = within(&dir, "out/open_clip_config.json");
    let text = fs_err::read_to_string(&config).unwrap();
    let quick = "\"quick_gelu\": true";
    assert!(text.contains(quick), "{text}");
    fs_err::write(&config, text.replace(quick, "\"quick_gelu\": false")).unwrap();
    let shown = diptych(&["models", "show", &out]).ok();
    assert!(!shown.contains("QuickGELU"), "{shown}");
}
