//! NumPy's `.npy`, little-endian, C order: f32 is written, in version 1.0; f32 and f16 are read.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//! Invariant: the file appears under its name when it is whole, or not at all.

mod read;

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use self::read::{NpyReader, read};
use crate::Replacement;

/// A file that is not the array that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyError {
    /// A file that is no array, or none that is read here.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Found and wanted, in words.
        reason: String,
    },
    /// Another number of values than the shape says.
    #[error("cannot write {}: {reason}", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// Values that are missing or too many.
        reason: String,
    },
    /// A file that can't be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A result of this module.
pub type Result<T, E = NpyError> = std::result::Result<T, E>;

/// An array on its way to a file, in any number of parts.
#[derive(Debug)]
pub struct NpyWriter {
    file: Replacement,
    shape: Vec<usize>,
    /// Values still to come.
    missing: usize,
}

impl NpyWriter {
    /// Begins an array of a shape of two or more sides, at a path as [`Replacement::create_named`]
    /// takes it.
    ///
    /// # Errors
    /// If there can be no file.
    pub fn create(path: &Path, shape: &[usize]) -> Result<Self> {
        let mut file = Replacement::create_named(path)?;
        file.write_all(&header(shape, 0))?;
        Ok(Self {
            file,
            shape: shape.to_vec(),
            missing: shape.iter().product(),
        })
    }

    /// Adds the next values.
    ///
    /// # Errors
    /// [`NpyError::Values`] if they are more than the shape has left.
    pub fn write(&mut self, values: &[f32]) -> Result<()> {
        if values.len() > self.missing {
            return Err(self.off("too many values".into()));
        }
        self.missing -= values.len();
        for value in values {
            self.file.write_all(&value.to_le_bytes())?;
        }
        Ok(())
    }

    /// Makes do with the rows that have been written, where fewer came than were announced.
    ///
    /// # Errors
    /// If the header can't be written anew.
    pub fn end_here(&mut self) -> Result<()> {
        let row: usize = self.shape.iter().skip(1).product();
        let length = header(&self.shape, 0).len();
        if let Some(rows) = self.shape.first_mut() {
            *rows -= self.missing / row.max(1);
        }
        self.missing %= row.max(1);
        let shorter = header(&self.shape, length);
        self.file.rewind()?;
        self.file.write_all(&shorter)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    /// Gives the whole array its name.
    ///
    /// # Errors
    /// [`NpyError::Values`] if some are missing.
    pub fn finish(self) -> Result<()> {
        if self.missing > 0 {
            return Err(self.off(format!("{} values are missing", self.missing)));
        }
        Ok(self.file.commit()?)
    }

    fn off(&self, reason: String) -> NpyError {
        NpyError::Values {
            path: self.file.path().to_owned(),
            reason,
        }
    }
}

/// Magic, version, and a shape of two or more sides in Python's spelling, padded to a multiple of
/// 64 bytes and to `length`, which is one.
fn header(shape: &[usize], length: usize) -> Vec<u8> {
    const BEFORE_TEXT: usize = 10;
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let sides = sides.join(", ");
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}");
    let whole = (BEFORE_TEXT + text.len() + 1)
        .next_multiple_of(64)
        .max(length);
    text.extend(std::iter::repeat_n(
        ' ',
        whole - BEFORE_TEXT - text.len() - 1,
    ));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // Three sides of at most twenty digits are far from the 65,535 that fit.
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.into_bytes());
    bytes
}
