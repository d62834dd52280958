//! Search results: contents, each with its files, and whether these are still there.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::Path;

use diptych_files::unspell;
use diptych_index::{Hit, Id, Part, Region, Taken, TakenFrom};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use rayon::prelude::*;
use serde::Serialize;

/// A content that was found, or a part of one: equal files are one.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its content.
    pub id: Id,
    /// Cosine with the query.
    pub score: f32,
    /// The part of it that was found.
    pub part: Part,
    /// When it was made.
    pub taken: Option<Taken>,
    /// The files that have it, at least one: those that are there come first, then by their paths.
    pub files: Vec<FoundFile>,
}

/// One of the files of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is, as [`diptych_files::spell`] spells it.
    pub path: String,
    /// Whether it is no longer there. A name that is no absolute path, as of a set that is not on
    /// this machine, is taken to be there.
    pub gone: bool,
}

/// A file that was found; its JSON is what is told of one everywhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundLine<'a> {
    /// Where it is, as [`diptych_files::spell`] spells it.
    pub path: &'a str,
    /// Cosine with the query.
    pub score: f32,
    /// The part of a film that was found, in seconds from its beginning.
    pub start: Option<f64>,
    /// Where that part ends.
    pub end: Option<f64>,
    /// The region that was found, in shares of what is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// By the clock on the wall where it was made, in ISO 8601.
    pub taken: Option<String>,
    /// Who says so.
    pub taken_from: Option<TakenFrom>,
    /// Other files that have the same content, of those that were asked for.
    pub copies: usize,
    /// As [`FoundFile::gone`].
    pub gone: bool,
}

impl Found {
    /// The file that stands for all: the first, which is there if one is.
    pub fn first(&self) -> &FoundFile {
        &self.files[0]
    }

    /// Files beside the first.
    pub fn copies(&self) -> usize {
        self.files.len() - 1
    }

    /// Returns a line for each file.
    pub fn each(&self) -> impl Iterator<Item = FoundLine<'_>> {
        let Part { span, region } = self.part;
        self.files.iter().map(move |file| FoundLine {
            path: &file.path,
            score: self.score,
            start: span.map(|span| span.start),
            end: span.map(|span| span.end),
            region,
            taken: self.taken.and_then(|taken| wall_clock(taken.at)),
            taken_from: self.taken.map(|taken| taken.from),
            copies: self.copies(),
            gone: file.gone,
        })
    }
}

/// Hits with their files as these are now; `keep` says which are told. One that has none left is
/// dropped.
pub(super) fn found(hits: Vec<Hit>, keep: impl Fn(&Path) -> bool + Sync) -> Vec<Found> {
    let found = |hit: Hit| {
        let paths = hit.files.into_iter();
        let kept = paths.filter(|path| keep(&unspell(path)));
        let mut files: Vec<FoundFile> = kept
            .map(|path| FoundFile {
                gone: is_gone(&unspell(&path)),
                path,
            })
            .collect();
        files.sort_by_key(|file| file.gone);
        (!files.is_empty()).then_some(Found {
            id: hit.id,
            score: hit.score,
            part: hit.part,
            taken: hit.taken,
            files,
        })
    };
    hits.into_par_iter().filter_map(found).collect()
}

fn is_gone(path: &Path) -> bool {
    let is_missing = |error: std::io::Error| matches!(error.kind(), NotFound | NotADirectory);
    path.is_absolute() && diptych_files::metadata(path).is_err_and(is_missing)
}

/// A time as an index holds it, [`Taken::at`], in ISO 8601.
pub fn wall_clock(at: i64) -> Option<String> {
    let begin = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let clock = begin.checked_add(SignedDuration::from_secs(at));
    Some(clock.ok()?.to_string())
}
