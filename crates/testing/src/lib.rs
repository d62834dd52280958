//! Helpers for the tests of several crates; no part of what is published.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]
#![allow(missing_docs, reason = "tests are its readers")]

mod golden;
pub mod hub;
mod mutate;

pub use crc32fast::hash as crc32;
pub use golden::{Golden, folder, max_difference};
pub use mutate::{Form, Mutator};
