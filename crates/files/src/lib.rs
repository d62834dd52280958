//! Files, as every crate of Diptych reads and writes them.
//!
//! A [`Replacement`] appears under its name when it is whole, or not at all; a [`PositionedFile`] is read at any place by
//! any thread; [`npy`] has NumPy's arrays.
//! Invariant: no picture, no text, no tensor; an error names the file.

pub mod npy;
mod positioned;
mod replacement;

pub use positioned::PositionedFile;
pub use replacement::{Replacement, TEMPORARY, replace, replace_directory, replace_with};
