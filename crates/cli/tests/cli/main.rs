//! The binary as its users meet it: files and words in, stdout, stderr and exit code out.
//!
//! Models are the tiny golden checkpoints, pictures those of `crates/diptych/tests/golden/pixels`.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

mod bad_inputs;
mod bench;
mod classify;
mod convert;
mod demo;
mod embed;
mod forget;
mod general;
mod index;
mod limits;
mod models;
mod outputs;
mod pack;
mod preprocess;
mod published;
mod search;
mod similarity;
mod support;
mod tokenize;
mod train;
