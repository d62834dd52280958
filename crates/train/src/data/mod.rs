//! Training data: shards, tables and folders → samples → the order that a run sees them in.
//!
//! A set is indexed once, when a run begins: texts in memory, pictures where they lie. So a set of plain
//! shards, a table or a folder may be much larger than memory.
//! Invariant: sample `i` of a set is the same on every machine, and what a place of a run shows is a
//! function of the run file alone ([`Order`]). That is why there is no shuffle buffer: with every
//! picture in reach, a pass is a full permutation, which mixes better than a buffer does, and a run is
//! resumed to the bit without saving where a stream was.

mod folder;
pub(crate) mod guard;
mod members;
mod order;
pub mod pack;
mod passed_over;
mod pattern;
mod rows;
mod sample;
mod shards;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(super) use order::{Order, Turn, generator};
pub use passed_over::{PassedOver, Reason, Tally};
pub(super) use pattern::expand;
pub use sample::Sample;
pub(super) use shards::{Damage, read_all};
pub use shards::{read_shard, read_shards};

use super::config::{Data, TextKind};
use crate::{Error, Result};
use guard::guarded_file;
use table::Table;

/// The samples of a set, and what of it is passed over.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) samples: Vec<Sample>,
    pub(super) passed_over: Tally,
    /// Sentences about what may be lost, but can't be counted.
    pub(super) warnings: Vec<String>,
}

impl Found {
    /// Refuses a set of nothing.
    fn or_none(self, path: &Path) -> Result<Self> {
        if !self.samples.is_empty() {
            return Ok(self);
        }
        let mut reason = "there is no image-text pair in it".to_owned();
        if self.passed_over.count() > 0 {
            reason += &format!(" that can be used; {}", self.passed_over);
        }
        Err(Error::Shard {
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

/// Reads a set.
///
/// # Errors
/// [`Error::Io`] and [`Error::Shard`] if a file of it can't be read or nothing in it used.
pub(super) fn read(data: &Data) -> Result<Found> {
    if let Some(path) = &data.table {
        let table = Table {
            path,
            base: path.parent().unwrap_or(Path::new("")),
            image_column: data.image_column.as_deref(),
            text_column: data.text_column.as_deref(),
        };
        return guarded_file(path, || table.read());
    }
    if let Some(path) = &data.folder {
        return folder::read(path);
    }
    let damage = if data.skip_damaged {
        Damage::Skip
    } else {
        Damage::Refuse
    };
    read_all(&data.shards, damage)
}

impl Data {
    /// Makes paths relative to where the run file lies, and patterns the files that they stand for.
    pub(super) fn resolve(&mut self, base: &Path) -> Result<(), String> {
        self.shards = expand_all(base, &self.shards)?;
        for path in self.table.iter_mut().chain(&mut self.folder) {
            *path = base.join(&*path);
        }
        Ok(())
    }

    /// Says what is wrong with a set by itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let sources = [
            !self.shards.is_empty(),
            self.table.is_some(),
            self.folder.is_some(),
        ];
        if sources.iter().filter(|&&given| given).count() != 1 {
            return Err("a set of `data` needs one of `shards`, `table` and `folder`".into());
        }
        if !(1..=1000).contains(&self.repeat) {
            return Err(format!("`repeat` is {}, wanted 1 to 1000", self.repeat));
        }
        if self.weight.is_some_and(|w| !(w > 0.0 && w.is_finite())) {
            return Err(format!(
                "`weight` is {:?}, wanted a number above 0",
                self.weight
            ));
        }
        if self.weight.is_some() && self.repeat != 1 {
            return Err("a set has a `weight` or a `repeat`, not both".into());
        }
        if self.hold_out == 1 {
            return Err("`hold_out` is 1, which leaves nothing to train on".into());
        }
        let is_table = self.table.is_some();
        if !is_table && (self.image_column.is_some() || self.text_column.is_some()) {
            return Err("`image_column` and `text_column` go with a `table`".into());
        }
        if self.skip_damaged && self.shards.is_empty() {
            return Err(
                "`skip_damaged` goes with `shards`; elsewhere a bad sample is one file".into(),
            );
        }
        match self.texts {
            TextKind::Captions if self.folder.is_some() => {
                Err("`folder` goes with `texts = \"classes\"`, not with captions".into())
            }
            TextKind::Captions if !self.kinds.is_empty() && self.templates.is_empty() => {
                Err("captions with `kinds` need `templates` to say them in".into())
            }
            TextKind::Captions
                if let Some(word) = self.kinds.keys().find(|word| !is_word(word)) =>
            {
                Err(format!(
                    "`kinds` of captions has `{word}`, wanted one word in lower case"
                ))
            }
            TextKind::Captions if !self.withhold.is_empty() => {
                Err("`withhold` goes with `texts = \"classes\"`, not with captions".into())
            }
            TextKind::Classes if self.templates.is_empty() => {
                Err("`templates` is empty, and data with `texts = \"classes\"` needs one".into())
            }
            _ => match self.templates.iter().find(|t| !t.contains("{}")) {
                Some(template) => Err(format!("template `{template}` has no `{{}}` for the name")),
                None => Ok(()),
            },
        }
    }
}

/// Whether captions can say it, as they are split into words.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphanumeric) && text == text.to_lowercase()
}

/// The files that patterns stand for.
///
/// # Errors
/// In words, for the first that can't be read or matches nothing.
pub(super) fn expand_all(
    base: &Path,
    patterns: &[std::path::PathBuf],
) -> Result<Vec<std::path::PathBuf>, String> {
    let mut files = Vec::new();
    for pattern in patterns {
        files.extend(expand(base, pattern)?);
    }
    Ok(files)
}
