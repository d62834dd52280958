//! Embeddings of samples, as a stream, so that a set may be larger than memory.

use crate::image::Pixels;
use crate::train::Sample;
use crate::{Clip, Embeddings, Error, Result};

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
    let load = |sample: &&Sample| -> Result<Pixels> { Ok(preprocess.apply(&sample.picture()?)) };
    let mut encoded = Encoded {
        images: Embeddings::empty(clip.config().embed_dim),
        kept: Vec::new(),
        skipped: Vec::new(),
    };
    for (i, features) in clip.stream_images(samples, load).enumerate() {
        match features {
            Ok(features) => {
                encoded.images.push(&features);
                encoded.kept.push(i);
            }
            Err(error @ Error::Shard { .. }) => encoded.skipped.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(encoded)
}
