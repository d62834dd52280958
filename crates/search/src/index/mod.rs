//! Pictures on a disc → an index of their embeddings.
//!
//! Flow: `walk` finds files → `plan` compares them with what the index holds → `run` reads, encodes and notes what is new.
//! Invariant: a content is encoded once, whatever files have it; what is noted is whole, so a run that was killed goes on
//! where it was.

mod adopt;
mod merge;
mod place;
mod plan;
mod reach;
mod run;
#[cfg(test)]
mod tests;
mod walk;

pub use self::adopt::{Embedding, adopt};
pub use self::merge::merge;
pub use self::place::{canonical, names, same_file};
pub use self::reach::places;
pub use self::run::index;
pub(super) use self::run::{HEIGHT, WIDTH};
pub use self::walk::IGNORE_FILE;
pub(super) use self::walk::state;
use diptych::image::DecodeOptions;

/// What is indexed, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files and folders, too, whose names begin with a dot.
    pub hidden: bool,
    /// What is left out, each pattern as a line of a `.gitignore`, counted from the folder that is indexed.
    pub exclude: Vec<String>,
    /// Only a part of the files, so that many machines can share the work.
    pub shard: Option<Shard>,
    /// A folder in which no picture is left is taken at its word. Otherwise its pictures are kept in the index, since a
    /// disc that is not mounted looks the same.
    pub forget_emptied: bool,
    /// Files that could not be indexed are tried again, though they have not changed.
    pub retry: bool,
    /// How pictures are decoded.
    pub decode: DecodeOptions,
}

/// A part of all files, told by a hash of their paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u64,
    /// How many parts there are.
    pub of: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that have to be read.
    pub files: usize,
    /// Files that have been dealt with.
    pub done: usize,
    /// Pictures that were encoded.
    pub encoded: usize,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Files that are as they were.
    pub unchanged: usize,
    /// Contents that were encoded.
    pub encoded: usize,
    /// Files with a content that was known: copies, and files that were moved or touched.
    pub linked: usize,
    /// Files that are gone.
    pub removed: usize,
    /// Files that have nothing that can be indexed, and why.
    pub failed: Vec<Failed>,
    /// Folders whose pictures were kept although none is left there.
    pub emptied: Vec<String>,
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
}
