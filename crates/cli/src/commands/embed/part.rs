//! `X.npy.part`: the rows that are there of an array that is not whole yet.
//!
//! Format: [`MAGIC`], a u32 length and as many bytes of what all rows were made with, then records
//! of a SHA-256 and `D` f32, little-endian. The hash is of an input, so a row is used again for
//! what it was made of and for nothing else, whatever has changed between two calls. A call that
//! would make rows otherwise is refused. A record that a kill has cut is written anew.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail, ensure};
use sha2::{Digest, Sha256};

use crate::output::{hinted, quoted};

/// First bytes of such a file.
const MAGIC: &[u8; 16] = b"diptych rows 2\r\n";
const HASH: usize = 32;

/// An input, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; HASH]);

impl Key {
    /// A picture's file as it is now, known by its path, size and time.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let meta = diptych_files::metadata(path)?;
        let since = meta.modified()?.duration_since(UNIX_EPOCH);
        let time = match since {
            Ok(after) => format!("{} {:?}", meta.len(), after),
            Err(before) => format!("{} before {:?}", meta.len(), before.duration()),
        };
        let name = path.as_os_str().as_encoded_bytes();
        Ok(Self::of(&[time.as_bytes(), name]))
    }

    /// A text.
    pub(super) fn of_text(text: &[u8]) -> Self {
        Self::of(&[text])
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes()); // where one ends is a part of it
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Rows of earlier calls and of this one. Whoever has it keeps other processes from it.
pub(super) struct Part {
    path: PathBuf,
    file: fs_err::File,
    /// Bytes of the header and of all whole records.
    end: u64,
    dim: usize,
    /// Where each input's row is, in bytes.
    places: HashMap<Key, u64>,
}

impl Part {
    /// Opens the part of the array `out`, or begins it: rows of `dim` values, of which `made_with`
    /// says all that they depend on beside their inputs.
    pub(super) fn open(out: &Path, made_with: &str, dim: usize) -> Result<Self> {
        let mut path = out.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let mut options = fs_err::OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path)?;
        if file.file().try_lock().is_err() {
            bail!("{}: another process is writing it", quoted(&path));
        }
        let len = file.metadata()?.len();
        let mut header = MAGIC.to_vec();
        header.extend((made_with.len() as u32).to_le_bytes());
        header.extend(made_with.as_bytes());
        if len == 0 {
            file.write_all(&header)?;
        }
        let mut part = Self {
            places: HashMap::new(),
            path,
            file,
            end: header.len() as u64,
            dim,
        };
        if len > 0 {
            part.check(made_with, len)
                .with_context(|| quoted(&part.path).into_owned())?;
        }
        part.find(len)?;
        Ok(part)
    }

    /// Refuses what is no part, and one whose rows were made otherwise than by `made_with`.
    fn check(&mut self, made_with: &str, len: u64) -> Result<()> {
        const NO_PART: &str = "it is not what an earlier `--resume` left; it stays as it is, and `--out` needs another name";
        const FIXED: u64 = MAGIC.len() as u64 + 4;
        let mut fixed = [0; FIXED as usize];
        ensure!(
            self.read(&mut fixed, 0).is_ok() && fixed.starts_with(MAGIC),
            NO_PART
        );
        let [.., a, b, c, d] = fixed;
        let length = u32::from_le_bytes([a, b, c, d]);
        ensure!(u64::from(length) <= len - FIXED, NO_PART);
        let mut was = vec![0; length as usize];
        self.read(&mut was, FIXED)?;
        if was == made_with.as_bytes() {
            return Ok(());
        }
        Err(hinted(
            anyhow!(
                "its rows are {}, and those of this call would be {made_with}; it stays as it is",
                String::from_utf8_lossy(&was)
            ),
            "with the same options `--resume` goes on from it; remove it to begin anew",
        ))
    }

    /// Notes the records that are there, and gets ready to write behind the last whole one.
    fn find(&mut self, len: u64) -> Result<()> {
        let size = (HASH + 4 * self.dim) as u64;
        let header = self.end;
        let whole = len.saturating_sub(header) / size;
        for n in 0..whole {
            let at = header + n * size;
            let mut hash = [0; HASH];
            self.read(&mut hash, at)?;
            self.places.insert(Key(hash), at + HASH as u64);
        }
        self.end = header + whole * size;
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(bytes)
    }

    /// The row of an input, if it is there.
    pub(super) fn row(&mut self, key: &Key) -> Result<Option<Vec<f32>>> {
        let Some(&place) = self.places.get(key) else {
            return Ok(None);
        };
        let mut bytes = vec![0; 4 * self.dim];
        self.read(&mut bytes, place)?;
        let values = bytes.as_chunks().0.iter();
        Ok(Some(values.map(|&b| f32::from_le_bytes(b)).collect()))
    }

    /// Whether an input's row is there.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.places.contains_key(key)
    }

    /// Adds a row.
    pub(super) fn add(&mut self, key: &Key, row: &[f32]) -> Result<()> {
        let mut record = key.0.to_vec();
        record.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&record)?;
        self.end += record.len() as u64;
        Ok(())
    }

    /// Removes it, once the array is whole.
    pub(super) fn remove(self) -> Result<()> {
        match fs_err::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again_and_a_cut_one_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.npy");
        let [a, b, c] = ["a", "b", "c"].map(|text| Key::of_text(text.as_bytes()));
        let open = || Part::open(&out, "of a model", 2);
        let mut part = open().unwrap();
        let busy = open().err().unwrap().to_string();
        assert!(busy.ends_with("another process is writing it"), "{busy}");
        part.add(&a, &[1.0, 2.0]).unwrap();
        part.add(&b, &[3.0, 4.0]).unwrap();
        drop(part);
        let path = dir.path().join("x.npy.part");
        let whole = fs_err::read(&path).unwrap();
        fs_err::write(&path, &whole[..whole.len() - 3]).unwrap();

        let mut part = open().unwrap();
        assert_eq!(part.row(&a).unwrap(), Some(vec![1.0, 2.0]));
        assert!(!part.has(&b) && !part.has(&c));
        part.add(&c, &[5.0, 6.0]).unwrap();
        drop(part);
        let mut part = open().unwrap();
        assert_eq!(part.row(&c).unwrap(), Some(vec![5.0, 6.0]));
        part.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_part_stays() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("x.npy");
        drop(Part::open(&out, "of a model", 2).unwrap());
        let path = dir.path().join("x.npy.part");
        let check = |words: &str| {
            let before = fs_err::read(&path).unwrap();
            let refused = format!("{:#}", Part::open(&out, "raw", 2).err().unwrap());
            assert!(refused.contains(words), "{refused}");
            assert!(refused.contains("it stays as it is"), "{refused}");
            assert_eq!(fs_err::read(&path).unwrap(), before);
        };
        check("its rows are of a model, and those of this call would be raw");
        for other in [
            &b"my notes"[..],
            MAGIC,
            &[&MAGIC[..], &[255; 4], b"of a model"].concat(),
        ] {
            fs_err::write(&path, other).unwrap();
            check("not what an earlier `--resume` left");
        }
    }

    #[test]
    fn a_file_that_changes_is_another_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs_err::write(&path, "1").unwrap();
        let key = || Key::of_file(&path).unwrap();
        let first = key();
        assert_eq!(first, key());
        fs_err::write(&path, "22").unwrap();
        assert_ne!(first, key());
    }
}
