//! Files, as every crate of Diptych reads and writes them.
//!
//! A [`Replacement`] appears under its name when it is whole, or not at all; a [`PositionedFile`]
//! is read at any place by any thread; [`npy`] has NumPy's arrays; [`spell`] writes a file's name
//! as text and loses nothing; [`MAX_FILE_BYTES`] is what may be read of one at once.
//! Invariant: no picture, no text, no tensor; an error names the file.
//!
//! | part | for |
//! | --- | --- |
//! | [`Replacement`], [`replace`], [`replace_with`], [`replace_directory`] | files and folders that are whole or not there |
//! | [`PositionedFile`] | reading at any place, from any thread |
//! | [`npy`] | NumPy's arrays of f32, written and read in parts |
//! | [`spell`], [`unspell`], [`quoted`], [`to_line`], [`from_line`] | names that are not UTF-8, in text |
//!
//! ```
//! use diptych_files::npy::{NpyWriter, read};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("a.npy");
//! let mut array = NpyWriter::create(&path, &[2, 3])?;
//! array.write(&[1.0, 2.0, 3.0])?;
//! array.write(&[4.0, 5.0, 6.0])?;
//! assert!(!path.exists(), "it is not whole yet");
//! array.finish()?;
//! assert_eq!(read(&path)?, (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
//! # Ok(())
//! # }
//! ```

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

/// Bytes of a file, or of a member of an archive, that is read into memory whole; one that has more
/// is refused. An uncompressed picture of 200 megapixels, four channels and 16 bits has 1.6 GB.
pub const MAX_FILE_BYTES: u64 = 1 << 31;

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
