//! The door of a search: what is asked of an index → the files that are found.
//!
//! Flow: an [`Expression`] or a picture → a vector → a store's hits, by the filters → [`MinScore`] → [`Found`].

use std::path::{Path, PathBuf};

use diptych::image::DecodeOptions;
use diptych::{Clip, Embeddings, Expression, TEMPLATES};
use diptych_files::unspell;
use diptych_index::{Filter, Hit, Method, Part, Query, Region, Store, TakenFrom};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::Serialize;

use super::Calibration;
use super::similar::known_vector;
use crate::index::{places, same_file};
use crate::source::embedding;
use crate::{Error, Result, check_model};

/// Conditions of a search beside the query itself: how many files, which ones, and how near.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Files at the most.
    pub top: usize,
    /// Only files in these folders or below them, as they are typed; in any, if there is none.
    pub within: Vec<PathBuf>,
    /// Only contents that were made at this second or later, as [`Filter::after`].
    pub after: Option<i64>,
    /// Only contents that were made before this second, as [`Filter::before`].
    pub before: Option<i64>,
    /// Only contents that say themselves when they were made.
    pub dated: bool,
    /// How near they have to be; however far, if there is none.
    pub min_score: Option<MinScore>,
    /// Sentences that a text is put into, `{}` standing for it; [`TEMPLATES`] if there is none.
    pub templates: Vec<String>,
    /// How vectors are compared.
    pub method: Method,
    /// How a picture is decoded of which the index has no vector; how much of it is as with the index's own.
    pub decode: DecodeOptions,
}

impl Default for Request {
    /// Ten files, of all.
    fn default() -> Self {
        Self {
            top: 10,
            within: Vec::new(),
            after: None,
            before: None,
            dated: false,
            min_score: None,
            templates: Vec::new(),
            method: Method::Auto,
            decode: DecodeOptions::default(),
        }
    }
}

/// Least score of a hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MinScore {
    /// This cosine.
    Cosine(f32),
    /// More than any text has, by the index's [`Calibration`].
    Auto,
}

/// A file that was found; its JSON is what is told of one everywhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Where it is, as [`diptych_files::spell`] spells it.
    pub path: String,
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
}

impl Request {
    /// Searches an index by words and pictures. `embedding` gives a picture's, `[1, D]`; [`embedding()`] is one for those who
    /// may name any file of this machine.
    ///
    /// # Errors
    /// [`Error::Model`] for an expression that the model can't follow, [`Error::Index`] for an index of another model,
    /// [`Error::NoThreshold`] if [`MinScore::Auto`] is asked for and there is none, those of `embedding`, and if the index
    /// can't be read.
    pub fn search<P>(
        &self,
        store: &dyn Store,
        clip: &Clip,
        expression: &Expression<P>,
        embedding: impl FnMut(&P) -> Result<Embeddings>,
    ) -> Result<Vec<Found>> {
        check_model(store, clip, clip.name())?;
        let own = self.templates.iter().map(String::as_str);
        let mut templates: Vec<&str> = own.collect();
        if templates.is_empty() {
            templates = TEMPLATES.to_vec();
        }
        let vector = expression.vector(clip, &templates, embedding)?;
        self.nearest(store, &vector)
    }

    /// Searches for what is like a file's content, without the file itself. For one that the index has as it is, its own
    /// vector is taken; else `clip` is opened and the file read.
    ///
    /// # Errors
    /// As [`Request::search`], and those of `clip`.
    pub fn similar<E: From<Error>>(
        &self,
        store: &dyn Store,
        file: &Path,
        clip: impl FnOnce() -> Result<Clip, E>,
    ) -> Result<Vec<Found>, E> {
        let vector = match known_vector(store, file)? {
            Some(vector) => vector,
            None => {
                let clip = clip()?;
                check_model(store, &clip, clip.name())?;
                let embedding = embedding(store, &clip, file, &self.decode)?;
                embedding.as_slice().to_vec()
            }
        };
        // The file itself is not like itself, but the same; where it has many parts, they may all come first.
        let mut k = self.top.saturating_add(1);
        loop {
            let hits = self.hits(store, &vector, k)?;
            let is_all = hits.len() < k;
            let mut found = found(hits);
            found.retain(|found| !same_file(&unspell(&found.path), file));
            if is_all || found.len() >= self.top {
                found.truncate(self.top);
                return Ok(found);
            }
            k = k.saturating_mul(4);
        }
    }

    /// Searches for what is nearest to a vector `[D]` of length 1.
    ///
    /// # Errors
    /// [`Error::Index`] for a vector of another width, and as [`Request::search`].
    pub fn nearest(&self, store: &dyn Store, vector: &[f32]) -> Result<Vec<Found>> {
        let mut found = found(self.hits(store, vector, self.top)?);
        found.truncate(self.top);
        Ok(found)
    }

    /// The hits that are near enough, at most `k`.
    fn hits(&self, store: &dyn Store, vector: &[f32], k: usize) -> Result<Vec<Hit>> {
        let mut within = Vec::new();
        for folder in &self.within {
            within.extend(places(store, folder)?);
        }
        let filter = Filter {
            within,
            after: self.after,
            before: self.before,
            dated: self.dated,
        };
        let is_calibrated = self.min_score == Some(MinScore::Auto);
        let mut hits = store.search(&Query {
            vector,
            // Whether there is anything is told by more than the first.
            k: if is_calibrated {
                k.max(Calibration::LOOK_AT)
            } else {
                k
            },
            filter: &filter,
            method: self.method,
        })?;
        match self.min_score {
            None => {}
            Some(MinScore::Cosine(least)) => hits.retain(|hit| hit.score >= least),
            Some(MinScore::Auto) => {
                let calibration = Calibration::of(store)?.ok_or(Error::NoThreshold)?;
                hits = calibration.keep(store, hits)?;
            }
        }
        Ok(hits)
    }
}

/// Each file of each hit.
fn found(hits: Vec<Hit>) -> Vec<Found> {
    let files = hits.into_iter().flat_map(|hit| {
        let (score, Part { span, region }, taken) = (hit.score, hit.part, hit.taken);
        hit.files.into_iter().map(move |path| Found {
            path,
            score,
            start: span.map(|span| span.start),
            end: span.map(|span| span.end),
            region,
            taken: taken.and_then(|taken| wall_clock(taken.at)),
            taken_from: taken.map(|taken| taken.from),
        })
    });
    files.collect()
}

/// A time as an index holds it, [`diptych_index::Taken::at`], in ISO 8601.
pub fn wall_clock(at: i64) -> Option<String> {
    let begin = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let clock = begin.checked_add(SignedDuration::from_secs(at));
    Some(clock.ok()?.to_string())
}
