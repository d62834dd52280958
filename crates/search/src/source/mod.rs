//! Kinds of contents that can be indexed: which files are theirs, and the views that are encoded of
//! each.
//!
//! Flow: a file → the first [`Source`] that says it is its own → [`Content`] → [`View`]s → the
//! image tower → moments of an index. [`Pictures`] come with this crate; films and boxes are for
//! others to bring. Invariant: a source knows no index and no model but how its pixels are
//! prepared.
//!
//! `S` side of the pixels.

mod pictures;

use std::borrow::Cow;
use std::path::Path;

use diptych::image::{Pixels, Preprocess};
use diptych_index::{Begun, Part, Payload, Taken};

pub(crate) use self::pictures::{HEIGHT, WIDTH, told};
pub use self::pictures::{Pictures, embedding, refused_above};

/// A kind of contents.
pub trait Source: Send + Sync {
    /// Whether a file may be its own by its name. Files in folders are looked at only if a source
    /// says so.
    fn has_name(&self, path: &Path) -> bool;

    /// Whether a file is its own by its first bytes, [`START_BYTES`] of them or all there are.
    fn has_start(&self, start: &[u8]) -> bool;

    /// Way in which its files are read.
    fn reading(&self) -> Reading;

    /// Whether a file that was refused for this reason may be taken now, since the source allows
    /// more than it did: then it is tried again. By default none is.
    fn may_take(&self, reason: &str) -> bool {
        let _ = reason;
        false
    }

    /// Opens a file. Called on many threads; what takes long is better done as the views are asked
    /// for.
    ///
    /// # Errors
    /// [`SourceError`]; another file's are not touched by it.
    fn open<'a>(
        &'a self,
        input: Input<'a>,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError>;

    /// Opens a file of which another run has stored some moments and not all, to go on after
    /// those: of what is told of it only the views count. None, which is the default, if it has to
    /// begin anew. Asked of [`Reading::Streamed`] alone.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn resume<'a>(
        &'a self,
        input: &Input<'a>,
        begun: &Begun,
        preprocess: &'a Preprocess,
    ) -> Result<Option<Content<'a>>, SourceError> {
        let _ = (input, begun, preprocess);
        Ok(None)
    }
}

/// Bytes by which [`Source::has_start`] tells its files.
pub const START_BYTES: usize = 4096;

/// Ways to read a source's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Once, into memory; one of more than [`diptych_files::MAX_FILE_BYTES`] is refused.
    Whole,
    /// By the source itself, from its path. For its id a file is read in pieces before, whatever
    /// its size.
    Streamed,
}

/// A file that a source is to open.
#[derive(Debug)]
pub struct Input<'a> {
    /// Where it is.
    pub path: Cow<'a, Path>,
    /// All of it, for [`Reading::Whole`]; else nothing.
    pub bytes: Vec<u8>,
}

/// A content that was opened.
pub struct Content<'a> {
    /// All that is told of it beside its vectors.
    pub about: About,
    /// At least one, in the order that an index is to have them. They are asked for a few at a
    /// time, and not at all once one is an error. An iterator that knows its end by
    /// [`Iterator::size_hint`] is not asked for it.
    pub views: Box<dyn Iterator<Item = Result<View, SourceError>> + Send + 'a>,
}

/// All that is told of a content beside its vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// When it was made, if it says so itself; else the file's time stands in.
    pub taken: Option<Taken>,
    /// Perceptual hash of how it looks, as [`diptych_index::Item::phash`].
    pub phash: Option<Vec<u8>>,
    /// All else that is known of it.
    pub payload: Payload,
}

/// A part of a content that is encoded as one vector.
#[derive(Clone, Debug)]
pub struct View {
    /// The part of the content that it stands for.
    pub part: Part,
    /// `[1, 3, S, S]`.
    pub pixels: Pixels,
}

/// Why a file gives no moments.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It can't be read now, which says nothing of its content: it is tried again by the next run.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// Nothing of its content can be indexed: it is not tried again until the file changes.
    #[error("{reason}")]
    Content {
        /// Reason, in words: found and wanted.
        reason: String,
    },
    /// As [`SourceError::Content`], but a build with a feature reads it.
    #[error("{reason}")]
    NotBuilt {
        /// Reason, in words; it names the command that builds so.
        reason: String,
        /// The feature.
        feature: &'static str,
    },
}

/// Extensions of films.
const FILM_EXTENSIONS: [&str; 19] = [
    "3g2", "3gp", "asf", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts",
    "mxf", "ogv", "vob", "webm", "wmv", "y4m",
];

/// Whether a name ends as those of films do, in capitals or not.
pub fn is_film_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        let is_same = |film: &&str| extension.eq_ignore_ascii_case(film);
        FILM_EXTENSIONS.iter().any(is_same)
    })
}

/// The source whose own a file is: told by its first bytes, or if none knows them by its name, or
/// as a last resort the first.
pub(crate) fn source_of<'a>(
    sources: &[&'a dyn Source],
    path: &Path,
    start: &[u8],
) -> Option<&'a dyn Source> {
    let by_start = sources.iter().find(|source| source.has_start(start));
    let by_name = || sources.iter().find(|source| source.has_name(path));
    by_start.or_else(by_name).or(sources.first()).copied()
}
