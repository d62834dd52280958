//! Writes shards: `KEY.EXT` and `KEY.txt` in tar files of a given number of samples.
//!
//! Invariant: shards are written into a hidden folder and moved when all are whole. An error or an
//! interruption before leaves the output folder as it was; after a kill the hidden folder is left,
//! and the next packing into this folder removes it. Equal samples make equal bytes: members have
//! no time and no owner.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Packing;
use crate::{Error, Result};
use diptych_files::TEMPORARY;

/// Writes the shards of one set.
pub(super) struct Writer {
    out: PathBuf,
    /// Whether `out` is ours to remove if nothing comes of it.
    is_new: bool,
    /// Taken when the shards are moved.
    folder: Option<tempfile::TempDir>,
    name: String,
    shard_size: usize,
    shard: Option<Shard>,
    /// Samples written.
    samples: usize,
    /// Names of the shards that are whole.
    whole: Vec<String>,
}

type Shard = tar::Builder<BufWriter<fs_err::File>>;

impl Writer {
    /// Makes the folders.
    pub(super) fn create(packing: &Packing) -> Result<Self> {
        let stem = packing.path.file_stem().map(|stem| stem.to_string_lossy());
        let name = match &packing.name {
            Some(name) => name.clone(),
            None => stem.map_or_else(|| "pairs".to_owned(), |stem| stem.into_owned()),
        };
        if name.is_empty() || name.contains(['/', '\\']) {
            return Err(Error::Packing {
                path: packing.out.clone(),
                reason: format!("`{name}` does not begin a file's name"),
            });
        }
        let out = packing.out.clone();
        let is_new = !out.exists();
        fs_err::create_dir_all(&out).map_err(Error::Io)?;
        for entry in fs_err::read_dir(&out).map_err(Error::Io)? {
            let found = entry.map_err(Error::Io)?.file_name();
            let found = found.to_string_lossy();
            if found.starts_with(TEMPORARY) {
                let _ = fs_err::remove_dir_all(out.join(&*found)); // a killed packing's
                continue;
            }
            if is_shard_of(&found, &name) {
                return Err(Error::Occupied {
                    path: out.clone(),
                    reason: format!(
                        "{found} is here already; wanted another name or another folder"
                    ),
                });
            }
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        let folder = builder.tempdir_in(&out).map_err(|e| Error::io(&out, e))?;
        Ok(Self {
            out,
            is_new,
            folder: Some(folder),
            name,
            shard_size: packing.shard_size.max(1),
            shard: None,
            samples: 0,
            whole: Vec::new(),
        })
    }

    /// Adds a sample; its key is its number.
    pub(super) fn add(&mut self, extension: &str, image: &[u8], texts: &[String]) -> Result<()> {
        let mut shard = match self.shard.take() {
            Some(shard) => shard,
            None => {
                let path = self.hidden().join(self.shard_name());
                let file = fs_err::File::create(path).map_err(Error::Io)?;
                tar::Builder::new(BufWriter::with_capacity(1 << 18, file))
            }
        };
        let key = format!("{:09}", self.samples);
        let text = texts.join("\n") + "\n";
        for (extension, bytes) in [(extension, image), ("txt", text.as_bytes())] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            shard
                .append_data(&mut header, format!("{key}.{extension}"), bytes)
                .map_err(Error::Io)?;
        }
        self.samples += 1;
        match self.samples % self.shard_size {
            0 => self.close(shard),
            _ => {
                self.shard = Some(shard);
                Ok(())
            }
        }
    }

    /// Moves the shards to their place; their paths, and their bytes together.
    pub(super) fn finish(mut self) -> Result<(Vec<PathBuf>, u64)> {
        if let Some(shard) = self.shard.take() {
            self.close(shard)?;
        }
        let mut shards = Vec::new();
        let mut bytes = 0;
        for name in &self.whole {
            let (from, to) = (self.hidden().join(name), self.out.join(name));
            bytes += diptych_files::metadata(&from).map_err(Error::Io)?.len();
            fs_err::rename(from, &to).map_err(Error::Io)?;
            shards.push(to);
        }
        self.is_new = false;
        Ok((shards, bytes))
    }

    fn close(&mut self, shard: Shard) -> Result<()> {
        let mut file = shard.into_inner().map_err(Error::Io)?;
        file.flush().map_err(Error::Io)?;
        file.get_ref().sync_all().map_err(Error::Io)?;
        self.whole.push(self.shard_name());
        Ok(())
    }

    fn shard_name(&self) -> String {
        format!("{}-{:06}.tar", self.name, self.whole.len())
    }

    fn hidden(&self) -> &Path {
        self.folder
            .as_ref()
            .map_or(&self.out, |folder| folder.path())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shard = None;
        self.folder = None; // removes it
        if self.is_new {
            // Only the last folder of the path; one that has something in it stays.
            let _ = fs_err::remove_dir(&self.out);
        }
    }
}

/// Whether a file is a shard of this name.
fn is_shard_of(file: &str, name: &str) -> bool {
    let number = file
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(".tar"));
    number.is_some_and(|n| n.len() >= 6 && n.bytes().all(|byte| byte.is_ascii_digit()))
}
