//! The lead below which a hit is no answer.
//!
//! A search always returns something, since something is always nearest. How near is near enough is
//! calibrated by background texts, about things that few people photograph: what their best hits
//! reach is what this index has for any text at all. A query whose best hit reaches no more than
//! those has no answer.
//!
//! Some pictures ("hubs") are near to every text. So hits are compared not by the cosine `t · p` of
//! text and picture, but by their lead `(t − m) · p`, with `m` the mean of the background texts:
//! what the picture has for this text beyond what it has for texts in general. For example a hub
//! has cosine 0.30 with the query and 0.28 with `m`: its lead is 0.02. A picture with 0.27 and 0.20
//! has 0.07, and wins.

use diptych_index::{Filter, Hit, Id, Method, Part, Query, Store};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, check_model};
use diptych::text::Overflow;
use diptych::{Clip, Embeddings};

/// The background: captions of things that are seldom photographed, one a line.
const BACKGROUND: &str = include_str!("background.txt");

/// A query has an answer if its best lead is above the best leads of this fraction of the
/// background.
const GATE_QUANTILE: f64 = 0.9;

/// The other hits of such a query need a lead above those of this fraction.
const CUT_QUANTILE: f64 = 0.5;

/// The name of the note that holds a calibration.
const NOTE: &str = "threshold";

/// The thresholds of an index; as JSON it is a note in the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// `[D]`: the mean of the background texts' embeddings.
    #[serde(rename = "centre")]
    centre: Vec<f32>,
    /// The least lead of a query's best hit; with less, the query has no answer.
    #[serde(rename = "gate")]
    pub gate: f32,
    /// The least lead of any other hit.
    #[serde(rename = "cut")]
    pub cut: f32,
    /// Number of contents that the index had when this was calibrated.
    #[serde(rename = "contents")]
    pub contents: u64,
}

/// Calibrates an index, if it has changed much since that was done, and notes the result in it.
///
/// # Errors
/// [`Error::Index`] for an index of another model, and what keeps the model from working or the
/// index from being searched and written.
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
        gate: quantile(GATE_QUANTILE).unwrap_or(f32::INFINITY),
        cut: quantile(CUT_QUANTILE).unwrap_or(f32::INFINITY),
        contents,
    };
    let note = serde_json::to_vec(&calibration).map_err(|e| Error::note(NOTE, &e))?;
    store.set_note(NOTE, &note)?;
    Ok(Some(calibration))
}

impl Calibration {
    /// Least number of hits to give to [`Calibration::keep`]: the one with the highest cosine does
    /// not always have the greatest lead.
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

    /// The lead of a content's part whose cosine with the query is `score`; none if it is no longer
    /// in the index.
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

    /// The hits that are answers.
    ///
    /// # Errors
    /// If the index can't be read.
    pub fn keep(&self, store: &dyn Store, hits: Vec<Hit>) -> Result<Vec<Hit>> {
        let mut with_leads = Vec::with_capacity(hits.len());
        for hit in hits {
            if let Some(lead) = self.lead(store, hit.id, &hit.part, hit.score)? {
                with_leads.push((lead, hit));
            }
        }
        let best = with_leads
            .iter()
            .map(|(lead, _)| *lead)
            .fold(f32::NEG_INFINITY, f32::max);
        if best < self.gate {
            return Ok(Vec::new());
        }
        let near = with_leads.into_iter().filter(|(lead, _)| *lead >= self.cut);
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
