//! Samples: shards, tables and folders → pictures with their texts, and a tally of what is passed
//! over.
//!
//! A [`Set`] is indexed once: texts in memory, pictures where they lie. So a set of plain shards, a
//! table or a folder may be much larger than memory.
//! Invariant: sample `i` of a set is the same on every machine.

mod boxes;
mod folder;
mod guard;
mod members;
mod passed_over;
mod pattern;
mod rows;
mod sample;
mod shards;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

pub(crate) use guard::guarded_file;
pub use members::Labels;
pub use passed_over::{PassedOver, Reason, Tally};
pub use pattern::expand;
pub use sample::Sample;
#[cfg(feature = "training")]
pub(crate) use shards::compression;
pub use shards::{Damage, read_shard, read_shards};
pub use table::Table;

use crate::{Error, Result};

/// Where the samples of a set come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// WebDataset shards: tar files, plain or gzipped, of pictures and a `KEY.txt` or `KEY.json`
    /// for each.
    Shards {
        /// The files; [`expand`] makes them of patterns.
        paths: Vec<PathBuf>,
        /// Treatment of those that are not whole.
        damage: Damage,
        /// What says what is in a picture.
        labels: Labels,
    },
    /// CSV or TSV with a column of pictures and one of captions.
    Table(Table),
    /// A folder of folders, each with the pictures of the class that it is named after.
    Folder(PathBuf),
}

impl Set {
    /// Reads the set.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] if a file of it can't be read or nothing in it used.
    pub fn read(&self) -> Result<Found> {
        match self {
            Self::Shards {
                paths,
                damage,
                labels,
            } => shards::read_all(paths, *damage, *labels),
            Self::Table(table) => guarded_file(&table.path, || table.read()),
            Self::Folder(path) => folder::read(path),
        }
    }
}

/// The samples of a set, and a tally of what is passed over in it.
#[derive(Debug, Default)]
pub struct Found {
    /// The samples, in an order that is the same on every machine.
    pub samples: Vec<Sample>,
    /// Whatever the set names and its reader did not use.
    pub passed_over: Tally,
    /// Sentences about losses that can't be counted.
    pub warnings: Vec<String>,
}

impl Found {
    /// Refuses a set of nothing.
    pub(crate) fn or_none(self, path: &Path) -> Result<Self> {
        if !self.samples.is_empty() {
            return Ok(self);
        }
        let mut reason = "there is no image-text pair in it".to_owned();
        if self.passed_over.count() > 0 {
            reason += &format!(" that can be used; {}", self.passed_over);
        }
        Err(Error::Data {
            path: path.to_owned(),
            reason,
        })
    }
}

impl FromIterator<Self> for Found {
    fn from_iter<I: IntoIterator<Item = Self>>(parts: I) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.samples.extend(part.samples);
            all.passed_over.extend(part.passed_over);
            all.warnings.extend(part.warnings);
        }
        all
    }
}
