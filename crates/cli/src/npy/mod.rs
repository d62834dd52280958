//! NumPy's `.npy`, little-endian, C order: f32 is written, in version 1.0; f32 and f16 are read.
//!
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//! Invariant: the file appears under its name when it is whole, or not at all.

mod read;

pub(crate) use read::{NpyReader, read};

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempPath;

use crate::files::{cannot_write, temporary_beside};

/// An array on its way to a file, in any number of parts.
pub(crate) struct NpyWriter {
    path: PathBuf,
    file: BufWriter<File>,
    /// Where it is written until it is whole; none if `path` is a device or a pipe.
    temporary: Option<TempPath>,
    shape: Vec<usize>,
    /// Values still to come.
    missing: usize,
}

impl NpyWriter {
    /// Begins an array of this shape.
    pub(crate) fn create(path: &Path, shape: &[usize]) -> Result<Self> {
        let at = || cannot_write(path);
        // A link is followed, so that what it leads to is replaced and not the link.
        let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (file, temporary) = match fs_err::metadata(&path) {
            Ok(found) if found.is_dir() => bail!("{}: it is a directory", at()),
            Ok(found) if !found.is_file() => {
                let device = fs_err::OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .with_context(at)?;
                (device.into_parts().0, None)
            }
            _ => {
                let (file, temporary) = temporary_beside(&path).with_context(at)?.into_parts();
                (file, Some(temporary))
            }
        };
        let mut file = BufWriter::with_capacity(1 << 16, file);
        file.write_all(&header(shape, 0)).with_context(at)?;
        Ok(Self {
            path,
            file,
            temporary,
            shape: shape.to_vec(),
            missing: shape.iter().product(),
        })
    }

    /// Adds the next values.
    pub(crate) fn write(&mut self, values: &[f32]) -> Result<()> {
        ensure!(
            values.len() <= self.missing,
            "{}: too many values",
            cannot_write(&self.path)
        );
        self.missing -= values.len();
        for value in values {
            let bytes = value.to_le_bytes();
            self.file
                .write_all(&bytes)
                .with_context(|| cannot_write(&self.path))?;
        }
        Ok(())
    }

    /// Makes do with the rows that have been written, where fewer came than were announced.
    pub(crate) fn end_here(&mut self) -> Result<()> {
        let row: usize = self.shape[1..].iter().product();
        let length = header(&self.shape, 0).len();
        self.shape[0] -= self.missing / row;
        self.missing %= row;
        let shorter = header(&self.shape, length);
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(&shorter)?;
            self.file.seek(std::io::SeekFrom::End(0))
        };
        write().with_context(|| cannot_write(&self.path))?;
        Ok(())
    }

    /// Gives the whole array its name.
    pub(crate) fn finish(self) -> Result<()> {
        let at = || cannot_write(&self.path);
        ensure!(
            self.missing == 0,
            "{}: {} values are missing",
            at(),
            self.missing
        );
        let file = self
            .file
            .into_inner()
            .map_err(|e| e.into_error())
            .with_context(at)?;
        if let Some(temporary) = self.temporary {
            file.sync_all().with_context(at)?;
            temporary
                .persist(&self.path)
                .map_err(|e| e.error)
                .with_context(at)?;
        }
        Ok(())
    }
}

/// Magic, version, and a shape of two or more sides in Python's spelling, padded to a multiple of 64
/// bytes and to `length`, which is one.
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
