//! The configuration files of a directory. The input is a name's number, then the file's bytes. Seeds: the JSON
//! files of `tests/golden/layouts`, a byte before each.
#![no_main]

use diptych::weights::Description;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = [
    "open_clip_config.json",
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// What makes a directory of the files that can't be one by themselves.
const CLIP: &str = r#"{"model_type": "clip"}"#;

/// The same for `tokenizer_config.json`, which is read for SigLIP alone.
const SIGLIP: &str = r#"{"model_type": "siglip"}"#;

const SENTENCEPIECE: &[u8] =
    include_bytes!("../../crates/diptych/tests/golden/layouts/siglip/safetensors/spiece.model");

fuzz_target!(|bytes: &[u8]| {
    let Some((&number, bytes)) = bytes.split_first() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let name = NAMES[usize::from(number) % NAMES.len()];
    let is_siglip = name == "tokenizer_config.json";
    let config = if is_siglip { SIGLIP } else { CLIP };
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    if is_siglip {
        std::fs::write(dir.path().join("spiece.model"), SENTENCEPIECE).unwrap();
    }
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let _ = Description::open(dir.path());
});
