//! SigLIP 2's `tokenizer.json`.
#![no_main]

diptych_fuzz::target!(Text, tokenizer_json);
