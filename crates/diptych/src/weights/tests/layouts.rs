//! Checkpoints in every layout open by their path alone and compute what the libraries that wrote
//! them do (`parity/checkpoints.py`; versions beside them).

use super::*;
use crate::Embeddings;
use crate::ZeroShot;
use crate::image::Pixels;
use crate::text::{Overflow, Tokens};
use diptych_testing::{Golden, max_difference};

/// Opens `golden/layouts/{folder}/{checkpoint}` and compares with the folder's record.
fn agrees(group: &str, checkpoint: &str) {
    let group = format!("layouts/{group}");
    let golden = Golden::open(&group, "expected.safetensors");
    let name = format!("{group}/{checkpoint}");
    let clip = Clip::open_in(folder(&name), crate::Precision::F32);
    let clip = clip.unwrap_or_else(|e| panic!("{name}: {e}"));

    let side = clip.config().vision_cfg.image_size;
    let pictures: Vec<u8> = golden.f32("pictures").iter().map(|&v| v as u8).collect();
    let mut pixels = vec![0.0; pictures.len()];
    let picture = 3 * side * side;
    for (rgb, out) in pictures
        .chunks_exact(picture)
        .zip(pixels.chunks_exact_mut(picture))
    {
        clip.preprocess().normalise_into(rgb, out);
    }
    let pixels = Pixels::from_vec(side, pixels).unwrap();
    let images = clip.encode_images(&pixels).unwrap();
    let want = golden.f32("image_embeddings");
    let off = max_difference(images.as_slice(), &want);
    assert!(off < 1e-5, "{name}: pictures are off by {off:e}");

    let context_length = clip.config().text_cfg.context_length;
    let ids = match clip.tokenizer().as_clip() {
        Some(_) => golden.ids("ids", context_length),
        None => golden.rows("ids"), // padding is a part of SigLIP's
    };
    let tokens = Tokens::from_rows(&ids, context_length).unwrap();
    let texts = clip.text_features(&tokens).unwrap();
    let texts = Embeddings::from_features(clip.config().embed_dim, texts).unwrap();
    let off = max_difference(texts.as_slice(), &golden.f32("text_embeddings"));
    assert!(off < 1e-5, "{name}: texts are off by {off:e}");

    // Its own tokenizer, or as many of CLIP's merges as it has room for, gives the same ids.
    let strings = fs_err::read_to_string(folder(&group).join("texts.json")).unwrap();
    let strings: Vec<String> = serde_json::from_str(&strings).unwrap();
    let own = clip.tokens(&strings, Overflow::Truncate).unwrap();
    let own: Vec<Vec<u32>> = own
        .rows()
        .zip(own.lengths())
        .map(|(row, &n)| row[..n].to_vec())
        .collect();
    assert_eq!(own, ids, "{name}: ids");
}

#[test]
fn openais_archives_and_state_dicts_open() {
    agrees("openai-vit", "script.pt");
    agrees("openai-vit", "state_dict.pt");
    agrees("openai-rn", "script.pt");
}

#[test]
fn directories_of_transformers_open() {
    agrees("hf", "safetensors");
    agrees("hf", "sharded");
    agrees("hf", "bin");
    // A file beside its configuration is the directory.
    agrees("hf", "safetensors/model.safetensors");
    agrees("hf", "sharded/model.safetensors.index.json");
}

#[test]
fn directories_of_open_clip_open_whatever_their_weights_are_in() {
    agrees("open-clip", "bin");
    agrees("open-clip", "pth");
    agrees("open-clip", "custom-text");
}

#[test]
fn siglips_directories_open_with_either_tokenizer() {
    agrees("siglip", "safetensors");
    agrees("siglip2", "safetensors");
}

#[test]
fn a_sigmoid_models_probabilities_are_each_labels_own() {
    let clip = Clip::open(folder("layouts/siglip/safetensors")).unwrap();
    let labels = ["a cat", "the rain", "a dog"];
    let pixels = Pixels::from_vec(16, vec![0.25; 3 * 16 * 16]).unwrap();
    let images = clip.encode_images(&pixels).unwrap();
    let predict = |labels: &[&str]| {
        let classifier = ZeroShot::new(&clip, labels, &["{}"]).unwrap();
        classifier
            .classify(&images, labels.len())
            .unwrap()
            .remove(0)
    };
    let all = predict(&labels);
    let (scale, bias) = (clip.logit_scale(), clip.logit_bias().unwrap());
    assert!((scale.ln() - 2.5).abs() < 1e-3 && bias == -3.0);
    for prediction in &all {
        let logit = scale * prediction.cosine + bias;
        let want = 1.0 / (1.0 + (-logit).exp());
        assert!((prediction.probability - want).abs() < 1e-6);
    }
    let first = all.iter().find(|p| p.label == labels[0]).unwrap();
    let alone = predict(&labels[..1]).remove(0);
    assert!((first.probability - alone.probability).abs() < 1e-6);
}

#[test]
fn what_siglip_is_not_written_as_is_said() {
    for layout in [LayoutKind::OpenClip, LayoutKind::Hf] {
        let mut checkpoint = Checkpoint::open(folder("layouts/siglip/safetensors")).unwrap();
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let converted = convert(&mut checkpoint, &out, layout, Some(Dtype::F32));
        let message = converted.unwrap_err().to_string();
        assert!(message.contains("opened, but not written"), "{message}");
        assert!(!out.exists());
    }
}

/// A copy of a golden directory with one file's text changed.
fn changed(dir: &str, file: &str, change: impl FnOnce(&str) -> String) -> String {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs_err::read_dir(folder(dir)).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join(file);
    let text = fs_err::read_to_string(&path).unwrap();
    let new = change(&text);
    assert_ne!(new, text);
    fs_err::write(&path, new).unwrap();
    message(Checkpoint::open(copy.path()))
}

#[test]
fn configurations_that_mean_another_model_are_refused_by_field() {
    let config = |from: &str, to: &str| {
        changed("layouts/hf/safetensors", "config.json", |text| {
            text.replace(from, to)
        })
    };
    for (from, to, wanted) in [
        (
            "\"model_type\": \"clip\",",
            "\"model_type\": \"blip\",",
            "`blip`",
        ),
        (
            "\"hidden_act\": \"quick_gelu\"",
            "\"hidden_act\": \"relu\"",
            "`hidden_act`",
        ),
        (
            "\"layer_norm_eps\": 1e-05",
            "\"layer_norm_eps\": 2",
            "norm_kwargs",
        ),
        (
            "\"patch_size\": 4",
            "\"patch_size\": 8",
            "patch_embedding.weight",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            "layers.2",
        ),
        ("\"eos_token_id\": 2", "\"eos_token_id\": 7", "eos_token_id"),
        ("\"num_channels\": 3", "\"num_channels\": 1", "num_channels"),
        (
            "\"projection_dim\": 24",
            "\"projection_dim\": 25",
            "text_projection",
        ),
    ] {
        let message = config(from, to);
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn attention_that_does_not_fit_is_named_by_its_third() {
    let golden = folder("layouts/hf/safetensors").join("model.safetensors");
    let file = Tensors::open(&golden).unwrap();
    let key = "text_model.encoder.layers.0.self_attn.k_proj.weight";
    let tensors: Vec<(String, TensorData)> = file
        .names()
        .map(|name| {
            let data = if name == key {
                TensorData::new(vec![0f32], [1])
            } else {
                file.read(name).unwrap()
            };
            (name.to_owned(), data)
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    write_tensors(&path, &tensors, Dtype::F32, Default::default()).unwrap();
    for name in ["config.json", "tokenizer.json"] {
        fs_err::copy(golden.with_file_name(name), dir.path().join(name)).unwrap();
    }
    let message = message(Checkpoint::open(dir.path()));
    assert!(
        message.contains(&format!("`{key}` is [1], wanted [32, 32]")),
        "{message}"
    );
}

#[test]
fn headers_that_look_like_other_files_are_safetensors() {
    // A header of 19,280 bytes begins with "PK", one of 640 as an old pickle does.
    for len in [19_280, 640] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let mut header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.to_vec();
        header.resize(len, b' ');
        let bytes = [&(len as u64).to_le_bytes()[..], &header, &[0; 4]].concat();
        fs_err::write(&path, bytes).unwrap();
        let message = message(Checkpoint::open(&path));
        assert!(
            message.contains("no CLIP: the only tensor in it is `a`;"),
            "{message}"
        );
    }
}

/// OpenAI's golden state dict as a file with other names, opened.
fn renamed(rename: impl Fn(&str) -> String, more: &[&str]) -> crate::Result<Checkpoint> {
    let mut golden = Checkpoint::open(folder("layouts/openai-vit/state_dict.pt")).unwrap();
    let table = parameters(&golden.description().config);
    let named = table
        .iter()
        .map(|p| (rename(&p.name), golden.read(&p.name).unwrap()));
    let mut tensors: Vec<(String, TensorData)> = named.collect();
    for name in more {
        tensors.push(((*name).into(), TensorData::new(vec![0f32], [1])));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("finetuned.safetensors");
    write_tensors(&path, &tensors, Dtype::F32, Default::default()).unwrap();
    let mut opened = Checkpoint::open(&path)?;
    for p in &table {
        assert_eq!(
            opened.read(&p.name).unwrap().values(),
            golden.read(&p.name).unwrap().values(),
            "{}",
            p.name
        );
    }
    Ok(opened)
}

#[test]
fn what_wraps_a_model_in_training_is_taken_off() {
    let compiled = |name: &str| match name.strip_prefix("visual.") {
        Some(rest) => format!("visual._orig_mod.{rest}"),
        None => name.to_owned(),
    };
    let sharded = |name: &str| {
        let block = ".resblocks.0.";
        let inner = format!("{block}_fsdp_wrapped_module._checkpoint_wrapped_module.");
        format!("_fsdp_wrapped_module.{}", name.replace(block, &inner))
    };
    renamed(|name| format!("module._orig_mod.{name}"), &[]).unwrap();
    renamed(compiled, &[]).unwrap();
    renamed(sharded, &[]).unwrap();
    renamed(|name| format!("model.{}", compiled(name)), &[]).unwrap();
    let lightning = renamed(|name| format!("clip_model.{name}"), &["loss.weight", "ema"]).unwrap();
    let notes = &lightning.description().notes;
    assert!(
        notes[1].contains(
            "`clip_model.*`; beside it there are 2 tensors that are left out: `ema`, `loss.weight`"
        ),
        "{notes:?}"
    );
}

#[test]
fn what_was_guessed_of_a_lone_file_is_told() {
    let notes = |checkpoint: Checkpoint| checkpoint.description().notes.clone();
    let plain = notes(renamed(str::to_owned, &[]).unwrap());
    assert_eq!(plain.len(), 1);
    for part in [
        "finetuned.safetensors: ",
        "QuickGELU",
        "`quick_gelu` to false",
    ] {
        assert!(plain[0].contains(part), "{plain:?}");
    }
    // OpenAI's own archives, and directories with a configuration, leave nothing to guess.
    for name in ["openai-vit/script.pt", "hf/safetensors", "open-clip/pth"] {
        let opened = Checkpoint::open(folder(&format!("layouts/{name}"))).unwrap();
        assert_eq!(notes(opened), [""; 0], "{name}");
    }
}

#[test]
fn a_file_that_is_no_clip_is_told_by_what_is_in_it() {
    let two = renamed(|name| format!("model.{name}"), &["ema.logit_scale"]);
    assert!(two.is_ok(), "one tensor is no second model");
    let text_only = |name: &str| name.replace("visual.", "image.");
    let tower_only = |name: &str| {
        if name.starts_with("visual.") {
            name.to_owned()
        } else {
            format!("language.{name}").replace("token_embedding", "words")
        }
    };
    for (renaming, wanted) in [
        (
            &(|name: &str| format!("backbone/{}", name.replace('.', "/")))
                as &dyn Fn(&str) -> String,
            "no CLIP: its 38 tensors are `backbone/",
        ),
        (
            &text_only,
            "no image tower, whose tensors are `visual.…`: its 38 tensors",
        ),
        (&tower_only, "no text tower"),
        (
            &|name: &str| name.replace("visual.proj", "visual.trunk.proj"),
            "neither OpenAI's ViT, which has `visual.proj`",
        ),
    ] {
        let message = message(renamed(renaming, &[]));
        assert!(message.contains(wanted), "{wanted}: {message}");
        assert!(message.contains("finetuned.safetensors"), "{message}");
    }
}

#[test]
fn processors_that_mean_other_pixels_are_refused_by_field() {
    let processor = |from: &str, to: &str| {
        changed("layouts/hf/bin", "preprocessor_config.json", |text| {
            text.replace(from, to)
        })
    };
    for (from, to, wanted) in [
        ("\"resample\": 3", "\"resample\": 1", "`resample`"),
        ("\"do_resize\": true", "\"do_resize\": false", "`do_resize`"),
        ("\"size\": 16,", "", "`size`"),
        ("\"crop_size\": 16", "\"crop_size\": 8", "`crop_size`"),
        (
            "{\n",
            "{\n  \"image_processor_type\": \"ViTImageProcessor\",\n",
            "ViTImageProcessor",
        ),
    ] {
        let message = processor(from, to);
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn shards_lie_beside_their_index() {
    for name in [
        "../model-00002-of-00003.safetensors",
        "/etc/passwd",
        "",
        "none",
        "a.json",
    ] {
        let message = changed(
            "layouts/hf/sharded",
            "model.safetensors.index.json",
            |text| text.replace("model-00002-of-00003.safetensors", name),
        );
        assert!(
            message.contains("shard") || message.contains("none"),
            "{name}: {message}"
        );
    }
}

#[test]
fn a_directory_without_weights_says_what_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let config = folder("layouts/hf/safetensors").join("config.json");
    fs_err::copy(&config, dir.path().join("config.json")).unwrap();
    let tokenizer = config.with_file_name("tokenizer.json");
    fs_err::copy(tokenizer, dir.path().join("tokenizer.json")).unwrap();
    let message = message(Checkpoint::open(dir.path()));
    assert!(
        message.contains("has no weights; wanted one of"),
        "{message}"
    );
}
