//! Sources to pack: which kind of source a path is, and its samples.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Packing, coco, flickr};
use crate::samples::{Found, Reason, Sample, Set, Table};
use crate::{Error, Result};

/// Bytes of a text file that are looked at to see what it is.
const LOOK: u64 = 1 << 12;

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// CSV or TSV with a column of pictures and one of captions.
    Table,
    /// A folder per class.
    Folder,
    /// COCO's `captions_*.json`.
    Coco,
    /// Flickr8k's and Flickr30k's `*.token`: `name.jpg#0`, a tab, a caption.
    Flickr,
}

impl Source {
    /// The kind of what lies at `path`, by its extension or else by its first line.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::UnknownSource`] if it is none that is known.
    pub fn of(path: &Path) -> Result<Self> {
        if diptych_files::metadata(path).map_err(Error::Io)?.is_dir() {
            return Ok(Self::Folder);
        }
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        match &*extension.to_ascii_lowercase() {
            "csv" | "tsv" | "tab" => return Ok(Self::Table),
            "json" => return Ok(Self::Coco),
            _ => {}
        }
        let file = fs_err::File::open(path).map_err(Error::Io)?;
        let mut line = Vec::new();
        BufReader::new(file.take(LOOK))
            .read_until(b'\n', &mut line)
            .map_err(|e| Error::io(path, e))?;
        // Anything else than text is some other file, a picture perhaps.
        let is_text = !line.contains(&0) && (line.ends_with(b"\n") || line.is_ascii());
        let line = match std::str::from_utf8(&line) {
            Ok(line) if is_text => line,
            _ => "",
        };
        if flickr::parse(line).is_some() {
            return Ok(Self::Flickr);
        }
        // Kaggle's captions.txt of Flickr8k is a table by its first line.
        if line.contains(',') {
            Ok(Self::Table)
        } else {
            Err(Error::UnknownSource {
                path: path.to_owned(),
            })
        }
    }

    /// Finds the samples.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Data`] if nothing in it can be used,
    /// [`Error::Packing`] for options of another kind of source.
    pub(super) fn read(self, packing: &Packing) -> Result<Found> {
        let columns = packing.image_column.is_some() || packing.text_column.is_some();
        let refused = match self {
            Self::Table => None,
            _ if columns => Some("columns are a table's, and this is none"),
            Self::Folder if packing.images.is_some() => {
                Some("a folder of classes has its pictures in it, and takes no other for them")
            }
            _ => None,
        };
        if let Some(reason) = refused {
            return Err(Error::Packing {
                path: packing.path.clone(),
                reason: reason.into(),
            });
        }
        let path = &packing.path;
        let beside = path.parent().unwrap_or(Path::new(""));
        let base = packing.images.as_deref().unwrap_or(beside);
        match self {
            Self::Folder => Set::Folder(path.clone()).read(),
            Self::Table => Set::Table(Table {
                path: path.clone(),
                base: base.to_owned(),
                image_column: packing.image_column.clone(),
                text_column: packing.text_column.clone(),
            })
            .read(),
            Self::Coco => coco::read(path, base),
            Self::Flickr => flickr::read(path, base),
        }
    }
}

/// Captions that come one by one, each with the name of its picture.
pub(super) struct Captions<'a> {
    path: &'a Path,
    origin: Arc<Path>,
    base: &'a Path,
    of: FxHashMap<String, usize>,
    found: Found,
}

impl<'a> Captions<'a> {
    /// None yet; pictures lie below `base`.
    pub(super) fn new(path: &'a Path, base: &'a Path) -> Self {
        Self {
            path,
            origin: path.into(),
            base,
            of: FxHashMap::default(),
            found: Found::default(),
        }
    }

    /// Adds a caption; one that can't be used is counted.
    pub(super) fn add(&mut self, name: &str, caption: &str) {
        let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
        if caption.is_empty() {
            let what = format_args!("picture {name}: a caption is empty");
            return self.pass_over(Reason::EmptyCaption, what);
        }
        if let Some(&at) = self.of.get(name) {
            return self.found.samples[at].texts.push(caption);
        }
        let Some(below) = below(name) else {
            let what = format_args!("picture {name}: it does not lie below the folder of pictures");
            return self.pass_over(Reason::Outside, what);
        };
        self.of.insert(name.to_owned(), self.found.samples.len());
        self.found.samples.push(Sample::in_file(
            self.origin.clone(),
            name.to_owned(),
            vec![caption],
            self.base.join(below),
        ));
    }

    /// Counts what can't be used.
    pub(super) fn pass_over(&mut self, reason: Reason, what: impl fmt::Display) {
        let example = format_args!("{}: {what}", self.path.display());
        self.found.passed_over.add(reason, example);
    }

    /// All of them.
    ///
    /// # Errors
    /// [`Error::Data`] if there are none.
    pub(super) fn finish(self) -> Result<Found> {
        self.found.or_none(self.path)
    }
}

/// A name as a path that stays below where it starts; these files name pictures of their own
/// folder.
fn below(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (is_inside && !name.is_empty()).then(|| path.to_owned())
}
