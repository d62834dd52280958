//! WebDataset shards: tar files of `KEY.EXT` pictures with `KEY.txt` texts or `KEY.json` boxes,
//! plain or gzipped.
//!
//! A plain shard is walked from header to header once, and its pictures stay on the disk. A gzipped
//! one has no places to go to, so its pictures are held in memory, still compressed.
//! Source: `base_plus_ext` in webdataset's `tariterators.py`: a key is the path up to the first dot
//! of the file's name, and names that begin with a dot are none of the set's;
//! `group_by_keys_nothrow` in open_clip's `data.py`: members of a sample follow each other.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;

use super::Found;
use super::members::{HEADER_BYTES, Labels, Members, Name, Partial, Role, location_of};
use super::passed_over::{Reason, Tally};
use super::sample::{Location, Sample};
use crate::{Error, Result};
use diptych::{GaveUp, guarded};
use diptych_files::MAX_FILE_BYTES;

use super::guard::parser_gave_up;

/// No gzipped shard has more bytes once unpacked; one that has is a bomb, and reads as cut off.
const MAX_UNPACKED_BYTES: u64 = 1 << 36;

/// Bytes of a header; members are padded to them, and a block of zeros ends an archive.
const BLOCK_BYTES: u64 = 512;

/// Treatment of a shard that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It fails the set.
    Refuse,
    /// It is reported, and what can be read is used.
    Skip,
}

/// Reads the samples of a shard, in order. What is passed over in it is not told.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Data`] if it is damaged or nothing in it can be
/// used.
pub fn read_shard(path: &Path) -> Result<Vec<Sample>> {
    read_shards(&[path.to_owned()])
}

/// Reads the samples of several shards. What is passed over in them is not told.
///
/// # Errors
/// As [`read_shard`], for the first shard that fails.
pub fn read_shards(paths: &[PathBuf]) -> Result<Vec<Sample>> {
    Ok(read_all(paths, Damage::Refuse, Labels::Texts)?.samples)
}

/// Reads several shards.
pub(super) fn read_all(paths: &[PathBuf], damage: Damage, labels: Labels) -> Result<Found> {
    let open = |path: &PathBuf| guarded_shard(path, damage, || open(path, damage, labels));
    let shards: Vec<Result<Found>> = paths.par_iter().map(open).collect();
    let found: Found = shards.into_iter().collect::<Result<_>>()?;
    match (damage, paths) {
        (Damage::Refuse, [first, ..]) => found.or_none(first),
        _ => Ok(found),
    }
}

/// Reads a shard, where a panic of its parser is damage.
fn guarded_shard(
    path: &Path,
    damage: Damage,
    open: impl FnOnce() -> Result<Found>,
) -> Result<Found> {
    guarded(open).unwrap_or_else(|GaveUp| {
        let mut found = Found::default();
        report(parser_gave_up(path), damage, &mut found.passed_over)?;
        Ok(found)
    })
}

fn open(path: &Path, damage: Damage, labels: Labels) -> Result<Found> {
    let file = fs_err::File::open(path).map_err(Error::Io)?;
    let len = file.metadata().map_err(Error::Io)?.len();
    let mut file = BufReader::with_capacity(HEADER_BYTES, file);
    let mut shard = Shard {
        path: path.into(),
        damage,
        labels,
        open: Partial::default(),
        members: Members::found_later(),
        found: Found::default(),
    };
    // By its first bytes, because a gzipped shard may bear any name.
    let walked = match compression(file.fill_buf().map_err(|e| Error::io(path, e))?) {
        Some("gzip") => {
            shard.members = Members::kept();
            let unpacked = MultiGzDecoder::new(file).take(MAX_UNPACKED_BYTES);
            let mut archive = tar::Archive::new(unpacked);
            archive.set_ignore_zeros(true);
            shard.walk(archive.entries(), None)
        }
        Some(other) => Err(format!(
            "it is compressed by {other}, wanted a plain or gzipped tar file"
        )),
        None => {
            let mut archive = tar::Archive::new(file);
            // Archives that were joined end in the middle.
            archive.set_ignore_zeros(true);
            shard.walk(archive.entries_with_seek(), Some(len))
        }
    };
    if let Err(reason) = walked {
        shard.report(reason)?;
        // What the damage cut in two is no news; what it left whole is kept.
        let open = std::mem::take(&mut shard.open);
        let finished = open.finish(&shard.path, labels, &mut Tally::default());
        shard.found.samples.extend(finished);
    }
    if shard.found.samples.is_empty() && shard.found.passed_over.count() == 0 {
        shard.report("there is no image-text pair in it".into())?;
    }
    Ok(shard.found)
}

/// Name of the compression that a file begins with, if it does.
pub(crate) fn compression(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'B', b'Z', b'h', b'0'..=b'9', ..] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        _ => None,
    }
}

/// A shard while it is read.
struct Shard {
    path: Arc<Path>,
    damage: Damage,
    labels: Labels,
    open: Partial,
    members: Members,
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
        let mut end = 0;
        for entry in entries.map_err(damaged)? {
            let mut entry = entry.map_err(|error| no_header(&error, end))?;
            let kind = entry.header().entry_type();
            let size = entry.size();
            // A sparse file is larger than what is stored of it.
            let stored = if kind.is_gnu_sparse() {
                entry.header().entry_size().map_err(damaged)?
            } else {
                size
            };
            end = entry.raw_file_position().saturating_add(stored);
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            let path = entry.path().map_err(damaged)?.into_owned();
            // Going over a member does not show that it is there.
            if len.is_some_and(|len| end > len) {
                return Err(cut(&path));
            }
            let Some(name) = Name::of(&path, self.labels) else {
                continue;
            };
            if self.open.is_other(&name) {
                self.close();
                self.open.key.clone_from(&name.key);
            }
            let shown = path.display();
            let location = if kind.is_hard_link() || kind.is_symlink() {
                if let Some(len) = len {
                    let end = entry.raw_header_position();
                    self.members.find(&self.path, len, end).map_err(damaged)?;
                }
                let target = entry.link_name().map_err(damaged)?.unwrap_or_default();
                let location = self.members.follow(&path, &target, kind.is_symlink());
                if location.is_none() && name.role != Role::Other {
                    let shown = format_args!("{shown} is a link to {}", target.display());
                    self.lose(Reason::Link, shown);
                }
                location
            } else if !kind.is_file() {
                self.lose(Reason::NoFile, format_args!("{shown} is no plain file"));
                None
            } else if name.role != Role::Other && size > MAX_FILE_BYTES {
                self.lose(
                    Reason::TooLarge,
                    format_args!("{shown} has {size} bytes, wanted at most {MAX_FILE_BYTES}"),
                );
                None
            } else {
                let location = locate(&mut entry, &name, len)?;
                location.inspect(|location| self.members.add(&path, location))
            };
            match (name.role, location) {
                (Role::Image, Some(location)) => self.set_image(name.extension(), location),
                (Role::Text, Some(Location::Range { .. })) if kind.is_file() => {
                    self.open.text = Some(Arc::new(read(&mut entry, &path)?));
                }
                (Role::Text, Some(location)) => self.open.text = Some(self.linked(location)?),
                (Role::Other, _) => self.open.others.add(&name.file, self.labels),
                (_, None) => {}
            }
        }
        self.close();
        if len.is_some_and(|len| len < padded(end).saturating_add(BLOCK_BYTES)) {
            self.found.warnings.push(format!(
                "{}: the end of the archive is missing, so members after the last one may be, too",
                self.path.display()
            ));
        }
        Ok(())
    }

    /// Gives the open sample its picture; the last of several, as ever.
    fn set_image(&mut self, extension: &str, location: Location) {
        let image = (extension.to_owned(), location);
        if let Some((before, _)) = self.open.image.replace(image) {
            let what = format_args!("{}.{before} is not the only one", self.open.key);
            let example = format_args!("{}: {what}", self.path.display());
            self.found.passed_over.add(Reason::SecondPicture, example);
        }
    }

    /// A text that another member holds.
    fn linked(&self, location: Location) -> Result<Arc<Vec<u8>>, String> {
        let target = Sample {
            origin: self.path.clone(),
            key: self.open.key.clone(),
            texts: Vec::new(),
            location,
            region: None,
        };
        let bytes = target.bytes().map_err(|e| e.to_string())?;
        Ok(Arc::new(bytes.into_owned()))
    }

    /// Passes a member of the open sample over.
    fn lose(&mut self, reason: Reason, what: impl std::fmt::Display) {
        self.open.has_loss = true;
        let example = format_args!("{}: {what}", self.path.display());
        self.found.passed_over.add(reason, example);
    }

    /// Takes the open sample for whole.
    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        let samples = open.finish(&self.path, self.labels, &mut self.found.passed_over);
        self.found.samples.extend(samples);
    }

    /// Notes damage, or fails by it.
    fn report(&mut self, reason: String) -> Result<()> {
        let error = Error::Data {
            path: self.path.to_path_buf(),
            reason,
        };
        report(error, self.damage, &mut self.found.passed_over)
    }
}

/// Notes damage, or fails by it.
fn report(error: Error, damage: Damage, passed_over: &mut Tally) -> Result<()> {
    match damage {
        Damage::Refuse => Err(error),
        Damage::Skip => {
            passed_over.add(Reason::Damaged, error);
            Ok(())
        }
    }
}

/// A member's location: in a plain shard where it lies; else in memory, if it is picture or text.
fn locate<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    name: &Name,
    len: Option<u64>,
) -> Result<Option<Location>, String> {
    match len {
        Some(shard_len) => Ok(Some(location_of(entry, shard_len))),
        None if name.role == Role::Other => Ok(None),
        None => {
            let bytes = read(entry, Path::new(&*name.file))?;
            Ok(Some(Location::Memory(Arc::new(bytes))))
        }
    }
}

/// All bytes of a member.
fn read<R: Read>(entry: &mut tar::Entry<'_, R>, path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 == entry.size() {
        Ok(bytes)
    } else {
        Err(cut(path))
    }
}

fn damaged(error: std::io::Error) -> String {
    format!("not a whole tar file: {error}")
}

/// The place of the header after a member that ends at `end`.
fn padded(end: u64) -> u64 {
    end.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// An error in place of a member after the byte `end`.
fn no_header(error: &std::io::Error, end: u64) -> String {
    let told = error.to_string();
    // The crate quotes the bytes, which may be anything.
    if told.starts_with("numeric field") {
        let at = padded(end);
        format!("not a whole tar file: there is no header of a member at byte {at}")
    } else {
        format!("not a whole tar file: {told}")
    }
}

fn cut(path: &Path) -> String {
    format!("not a whole tar file: it ends in {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_costs_its_shard_alone_where_damage_is_skipped() {
        let path = Path::new("s.tar");
        let read = |damage| guarded_shard(path, damage, || panic!("of the parser"));
        let found = read(Damage::Skip).unwrap();
        let told = found.passed_over.to_string();
        assert!(
            told.starts_with("1 passed over: the rest of a damaged shard (for example s.tar: "),
            "{told}"
        );
        assert!(read(Damage::Refuse).is_err());
    }
}
