//! Tests that every store has to pass: a file on this machine, a stand-in for a Qdrant server, and
//! a real one if `DIPTYCH_QDRANT_URL` names it (as `http://127.0.0.1:6334`).

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

mod suite;

mod local;

#[cfg(feature = "qdrant")]
mod fake;
#[cfg(feature = "qdrant")]
mod qdrant;
