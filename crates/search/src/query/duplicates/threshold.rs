//! The cosine above which two pictures may be one: about that of a picture and a copy of it.
//!
//! It differs from model to model, and is measured: some pictures of the index are changed as
//! people change them, and encoded. The threshold only limits how many pairs are compared further:
//! the perceptual hash then tells copies from pictures that are merely alike. So it errs to the low
//! side.

use std::ops::ControlFlow;

use diptych_files::unspell;
use diptych_index::Store;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, check_model};
use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture, Pixels};
use diptych::{Clip, Embeddings};

/// Threshold where nothing could be measured.
pub const FALLBACK: f32 = 0.9;

/// Pictures that are changed; fewer than the least say too little.
const SAMPLE: usize = 64;
const LEAST: usize = 8;

/// Shorter side that a sample is made no larger than, so that a change takes no longer than
/// encoding.
const SIDE: usize = 384;

/// Shares of copies that may lie below the measured cosine: of those made smaller or encoded again,
/// and of those cropped or brightened. 64 pictures have 128 copies of each kind, of which 1 and 6
/// may.
const MAY_MISS: [f64; 2] = [0.01, 0.05];

/// Subtracted from the measured cosine, since a sample has no extremes; and the limits of the
/// threshold.
const MARGIN: f32 = 0.05;
const LIMITS: (f32, f32) = (0.5, 0.98);

/// Name of the note that holds the threshold.
const NOTE: &str = "near";

/// Least cosine of near duplicates; its JSON is the note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearThreshold {
    /// The cosine.
    #[serde(rename = "cosine")]
    pub cosine: f32,
    /// Pictures that it was measured by; none, if too few could be read and it is [`FALLBACK`].
    #[serde(rename = "pictures")]
    pub pictures: usize,
    /// Contents of the index when it was.
    #[serde(rename = "contents")]
    contents: u64,
}

impl NearThreshold {
    /// Measures the threshold of an index, by pictures of it that can be read.
    ///
    /// # Errors
    /// If the index can't be read or is another model's, or the model fails.
    pub fn measure(clip: &Clip, store: &dyn Store) -> Result<Self> {
        check_model(store, clip, clip.name())?;
        measure(clip, store, store.status()?.contents)
    }

    /// The threshold that is noted in an index, unless that has grown tenfold since.
    ///
    /// # Errors
    /// If the index can't be read.
    pub fn noted(store: &dyn Store) -> Result<Option<Self>> {
        let contents = store.status()?.contents;
        let note = store.note(NOTE)?;
        let noted = note.and_then(|note| serde_json::from_slice::<Self>(&note).ok());
        Ok(noted.filter(|noted| contents < 10 * noted.contents.max(1)))
    }

    /// Notes it in an index, so that it need not be measured again.
    ///
    /// # Errors
    /// If the index can't be written.
    pub fn note(&self, store: &dyn Store) -> Result<()> {
        let note = serde_json::to_vec(self).map_err(|e| Error::note(NOTE, &e))?;
        Ok(store.set_note(NOTE, &note)?)
    }
}

fn measure(clip: &Clip, store: &dyn Store, contents: u64) -> Result<NearThreshold> {
    // Twice as many as are needed, since some may be gone; spread evenly, so that no folder speaks
    // for all.
    let step = (contents as usize / (2 * SAMPLE)).max(1);
    let (mut paths, mut at) = (Vec::new(), 0);
    store.each(&mut |item, files| {
        if at % step == 0 && item.moments.len() == 1 {
            paths.extend(files.into_iter().next().map(|file| file.path));
        }
        at += 1;
        ControlFlow::Continue(())
    })?;
    let open = |path: &String| {
        let picture = Picture::open_small(unspell(path), SIDE, &DecodeOptions::default()).ok()?;
        let small = picture.shrunk(SIDE, Interpolation::Bicubic);
        Some(small.unwrap_or_else(|| picture.to_rgb()))
    };
    let (mut recoded, mut altered) = (Vec::new(), Vec::new());
    for picture in paths.iter().filter_map(open).take(SAMPLE) {
        let [smaller, coded, cropped, brighter] = cosines(clip, &picture)?;
        recoded.extend([smaller, coded]);
        altered.extend([cropped, brighter]);
    }
    let pictures = recoded.len() / 2;
    if pictures < LEAST {
        return Ok(NearThreshold {
            cosine: FALLBACK,
            pictures: 0,
            contents,
        });
    }
    let quantile = |mut cosines: Vec<f32>, share: f64| {
        cosines.sort_by(f32::total_cmp);
        cosines[(cosines.len() as f64 * share) as usize]
    };
    let lowest = quantile(recoded, MAY_MISS[0]).min(quantile(altered, MAY_MISS[1]));
    Ok(NearThreshold {
        cosine: (lowest - MARGIN).clamp(LIMITS.0, LIMITS.1),
        pictures,
        contents,
    })
}

/// Cosines of a picture with itself made smaller, encoded as a small JPEG, cropped by 3 % and
/// brightened by a quarter.
fn cosines(clip: &Clip, picture: &Picture) -> Result<[f32; 4]> {
    let (width, height) = (picture.width(), picture.height());
    let smaller = |share: usize| {
        let side = |side: usize| (side * share / 100).max(1);
        picture.resize(side(width), side(height), Interpolation::Bicubic)
    };
    // Small first, so that JPEG takes off more than it would of a large picture.
    let coded = Encoding::Jpeg.encode(&smaller(60))?;
    let cut = |side: usize| (side * 3).div_ceil(100).min(side - 1);
    let (across, down) = (cut(width), cut(height));
    let bright = |&value: &u8| (u32::from(value) * 5 / 4).min(255) as u8;
    let brighter = picture.as_bytes().iter().map(bright).collect();
    let copies = [
        picture.clone(),
        smaller(70),
        Picture::decode(&coded, &DecodeOptions::default())?,
        picture.crop(across, 0, width - across, height - down)?,
        Picture::from_rgb(width, height, brighter)?,
    ];
    let pixels = copies.map(|copy| clip.preprocess().apply(&copy));
    let embeddings = clip.encode_images(&Pixels::concat(clip.preprocess().size, &pixels)?)?;
    let own = Embeddings::from_features(
        embeddings.dim(),
        embeddings.rows().next().unwrap_or_default().to_vec(),
    )?;
    let all = own.cosines(&embeddings)?;
    Ok([all[1], all[2], all[3], all[4]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, indexes that people have are measured anew.
    #[test]
    fn the_note_is_written_as_it_ever_was() {
        let threshold = NearThreshold {
            cosine: 0.75,
            pictures: 64,
            contents: 1000,
        };
        let note = r#"{"cosine":0.75,"pictures":64,"contents":1000}"#;
        assert_eq!(serde_json::to_string(&threshold).unwrap(), note);
        let read: NearThreshold = serde_json::from_str(note).unwrap();
        assert_eq!(read, threshold);
    }
}
