//! Embeddings of samples, a chunk at a time, so that a set may be larger than memory.

use rayon::prelude::*;

use crate::image::Pixels;
use crate::train::Sample;
use crate::{Clip, Embeddings, Result};

/// Pictures that are decoded and encoded at a time.
const CHUNK: usize = 256;

/// The samples that can be measured on.
pub(super) struct Encoded {
    /// A row for each of `kept`.
    pub(super) images: Embeddings,
    /// Their places among the samples given.
    pub(super) kept: Vec<usize>,
    /// What is wrong with the others.
    pub(super) skipped: Vec<String>,
}

/// Encodes the pictures that can be decoded.
pub(super) fn encode(clip: &Clip, samples: &[&Sample]) -> Result<Encoded> {
    let preprocess = clip.preprocess();
    let (mut features, mut kept, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (chunk, samples) in samples.chunks(CHUNK).enumerate() {
        let pictures: Vec<_> = samples
            .par_iter()
            .map(|sample| sample.picture().map(|picture| preprocess.apply(&picture)))
            .collect();
        let mut pixels = Vec::new();
        for (i, picture) in pictures.into_iter().enumerate() {
            match picture {
                Ok(picture) => {
                    pixels.push(picture);
                    kept.push(chunk * CHUNK + i);
                }
                Err(error) => skipped.push(error.to_string()),
            }
        }
        let pixels = Pixels::concat(preprocess.size, &pixels)?;
        features.extend(clip.image_features(&pixels)?);
    }
    Ok(Encoded {
        images: Embeddings::from_features(clip.config().embed_dim, features),
        kept,
        skipped,
    })
}
