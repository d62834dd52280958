//! A file of weights by itself: zip with a pickle, or safetensors. Seeds: `tests/golden/layouts/openai-*`.
#![no_main]

use diptych::weights::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    std::fs::write(&path, bytes).unwrap();
    let _ = Checkpoint::open(&path);
});
