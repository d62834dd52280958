//! Records of an index: contents with their vectors and payload, and the files that have them.
//!
//! `D` width of a vector.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Name of a content, wherever it lies: a hash of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "an id has 32 hexadecimal digits";
        let value = u128::from_str_radix(text, 16).map_err(|_| WANTED)?;
        if text.len() == 32 && !text.starts_with('+') {
            Ok(Self(value.to_be_bytes()))
        } else {
            Err(WANTED)
        }
    }
}

/// A part of a film, in seconds from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

/// A rectangle of a picture or of a film's frames: fractions of their width and height as they are
/// shown, from 0 at the left and the top to 1. So it is the same of a thumbnail and of a file of
/// any size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Where it begins, of the width.
    pub left: f64,
    /// Where it begins, of the height.
    pub top: f64,
    /// Where it ends, of the width.
    pub right: f64,
    /// Where it ends, of the height.
    pub bottom: f64,
}

/// A part of a content: by default all of it; a span of time, a region, or a region during a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// When; all the time, if there is none.
    pub span: Option<Span>,
    /// Where; everywhere, if there is none.
    pub region: Option<Region>,
}

impl Part {
    /// All that is shown during a span.
    pub fn during(start: f64, end: f64) -> Self {
        Self {
            span: Some(Span { start, end }),
            region: None,
        }
    }

    /// Whether there can be such a part.
    pub fn is_possible(&self) -> bool {
        let is_possible = |span: Span| {
            let is_finite = span.start.is_finite() && span.end.is_finite();
            is_finite && span.start <= span.end
        };
        let is_side = |from: f64, to: f64| 0.0 <= from && from < to && to <= 1.0;
        self.span.is_none_or(is_possible)
            && self
                .region
                .is_none_or(|r| is_side(r.left, r.right) && is_side(r.top, r.bottom))
    }
}

/// One vector of a content: of a picture, of one of its tiles, of a part of a film.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The part that it stands for.
    pub part: Part,
    /// `[D]`, of length 1.
    pub vector: Vec<f32>,
}

/// Facts of a content beside its vectors, in a form that any store can hold: an object of JSON, of
/// [`Value`](crate::Value)s.
pub type Payload = serde_json::Map<String, serde_json::Value>;

/// When a content was made, by the clock on the wall where that was.
///
/// A day is what people remember of a picture, so no time zone is taken off: a picture of 1 May at
/// 8 o'clock in New Zealand is one of 1 May, though it was still April in Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Seconds since 1970 began by that clock.
    pub at: i64,
    /// Who says so.
    pub from: TakenFrom,
}

/// Who says when a content was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TakenFrom {
    /// The content itself, in its EXIF block.
    Exif,
    /// Nobody: the time at which its file was changed stands in.
    File,
    /// An index of format 1, which did not note it; the time is in UTC.
    Unknown,
}

impl TakenFrom {
    /// Name in JSON, in tables and on servers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exif => "exif",
            Self::File => "file",
            Self::Unknown => "unknown",
        }
    }

    /// The one with this name.
    pub(crate) fn named(name: &str) -> Self {
        let all = [Self::Exif, Self::File];
        let found = all.into_iter().find(|from| from.name() == name);
        found.unwrap_or(Self::Unknown)
    }
}

/// A content: what one or more files hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name.
    pub id: Id,
    /// When it was made; what [`Filter::after`] and [`Filter::before`] ask for.
    pub taken: Option<Taken>,
    /// Perceptual hash of how it looks, in its maker's bytes; a vector says what it is of.
    pub phash: Option<Vec<u8>>,
    /// Other facts of it.
    pub payload: Payload,
    /// Its vectors, at least one.
    pub moments: Vec<Moment>,
}

/// A file, and how it was when its content was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its absolute path, as [`diptych_files::spell`] spells it: names are bytes, and none is
    /// lost.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since 1970 began.
    pub modified: i64,
}

/// Identity of a file or folder: device and inode, or where there are none its place.
#[cfg(unix)]
pub type FileId = (u64, u64);
/// Identity of a file or folder: device and inode, or where there are none its place.
#[cfg(not(unix))]
pub type FileId = std::path::PathBuf;

/// The identity of a file or folder.
///
/// # Errors
/// If it is not there, or can't be looked at.
pub fn file_id(path: &Path) -> std::io::Result<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = diptych_files::metadata(path)?;
        Ok((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    fs_err::canonicalize(path)
}

/// A change to apply to an index.
///
/// A content whose moments would fill the memory comes in portions: [`Change::Begin`], any number
/// of [`Change::Extend`] and [`Change::Finish`], in one call or in many. Until it is finished it is
/// not there, and what it replaces is. What a process began and did not finish waits for one that
/// goes on with it ([`Store::begun`](crate::Store::begun)), begins it anew, abandons it or sweeps
/// it away ([`Store::sweep`](crate::Store::sweep)). [`put_moments`](crate::put_moments) does it for
/// an iterator. On a server a [`Change::Finish`] that fails half way is made up for by the next
/// change that begins, finishes or abandons that content, or when the index is next opened to be
/// written.
#[derive(Clone, Debug)]
pub enum Change {
    /// A content is there, or is replaced. It is found once a file has it.
    Put(Item),
    /// A content is begun, with its first moments or none; if it was begun before, anew.
    Begin(Item),
    /// A content that was begun has these moments, too.
    Extend(Id, Vec<Moment>),
    /// A content that was begun is whole: from now on it is there, as after [`Change::Put`].
    Finish(Id),
    /// A content that was begun, if it was, is not finished.
    Abandon(Id),
    /// A file has a content, which must be there. Whatever it had before, it has no longer.
    Link(File, Id),
    /// A file is gone. A content that no file has goes with it.
    Unlink(String),
    /// A file has nothing that can be indexed, for a reason; it is asked for again once it has
    /// changed.
    Refuse(File, String),
}

/// A content that was begun and is not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// All of it but its moments.
    pub item: Item,
    /// Number of moments that have come.
    pub moments: u64,
    /// The part that the last of them stands for.
    pub last: Option<Part>,
}

/// Which contents may be found. By default all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only those with a file in one of these folders, or below it; any, if there is none.
    pub within: Vec<String>,
    /// Only those that were made at this second of [`Taken::at`] or later.
    pub after: Option<i64>,
    /// Only those that were made before this second.
    pub before: Option<i64>,
    /// Only those that say themselves when they were made, [`TakenFrom::Exif`].
    pub dated: bool,
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a file lies where it may.
    pub fn holds(&self, path: &str) -> bool {
        self.within.is_empty() || self.within.iter().any(|folder| is_within(path, folder))
    }
}

/// Whether `path` is `folder`, or lies below it.
pub fn is_within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches(std::path::is_separator);
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(std::path::is_separator))
}

/// How a store looks for the nearest vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// As is fastest: [`Method::Scan`] where that takes no longer than people notice, else
    /// [`Method::Cells`].
    #[default]
    Auto,
    /// Compare with every vector: exact.
    Scan,
    /// Compare with those in the cells nearest to the query: nearly exact, and faster where there
    /// are many.
    Cells,
}

impl Method {
    /// Name in JSON and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Scan => "scan",
            Self::Cells => "cells",
        }
    }
}

/// A question for the nearest moments.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// `[D]`, of length 1.
    pub vector: &'a [f32],
    /// Hits at the most.
    pub k: usize,
    /// Among which contents.
    pub filter: &'a Filter,
    /// How.
    pub method: Method,
}

/// A moment that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its content.
    pub id: Id,
    /// The cosine of the query and its vector.
    pub score: f32,
    /// The part of the content that it stands for.
    pub part: Part,
    /// The files that have it and that the filter lets through, in order of their paths.
    pub files: Vec<String>,
    /// As in [`Item`].
    pub taken: Option<Taken>,
    /// As in [`Item`].
    pub payload: Payload,
}

/// The model that vectors are of: those of two models have no similarity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Name, for people.
    pub name: String,
    /// Identity: a hash of its weights and of how its inputs are prepared.
    pub fingerprint: String,
    /// `D`.
    pub dim: usize,
}

/// Counts of what an index holds, and how it is searched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Where it is; a file as [`diptych_files::spell`] spells it.
    pub place: String,
    /// The model of its vectors.
    pub model: Model,
    /// The version of its format.
    pub format: u32,
    /// Files that can be found.
    pub files: u64,
    /// Contents: equal files have one.
    pub contents: u64,
    /// Vectors: a film has several.
    pub vectors: u64,
    /// Files that have nothing that can be indexed.
    pub refused: u64,
    /// Bytes on this machine.
    pub bytes: u64,
    /// The method that [`Method::Auto`] stands for without a filter.
    pub method: Method,
    /// Why that is so.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_within_folders_by_whole_names() {
        for (path, folder, is_in) in [
            ("/a/b", "/a", true),
            ("/a/b", "/a/", true),
            ("/a/b", "/a/b", true),
            ("/ab", "/a", false),
            ("/a", "/a/b", false),
            ("/a", "/", true),
        ] {
            assert_eq!(is_within(path, folder), is_in, "{path} in {folder}");
        }
    }
}
