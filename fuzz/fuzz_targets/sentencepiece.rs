//! SigLIP's `spiece.model`.
#![no_main]

diptych_fuzz::target!(Messages, sentencepiece);
