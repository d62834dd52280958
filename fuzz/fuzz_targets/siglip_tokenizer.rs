//! SigLIP's tokenizers: even inputs are a `spiece.model`, odd ones a `tokenizer.json`. Seeds:
//! `tests/golden/layouts/siglip*`, a byte before each.
#![no_main]

use diptych::text::{Overflow, SiglipTokenizer, Tokenizer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else {
        return;
    };
    let tokenizer = match kind % 2 {
        0 => SiglipTokenizer::from_sentencepiece(bytes, None),
        _ => SiglipTokenizer::from_json(bytes, None),
    };
    if let Ok(tokenizer) = tokenizer {
        let tokenizer = Tokenizer::Siglip(tokenizer);
        let ids = tokenizer.encode("A photo of a café, don't", 16, Overflow::Truncate);
        if let Ok(ids) = ids {
            assert_eq!(ids.len(), 16);
            let _ = tokenizer.decode(&ids);
        }
    }
});
