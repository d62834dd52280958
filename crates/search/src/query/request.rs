//! The door of a search: what is asked of an index → the files that are found.
//!
//! Flow: an [`Expression`] or a picture → a vector → a store's hits, by the filters → [`MinScore`]
//! → [`Answer`].

use std::path::{Path, PathBuf};

use diptych::image::DecodeOptions;
use diptych::text::Overflow;
use diptych::{Clip, Embeddings, Expression, TEMPLATES};
use diptych_index::{Filter, Hit, Method, Query, Store};

use super::found::{Found, found};
use super::similar::known_vector;
use super::{Calibration, Nothing};
use crate::index::{places, same_file};
use crate::source::embedding;
use crate::{Error, Result, check_model};

/// Conditions of a search beside the query itself: how many contents, which ones, and how near.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Contents, or parts of them, at the most, and at least 1; equal files are one content.
    pub top: usize,
    /// Only files in these folders or below them, as they are typed; in any, if there is none.
    pub within: Vec<PathBuf>,
    /// Only contents that were made at this second or later, as [`Filter::after`].
    pub after: Option<i64>,
    /// Only contents that were made before this second, as [`Filter::before`].
    pub before: Option<i64>,
    /// Only contents that say themselves when they were made.
    pub dated: bool,
    /// Least score of a hit; without one, any hit is near enough.
    pub min_score: Option<MinScore>,
    /// Sentences that a text is put into, `{}` standing for it; [`TEMPLATES`] if there is none.
    pub templates: Vec<String>,
    /// Treatment of a text that is too long for the model.
    pub overflow: Overflow,
    /// Method by which vectors are compared.
    pub method: Method,
    /// Options for decoding a picture of which the index has no vector; but how much of it is
    /// decoded is as with the index's own.
    pub decode: DecodeOptions,
}

impl Default for Request {
    /// Ten contents, of all.
    fn default() -> Self {
        Self {
            top: 10,
            within: Vec::new(),
            after: None,
            before: None,
            dated: false,
            min_score: None,
            templates: Vec::new(),
            overflow: Overflow::Refuse,
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

/// The contents that a search found, at least one, or why there is none.
pub type Answer = std::result::Result<Vec<Found>, Nothing>;

impl Request {
    /// Searches an index by words and pictures. `embedding` gives a picture's, `[1, D]`;
    /// [`embedding()`] is one for those who may name any file of this machine.
    ///
    /// # Errors
    /// [`Error::Model`] for an expression that the model can't follow, [`Error::Index`] for an
    /// index of another model, [`Error::NoThreshold`] if [`MinScore::Auto`] is asked for and
    /// there is none, those of `embedding`, and if the index can't be read.
    pub fn search<P>(
        &self,
        store: &dyn Store,
        clip: &Clip,
        expression: &Expression<P>,
        embedding: impl FnMut(&P) -> Result<Embeddings>,
    ) -> Result<Answer> {
        check_model(store, clip, clip.name())?;
        let own = self.templates.iter().map(String::as_str);
        let mut templates: Vec<&str> = own.collect();
        if templates.is_empty() {
            templates = TEMPLATES.to_vec();
        }
        let vector = expression.vector(clip, &templates, self.overflow, embedding)?;
        self.nearest(store, &vector)
    }

    /// Searches for what is like a file's content, without the file itself. For one that the index
    /// has as it is, its own vector is taken; else `clip` is opened and the file read.
    ///
    /// # Errors
    /// As [`Request::search`], and those of `clip`.
    pub fn similar<E: From<Error>>(
        &self,
        store: &dyn Store,
        file: &Path,
        clip: impl FnOnce() -> Result<Clip, E>,
    ) -> Result<Answer, E> {
        let vector = match known_vector(store, file)? {
            Some(vector) => vector,
            None => {
                let clip = clip()?;
                check_model(store, &clip, clip.name())?;
                let embedding = embedding(store, &clip, file, &self.decode)?;
                embedding.as_slice().to_vec()
            }
        };
        let like = |request: &Self| request.like(store, &vector, file);
        Ok(self.answer(store, like)?)
    }

    /// Searches for what is nearest to a vector `[D]` of length 1.
    ///
    /// # Errors
    /// [`Error::Index`] for a vector of another width, and as [`Request::search`].
    pub fn nearest(&self, store: &dyn Store, vector: &[f32]) -> Result<Answer> {
        self.answer(store, |request| {
            let mut found = found(request.hits(store, vector, request.top)?, |_| true);
            found.truncate(request.top);
            Ok(found)
        })
    }

    /// Returns the contents that `nearest` finds by this request, or why there is none.
    fn answer(
        &self,
        store: &dyn Store,
        nearest: impl Fn(&Self) -> Result<Vec<Found>>,
    ) -> Result<Answer> {
        let found = nearest(self)?;
        if found.is_empty() {
            return Ok(Err(self.nothing(store, nearest)?));
        }
        Ok(Ok(found))
    }

    /// Finds the contents nearest to a file's vector, but not the file itself: it is not like
    /// itself, but the same.
    fn like(&self, store: &dyn Store, vector: &[f32], file: &Path) -> Result<Vec<Found>> {
        let is_other = |path: &Path| !same_file(path, file);
        let mut k = self.top.saturating_add(1);
        // Where it has many parts, they may all come first.
        loop {
            let hits = self.hits(store, vector, k)?;
            let is_all = hits.len() < k;
            let mut found = found(hits, is_other);
            if is_all || found.len() >= self.top {
                found.truncate(self.top);
                return Ok(found);
            }
            k = k.saturating_mul(4);
        }
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
