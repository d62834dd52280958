//! Files on a disc → an index of the moments in them.
//!
//! Flow: `walk` finds files → `plan` compares them with what the index holds → `read` and `encode`
//! make moments of what is new, by its [`Source`](crate::source::Source) → `run` notes them.
//! Invariant: a content is encoded once, whatever files have it; what is noted is whole, so a run
//! that was killed goes on where it was.

mod adopt;
mod decoding;
mod encode;
mod find;
mod forget;
mod merge;
mod place;
mod plan;
mod reach;
mod read;
mod run;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::num::NonZero;

pub use self::adopt::{Embedding, adopt};
pub use self::decoding::{Decoding, UNNOTED};
pub use self::find::find_files;
pub use self::forget::{Forgotten, forget};
pub use self::merge::merge;
pub use self::place::{canonical, names, same_file};
pub use self::reach::{known_roots, places};
pub use self::run::index;
pub use self::walk::IGNORE_FILE;
pub(super) use self::walk::state;

/// Choices of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files and folders, too, whose names begin with a dot.
    pub hidden: bool,
    /// Patterns of what is left out, each as a line of a `.gitignore`, counted from the folder
    /// that is indexed.
    pub exclude: Vec<String>,
    /// Only a part of the files, so that many machines can share the work.
    pub shard: Option<Shard>,
    /// A folder in which no content is left is taken at its word. Otherwise its contents are kept
    /// in the index, since a disc that is not mounted looks the same.
    pub forget_emptied: bool,
    /// Files that could not be indexed are tried again, though they have not changed.
    pub retry: bool,
}

/// A part of all files, told by a hash of their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    index: u64,
    /// Number of parts, at least one.
    of: NonZero<u64>,
}

impl Shard {
    /// Part `index`, from 0, of `of`; none, if there is no such part. Machines that share the work
    /// each make an index, which are [merged](merge) then.
    pub fn new(index: u64, of: u64) -> Option<Self> {
        let of = NonZero::new(of).filter(|of| index < of.get())?;
        Some(Self { index, of })
    }
}

/// Progress of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that have to be read.
    pub files: usize,
    /// Files that have been dealt with.
    pub done: usize,
    /// Contents that were encoded.
    pub encoded: usize,
}

/// Outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Files that are as they were, and that the index has.
    pub unchanged: usize,
    /// Files that are as they were when nothing of them could be indexed, and were not tried
    /// again.
    pub refused: usize,
    /// Contents that were encoded.
    pub encoded: usize,
    /// Files with a content that was known: copies, and files that were moved or touched.
    pub linked: usize,
    /// Files with a content that are gone.
    pub removed: usize,
    /// Files that could not be indexed when they were there, and are gone.
    pub refused_gone: usize,
    /// Files that have nothing that can be indexed, and why.
    pub failed: Vec<Failed>,
    /// Folders whose contents were kept although none is left there.
    pub emptied: Vec<String>,
    /// Files of kinds that may be indexed some day and that no source knows yet, by the kind's
    /// name.
    pub skipped: BTreeMap<&'static str, usize>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
}

/// A file that could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Failed {
    /// The file or folder.
    pub path: String,
    /// Why.
    pub reason: String,
    /// The feature that a build needs to read it, where it is nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<&'static str>,
}
