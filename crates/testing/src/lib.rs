//! What the tests of several crates need; no part of what is published.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]
#![allow(missing_docs, reason = "tests are its readers")]

mod golden;
pub mod hub;

pub use golden::{Golden, folder, max_difference};
