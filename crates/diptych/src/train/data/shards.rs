//! WebDataset shards: tar files of `KEY.EXT` pictures and `KEY.txt` texts, plain or gzipped.
//!
//! A plain shard is walked from header to header once, and its pictures stay on the disk. A gzipped one
//! has no places to go to, so its pictures are held in memory, still compressed.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;

use super::Found;
use super::sample::{MAX_MEMBER_BYTES, Place, Sample, lines};
use crate::guard::guarded_file;
use crate::image::is_picture_extension;
use crate::{Error, Result};

/// No gzipped shard has more bytes once unpacked; one that has is a bomb, and reads as cut off.
const MAX_UNPACKED_BYTES: u64 = 1 << 36;

/// Bytes of a plain shard read at once. Small, because headers lie far apart.
const HEADER_BYTES: usize = 1 << 12;

/// What to do with damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It fails the shard.
    Refuse,
    /// It is reported, and what can be read is used.
    Skip,
}

/// Reads every sample of a shard, in order.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Shard`] if it is damaged, empty, or a picture or
/// text is alone.
pub fn read_shard(path: &Path) -> Result<Vec<Sample>> {
    Ok(read(path, Damage::Refuse)?.samples)
}

/// Reads the samples of several shards.
///
/// # Errors
/// As [`read_shard`], for the first shard that fails.
pub fn read_shards(paths: &[PathBuf]) -> Result<Vec<Sample>> {
    Ok(read_all(paths, Damage::Refuse)?.samples)
}

/// Reads several shards.
pub(super) fn read_all(paths: &[PathBuf], damage: Damage) -> Result<Found> {
    let shards: Result<Vec<_>> = paths
        .par_iter()
        .map(|path| guarded_file(path, || read(path, damage)))
        .collect();
    Ok(shards?.into_iter().collect())
}

fn read(path: &Path, damage: Damage) -> Result<Found> {
    let file = fs_err::File::open(path).map_err(Error::Io)?;
    let mut shard = Shard {
        path: path.into(),
        damage,
        open: Partial::default(),
        found: Found::default(),
    };
    let gzip = path.extension().is_some_and(|e| e == "gz" || e == "tgz");
    let walked = if gzip {
        let unpacked = MultiGzDecoder::new(BufReader::new(file)).take(MAX_UNPACKED_BYTES);
        let mut archive = tar::Archive::new(unpacked);
        shard.walk(archive.entries(), None)
    } else {
        let len = file.metadata().map_err(Error::Io)?.len();
        let mut archive = tar::Archive::new(BufReader::with_capacity(HEADER_BYTES, file));
        shard.walk(archive.entries_with_seek(), Some(len))
    };
    if let Err(reason) = walked {
        shard.report(reason)?;
        // What the damage cut in two is no news; what it left whole is kept.
        let open = std::mem::take(&mut shard.open).finish(&shard.path);
        shard.found.samples.extend(open.ok().flatten());
    }
    if shard.found.samples.is_empty() {
        shard.report("there is no image-text pair in it".into())?;
    }
    Ok(shard.found)
}

/// A shard while it is read.
struct Shard {
    path: Arc<Path>,
    damage: Damage,
    open: Partial,
    found: Found,
}

impl Shard {
    /// Reads members until the end or the first damage. A shard of `len` bytes is plain, and its
    /// pictures stay where they are.
    fn walk<R: Read>(
        &mut self,
        entries: std::io::Result<tar::Entries<'_, R>>,
        len: Option<u64>,
    ) -> Result<(), String> {
        let damaged = |e: std::io::Error| format!("not a whole tar file: {e}");
        for entry in entries.map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = entry.path().map_err(damaged)?.into_owned();
            let size = entry.size();
            if size > MAX_MEMBER_BYTES {
                return Err(format!("{} has {size} bytes", name.display()));
            }
            // Going over a member does not show that it is there.
            let offset = entry.raw_file_position();
            if len.is_some_and(|len| offset.saturating_add(size) > len) {
                return Err(format!(
                    "not a whole tar file: it ends in {}",
                    name.display()
                ));
            }
            // A key is the path up to the first dot of the file's name, as WebDataset has it.
            let file_name = name.file_name().unwrap_or_default().to_string_lossy();
            let (stem, extension) = file_name.split_once('.').unwrap_or((&file_name, ""));
            let is_image = is_picture_extension(extension);
            if !is_image && !extension.eq_ignore_ascii_case("txt") {
                continue; // other members (`json`, `cls`, …) are none of ours
            }
            let place = match len {
                Some(shard_len) if is_image => Place::Range {
                    offset,
                    len: size,
                    shard_len,
                },
                _ => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(damaged)?;
                    if bytes.len() as u64 != size {
                        return Err(format!(
                            "not a whole tar file: it ends in {}",
                            name.display()
                        ));
                    }
                    Place::Memory(bytes)
                }
            };
            let key = name.with_file_name(stem).display().to_string();
            if self.open.key != key {
                self.close()?;
                self.open = Partial {
                    key,
                    ..Partial::default()
                };
            }
            match (is_image, place) {
                (false, Place::Memory(text)) => self.open.text = Some(text),
                (_, place) => self.open.image = Some(place),
            }
        }
        self.close()
    }

    /// Takes the open sample for whole.
    fn close(&mut self) -> Result<(), String> {
        match (
            std::mem::take(&mut self.open).finish(&self.path),
            self.damage,
        ) {
            (Ok(sample), _) => self.found.samples.extend(sample),
            (Err(reason), Damage::Refuse) => return Err(reason),
            (Err(reason), Damage::Skip) => self.found.skipped.push(self.error(reason).to_string()),
        }
        Ok(())
    }

    /// Notes damage, or fails by it.
    fn report(&mut self, reason: String) -> Result<()> {
        let error = self.error(reason);
        match self.damage {
            Damage::Refuse => Err(error),
            Damage::Skip => {
                self.found.skipped.push(error.to_string());
                Ok(())
            }
        }
    }

    fn error(&self, reason: String) -> Error {
        Error::Shard {
            path: self.path.to_path_buf(),
            reason,
        }
    }
}

/// A sample of which some members have been read.
#[derive(Default)]
struct Partial {
    key: String,
    image: Option<Place>,
    text: Option<Vec<u8>>,
}

impl Partial {
    fn finish(self, shard: &Arc<Path>) -> Result<Option<Sample>, String> {
        let key = self.key;
        let (place, text) = match (self.image, self.text) {
            (None, None) => return Ok(None),
            (Some(place), Some(text)) => (place, text),
            (Some(_), None) => return Err(format!("picture {key} has no .txt beside it")),
            (None, Some(_)) => return Err(format!("text {key}.txt has no picture beside it")),
        };
        let text = String::from_utf8(text).map_err(|e| format!("{key}.txt is not UTF-8: {e}"))?;
        let texts = lines(&text);
        match texts.is_empty() {
            true => Err(format!("{key}.txt is empty")),
            false => Ok(Some(Sample {
                origin: shard.clone(),
                key,
                texts,
                place,
            })),
        }
    }
}
