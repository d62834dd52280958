//! When nothing of an index is what was asked for.
//!
//! A search always finds something nearest. Whether it is near is told by texts that have nothing to do with most people's
//! pictures: what the index has for those is what it has for anything. A picture that is near to all texts is near to
//! every query, so from each cosine that of the picture with the texts' mean is taken (its hubness).

use diptych_index::{Filter, Hit, Id, Method, Part, Query, Store};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, check_model};
use diptych::text::Overflow;
use diptych::{Clip, Embeddings};

/// Captions of things that are seldom photographed.
const BACKGROUND: &str = include_str!("background.txt");

/// The share of background texts whose best hit is below what the best hit of a query must have.
const GATE: f64 = 0.9;

/// The same for all other hits of a query that has passed.
const CUT: f64 = 0.5;

/// The name of the note that holds a calibration.
const NOTE: &str = "threshold";

/// Scores that an index has for texts that have nothing to do with it; its JSON is the note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// `[D]`: the mean of the background texts' embeddings.
    #[serde(rename = "centre")]
    centre: Vec<f32>,
    /// Below this in its best hit, a query has none.
    #[serde(rename = "gate")]
    pub gate: f32,
    /// Below this a hit is dropped.
    #[serde(rename = "cut")]
    pub cut: f32,
    /// Contents of the index when it was made.
    #[serde(rename = "contents")]
    pub contents: u64,
}

/// Calibrates an index, if it has changed much since that was done, and notes the result in it.
///
/// # Errors
/// [`Error::Index`] for an index of another model, and what keeps the model from working or the index from being searched and
/// written.
pub fn calibrate(clip: &Clip, store: &dyn Store) -> Result<Option<Calibration>> {
    check_model(store, clip, clip.name())?;
    let contents = store.status()?.contents;
    let has_changed = |old: &Calibration| old.contents.abs_diff(contents) * 10 > contents;
    if let Some(old) = Calibration::of(store)?.filter(|old| !has_changed(old)) {
        return Ok(Some(old));
    }
    if contents == 0 {
        return Ok(None);
    }
    let mut texts = Embeddings::empty(clip.config().embed_dim);
    for features in clip.stream_texts(BACKGROUND.lines(), Overflow::Truncate) {
        texts.push(&features?)?;
    }
    let n = texts.len() as f32;
    let mut centre = vec![0f32; texts.dim()];
    for row in texts.rows() {
        centre
            .iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value / n);
    }
    let mut best = Vec::new();
    for row in texts.rows() {
        let lean: Vec<f32> = row
            .iter()
            .zip(&centre)
            .map(|(value, mean)| value - mean)
            .collect();
        let length = lean.iter().map(|v| v * v).sum::<f32>().sqrt();
        let lean = Embeddings::from_features(lean.len(), lean)?;
        let hits = store.search(&Query {
            vector: lean.as_slice(),
            k: 1,
            filter: &Filter::default(),
            method: Method::Auto,
        })?;
        best.extend(hits.first().map(|hit| length * hit.score));
    }
    best.sort_by(f32::total_cmp);
    let quantile = |share: f64| best.get((best.len() as f64 * share) as usize).copied();
    let calibration = Calibration {
        centre,
        gate: quantile(GATE).unwrap_or(f32::INFINITY),
        cut: quantile(CUT).unwrap_or(f32::INFINITY),
        contents,
    };
    let note = serde_json::to_vec(&calibration).map_err(|e| Error::note(NOTE, &e))?;
    store.set_note(NOTE, &note)?;
    Ok(Some(calibration))
}

impl Calibration {
    /// Hits that [`Calibration::keep`] should be given, at the least: the nearest is not always the one that leans most
    /// towards the query.
    pub const LOOK_AT: usize = 10;

    /// The calibration of an index, if it has one that can be read.
    ///
    /// # Errors
    /// If the index can't be read.
    pub fn of(store: &dyn Store) -> Result<Option<Self>> {
        let note = store.note(NOTE)?;
        let read = note.and_then(|note| serde_json::from_slice::<Self>(&note).ok());
        Ok(read.filter(|read| read.centre.len() == store.model().dim))
    }

    /// How much nearer to a query than to any text a content's part is, whose cosine with the query is `score`; none if it has
    /// gone since.
    ///
    /// # Errors
    /// If the index can't be read.
    pub fn lead(&self, store: &dyn Store, id: Id, part: &Part, score: f32) -> Result<Option<f32>> {
        let Some(vector) = store.vector(id, part)? else {
            return Ok(None);
        };
        if vector.len() != self.centre.len() {
            return Err(Error::width(vector.len(), self.centre.len()));
        }
        let products = vector.iter().zip(&self.centre);
        let hubness: f32 = products.map(|(value, mean)| value * mean).sum();
        Ok(Some(score - hubness))
    }

    /// The hits that are near to the query; none, if the best is no nearer than one of any text.
    ///
    /// # Errors
    /// If the index can't be read.
    pub fn keep(&self, store: &dyn Store, hits: Vec<Hit>) -> Result<Vec<Hit>> {
        let mut leaning = Vec::with_capacity(hits.len());
        for hit in hits {
            if let Some(lead) = self.lead(store, hit.id, &hit.part, hit.score)? {
                leaning.push((lead, hit));
            }
        }
        let best = leaning
            .iter()
            .map(|(lead, _)| *lead)
            .fold(f32::NEG_INFINITY, f32::max);
        if best < self.gate {
            return Ok(Vec::new());
        }
        let near = leaning.into_iter().filter(|(lead, _)| *lead >= self.cut);
        Ok(near.map(|(_, hit)| hit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, indexes that people have lose their threshold.
    #[test]
    fn the_note_is_written_as_it_ever_was() {
        let calibration = Calibration {
            centre: vec![0.5, -1.0],
            gate: 0.25,
            cut: 0.125,
            contents: 7,
        };
        let note = r#"{"centre":[0.5,-1.0],"gate":0.25,"cut":0.125,"contents":7}"#;
        assert_eq!(serde_json::to_string(&calibration).unwrap(), note);
        let read: Calibration = serde_json::from_str(note).unwrap();
        assert_eq!(read, calibration);
    }
}
