//! Checkpoints: what is written opens, and what is damaged is refused by name.

mod int8;
mod layouts;
mod tensors;
mod torch;

use std::collections::BTreeMap;
use std::path::Path;

use crate::weights::TensorData;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model::{ClipModel, Source, named_tensors, parameters};
use crate::text::{ClipTokenizer, SpecialTokens};
use crate::{Clip, Device};
use diptych_testing::folder;

/// The tensors of a golden checkpoint.
fn tensors(name: &str) -> (Description, Vec<(String, TensorData)>) {
    let mut checkpoint = Checkpoint::open(folder(name)).unwrap();
    let names = parameters(&checkpoint.description().config)
        .into_iter()
        .map(|p| p.name);
    let tensors = names
        .map(|n| (n.clone(), checkpoint.read(&n).unwrap()))
        .collect();
    (checkpoint.description().clone(), tensors)
}

/// Writes the golden ViT with its tensors changed, and opens it.
fn open_changed(
    change: impl FnOnce(&mut BTreeMap<String, TensorData>),
) -> crate::Result<Checkpoint> {
    let dir = tempfile::tempdir().unwrap();
    let (description, tensors) = tensors("tiny-vit");
    let mut tensors: BTreeMap<_, _> = tensors.into_iter().collect();
    change(&mut tensors);
    let tensors: Vec<_> = tensors.into_iter().collect();
    write_checkpoint(dir.path(), &description, &tensors, Dtype::F32).unwrap();
    Checkpoint::open(dir.path())
}

#[track_caller]
fn message(result: crate::Result<Checkpoint>) -> String {
    match result {
        Ok(_) => panic!("it opened"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn what_is_written_opens_with_the_same_numbers() {
    for name in ["tiny-vit", "tiny-resnet"] {
        let (description, tensors) = tensors(name);
        let texts = ["a cat", "two dogs"];
        let open = |place: &Path| Clip::open_in(place, crate::Precision::F32).unwrap();
        let want = open(&folder(name)).encode_texts(&texts).unwrap();
        for (dtype, bound) in [
            (Dtype::F32, 0.0),
            (Dtype::F16, 5e-3),
            (Dtype::Bf16, 5e-2),
            (Dtype::Int8, 5e-2),
        ] {
            let dir = tempfile::tempdir().unwrap();
            write_checkpoint(dir.path(), &description, &tensors, dtype).unwrap();
            let clip = open(dir.path());
            assert_eq!(clip.preprocess(), &description.preprocess);
            assert_eq!(clip.tokenizer().vocab_size(), 540);
            let got = clip.encode_texts(&texts).unwrap();
            let off = diptych_testing::max_difference(got.as_slice(), want.as_slice());
            assert!(off <= bound, "{name} {dtype:?}: {off}");
        }
    }
}

#[test]
fn missing_extra_misshapen_and_nan_tensors_are_named() {
    let missing = open_changed(|t| drop(t.remove("visual.proj")));
    assert!(message(missing).contains("`visual.proj` is missing"));

    let extra = open_changed(|t| {
        t.insert("visual.trunk.norm".into(), TensorData::new(vec![0f32], [1]));
    });
    assert!(message(extra).contains("`visual.trunk.norm` is unexpected"));

    let misshapen = open_changed(|t| {
        t.insert(
            "visual.proj".into(),
            TensorData::new(vec![0f32; 24 * 24], [24, 24]),
        );
    });
    assert!(message(misshapen).contains("`visual.proj` is [24, 24], wanted [48, 24]"));

    let dir = tempfile::tempdir().unwrap();
    for file in [CONFIG_FILE, TOKENIZER_FILE] {
        fs_err::copy(folder("tiny-vit").join(file), dir.path().join(file)).unwrap();
    }
    let mut bytes = fs_err::read(folder("tiny-vit").join(WEIGHTS_FILE)).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs_err::write(dir.path().join(WEIGHTS_FILE), bytes).unwrap();
    let nan = message(Checkpoint::open(dir.path()));
    assert!(
        nan.contains("visual.transformer") && nan.contains("is NaN at"),
        "{nan}"
    );

    let none = message(open_changed(|t| t.clear()));
    assert!(
        none.contains("that are wanted is there: ")
            && none.contains("but there is no tensor in it"),
        "{none}"
    );
}

#[test]
fn damaged_weight_files_are_refused_and_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let good = fs_err::read(folder("tiny-vit").join(WEIGHTS_FILE)).unwrap();
    let refused = |bytes: &[u8], wanted: &str| {
        fs_err::write(&path, bytes).unwrap();
        let message = Tensors::open(&path).err().unwrap().to_string();
        assert!(
            message.contains("w.safetensors") && message.contains(wanted),
            "{message}"
        );
    };
    refused(b"", "less than four bytes");
    refused(b"\x02\0\0\0", "it has 4 bytes");
    refused(&good[..good.len() - 1], "cut off");
    refused(&[&good[..], b"x"].concat(), "cut off or padded");
    refused(&[0xff; 64], "not a file of tensors");
    refused(b"a text of some words", "not a file of tensors");
    refused(&good[..200], "not a whole safetensors file");
    // A header of spaces, which is a header: nothing of it is read.
    let long = [&(5u64 << 20).to_le_bytes()[..], &vec![b' '; 5 << 20]].concat();
    refused(
        &long,
        "its safetensors header has 5242880 bytes, wanted at most 4194304",
    );
    let mut broken = good.clone();
    broken[8] = b'[';
    refused(&broken, "header is not valid");

    // Flipped bits in the header open or fail, with a message.
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut refusals = 0;
    for _ in 0..1000 {
        let mut bytes = good.clone();
        bytes[rng.random_range(0..header)] ^= 1 << rng.random_range(0..8);
        fs_err::write(&path, &bytes).unwrap();
        match Tensors::open(&path) {
            Err(e) => {
                assert!(e.to_string().contains("w.safetensors"));
                refusals += 1;
            }
            Ok(file) => {
                for name in file.names() {
                    let _ = file.read(name);
                }
            }
        }
    }
    assert!(refusals > 100, "{refusals} of 1,000 refused");
}

#[test]
fn a_configuration_that_asks_for_the_moon_is_refused_before_memory_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    for file in [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE] {
        fs_err::copy(folder("tiny-vit").join(file), dir.path().join(file)).unwrap();
    }
    let text = fs_err::read_to_string(dir.path().join(CONFIG_FILE)).unwrap();
    let check = |from: &str, to: &str, wanted: &str| {
        assert!(text.contains(from), "{from}");
        fs_err::write(dir.path().join(CONFIG_FILE), text.replacen(from, to, 1)).unwrap();
        let message = message(Checkpoint::open(dir.path()));
        assert!(message.contains(wanted), "{message}");
    };
    check(
        "\"width\": 48",
        "\"width\": 4800000000",
        "`vision_cfg.width` is 4800000000",
    );
    check("\"embed_dim\": 24", "\"embed_dim\": 1048576", "visual.proj");
    check(
        "\"vocab_size\": 540",
        "\"vocab_size\": 541",
        "has 540 entries",
    );
    check("\"embed_dim\": 24", "\"embed_dim\": \"24\"", "invalid type");
    check("\"bicubic\"", "\"lanczos\"", "lanczos");
    check("{", "[", "open_clip_config.json");
}

#[test]
fn a_pruned_vocabulary_needs_its_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    for file in [CONFIG_FILE, WEIGHTS_FILE] {
        fs_err::copy(folder("tiny-vit").join(file), dir.path().join(file)).unwrap();
    }
    assert!(message(Checkpoint::open(dir.path())).contains("there is no tokenizer.json"));
}

#[test]
fn a_model_that_is_nowhere_lists_what_there_is() {
    let message = message(Checkpoint::named("no-such-model"));
    assert!(
        message.contains("no-such-model") && message.contains("default"),
        "{message}"
    );
    assert!(describe("no-such-model").is_err());
}

#[test]
fn openai_spellings_of_names_are_known() {
    assert_eq!(
        describe("ViT-B/32").unwrap().config,
        describe("ViT-B-32").unwrap().config
    );
    let large = describe("ViT-L/14@336px");
    assert_eq!(large.unwrap().config.vision_cfg.image_size, 336);
}

#[test]
fn writing_replaces_a_file_whole_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.safetensors");
    let one = |v: f32| vec![("a".to_owned(), TensorData::new(vec![v], [1]))];
    write_tensors(&path, &one(1.0), Dtype::F32, Default::default()).unwrap();
    write_tensors(&path, &one(2.0), Dtype::F32, Default::default()).unwrap();
    let read = Tensors::open(&path).unwrap().read("a").unwrap();
    assert_eq!(read.values(), [2.0]);
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    let nowhere = Path::new("/nonexistent/t.safetensors");
    let error = write_tensors(nowhere, &one(1.0), Dtype::F32, Default::default());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("/nonexistent/t.safetensors")
    );
}

#[test]
fn a_model_is_made_one_of_other_sizes_that_it_can_have() {
    let open = || Checkpoint::open(folder("tiny-resnet")).unwrap();
    let mut larger = open().at_size(96).unwrap();
    let positions = larger.read("visual.attnpool.positional_embedding").unwrap();
    assert_eq!(positions.shape()[0], 1 + 3 * 3);
    assert_eq!(larger.description().preprocess.size, 96);
    for (size, words) in [
        (100, "the ResNet's total stride"),
        (1 << 20, "32768 times the ResNet's total stride"),
        (0, "wanted 1 to"),
    ] {
        let message = message(open().at_size(size));
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_standard_vocabulary_needs_no_tokenizer_file() {
    let mut description = describe("RN50").unwrap();
    description.config = {
        let mut config = describe(folder("tiny-vit").to_str().unwrap())
            .unwrap()
            .config;
        config.text_cfg.vocab_size = crate::text::VOCAB_SIZE;
        config.text_cfg.hf_tokenizer_name = None;
        config.text_cfg.tokenizer_kwargs = None;
        config
    };
    description.tokenizer = ClipTokenizer::new(SpecialTokens::OpenClip).into();
    description.preprocess.size = 16;
    let config = description.config.clone();
    let mut fresh = crate::model::Fresh::new(&config, 1);
    let model = ClipModel::build(&config, &mut fresh, &Device::flex()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_checkpoint(dir.path(), &description, &named_tensors(&model), Dtype::F16).unwrap();
    assert!(!dir.path().join(TOKENIZER_FILE).exists());
    assert_eq!(Clip::open(dir.path()).unwrap().config(), &config);

    // One of the same size is another if its merges are.
    let mut json = ClipTokenizer::new(SpecialTokens::OpenClip).to_json();
    json["model"]["merges"].as_array_mut().unwrap().swap(0, 1);
    let vocabulary = &mut json["model"]["vocab"];
    (vocabulary["in"], vocabulary["th"]) = (513.into(), 512.into());
    let other = ClipTokenizer::from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    assert_eq!(other.vocab_size(), crate::text::VOCAB_SIZE);
    description.tokenizer = other.clone().into();
    write_checkpoint(dir.path(), &description, &named_tensors(&model), Dtype::F16).unwrap();
    let opened = Description::open(dir.path()).unwrap();
    assert_eq!(opened.tokenizer.as_clip(), Some(&other));
}

#[test]
fn variances_and_temperatures_that_give_no_number_are_refused() {
    let hot = open_changed(|t| {
        t.insert("logit_scale".into(), TensorData::new(vec![100f32], [1]));
    });
    assert!(message(hot).contains("`logit_scale`"));
    let overflow = {
        let (description, mut tensors) = tensors("tiny-vit");
        let shape = tensors[0].1.shape().to_vec();
        let mut values = tensors[0].1.values().to_vec();
        values[0] = 1e6;
        tensors[0].1 = TensorData::new(values, shape);
        let dir = tempfile::tempdir().unwrap();
        write_checkpoint(&dir.path().join("m"), &description, &tensors, Dtype::F16)
    };
    assert!(overflow.unwrap_err().to_string().contains("can't hold"));
}

#[test]
fn a_directory_that_is_no_checkpoint_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("diary.txt"), "mine").unwrap();
    let (description, tensors) = tensors("tiny-vit");
    let refused = write_checkpoint(dir.path(), &description, &tensors, Dtype::F32);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("not a checkpoint")
    );
    assert!(dir.path().join("diary.txt").exists());
    // Nor is a file.
    let file = dir.path().join("diary.txt");
    let refused = write_checkpoint(&file, &description, &tensors, Dtype::F32);
    assert!(refused.unwrap_err().to_string().contains("a file here"));
    assert_eq!(fs_err::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_tokenizer_that_is_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for file in [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE] {
        fs_err::copy(folder("tiny-vit").join(file), dir.path().join(file)).unwrap();
    }
    let config = dir.path().join(CONFIG_FILE);
    let text = fs_err::read_to_string(&config).unwrap();
    fs_err::write(&config, text.replace("\"lower\"", "\"canonicalize\"")).unwrap();
    assert!(message(Checkpoint::open(dir.path())).contains("canonicalize"));
    // Without the name, open_clip takes CLIP's own tokenizer whatever lies beside it.
    fs_err::write(
        &config,
        text.replace("\"hf_tokenizer_name\": \"tokenizer.json\",", ""),
    )
    .unwrap();
    assert!(
        message(Checkpoint::open(dir.path()))
            .contains("its tokenizer has 49408 entries (CLIP's merges")
    );
}
