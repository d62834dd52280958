//! Files, as every crate of Diptych reads and writes them.
//!
//! A [`Replacement`] appears under its name when it is whole, or not at all; a [`PositionedFile`] is read at any place by
//! any thread; [`npy`] has NumPy's arrays; [`spell`] writes a file's name as text and loses nothing; [`MAX_FILE_BYTES`] is what
//! may be read of one at once.
//! Invariant: no picture, no text, no tensor; an error names the file.

mod metadata;
mod names;
pub mod npy;
mod positioned;
mod replacement;

pub use metadata::metadata;
pub use names::{from_line, quoted, spell, to_line, unspell};
pub use positioned::PositionedFile;
pub use replacement::{
    Replacement, TEMPORARY, occupied, replace, replace_directory, replace_named, replace_with,
};

/// Bytes of a file, or of a member of an archive, that is read into memory whole; one that has more is refused. An
/// uncompressed picture of 200 megapixels, four channels and 16 bits has 1.6 GB.
pub const MAX_FILE_BYTES: u64 = 1 << 31;
