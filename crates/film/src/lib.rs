//! Films for search: their frames at exact times.
//!
//! Flow: a film's file → [`frames`] → [`Stills`], spans that look the same → an index of moments.
//! Invariant: films are decoded by the `ffmpeg` that is installed, animated pictures by our own
//! decoders; a hostile film opens no other file.

mod error;
pub mod frames;
mod source;
mod spans;

pub use error::{Error, Result};
pub use source::{Animations, Films};
pub use spans::{Still, Stills};

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
