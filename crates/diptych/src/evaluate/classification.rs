//! Zero-shot classification of labelled pictures: top-1 and top-5 accuracy.
//!
//! Source: section 3.1 of the paper; the metrics as in `zeroshot_classification.py` of CLIP_benchmark,
//! commit 48de38c.

use rayon::prelude::*;
use serde::Serialize;

use crate::image::Pixels;
use crate::text::Overflow;
use crate::train::Sample;
use crate::{Clip, Embeddings, Result};

/// How often a classifier is right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Share of the pictures whose class comes first.
    pub top_1: f64,
    /// Share of the pictures whose class is among the first five.
    pub top_5: f64,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of classes.
    pub classes: usize,
}

/// Pictures that are decoded and encoded at a time.
const CHUNK: usize = 256;

/// Measures `clip` on samples with the index of their class, a class being a few sentences whose
/// embeddings are averaged.
///
/// # Errors
/// [`Error::Shard`](crate::Error::Shard) for a picture that can't be decoded.
pub fn classification(
    clip: &Clip,
    classes: &[Vec<String>],
    samples: &[(&Sample, usize)],
) -> Result<Accuracy> {
    let dim = clip.config().embed_dim;
    let mut weights = Vec::new();
    for prompts in classes {
        let tokens = clip.tokens(prompts, Overflow::Truncate)?;
        let prompts = Embeddings::from_features(dim, clip.text_features(&tokens)?);
        weights.extend_from_slice(prompts.means(prompts.len().max(1)).as_slice());
    }
    let weights = Embeddings::from_features(dim, weights);
    let mut ranks = Vec::new();
    for chunk in samples.chunks(CHUNK) {
        let pixels: Vec<Pixels> = chunk
            .par_iter()
            .map(|(sample, _)| Ok(clip.preprocess().apply(&sample.picture()?)))
            .collect::<Result<_>>()?;
        let pixels = Pixels::concat(clip.preprocess().size, &pixels)?;
        let cosines = clip.encode_images(&pixels)?.cosines(&weights);
        let rows = cosines.chunks_exact(classes.len().max(1)).zip(chunk);
        ranks.extend(rows.map(|(row, (_, class))| rank(row, *class)));
    }
    let share = |k: usize| {
        let right = ranks.iter().filter(|&&rank| rank < k).count();
        right as f64 / ranks.len().max(1) as f64
    };
    Ok(Accuracy {
        top_1: share(1),
        top_5: share(5),
        pictures: ranks.len(),
        classes: classes.len(),
    })
}

/// How many other classes are as similar or more. Ties and NaN count against the model.
fn rank(cosines: &[f32], class: usize) -> usize {
    let own = cosines[class];
    let others = cosines.iter().enumerate().filter(|&(i, _)| i != class);
    others
        .filter(|&(_, &c)| c >= own || c.is_nan() || own.is_nan())
        .count()
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn the_rank_counts_what_is_as_similar_or_more() {
        let cosines = [0.1, 0.5, 0.3, 0.5];
        assert_eq!(
            [0, 1, 2, 3].map(|class| rank(&cosines, class)),
            [3, 1, 2, 1]
        );
        assert_eq!(rank(&[f32::NAN; 3], 1), 2);
        assert_eq!(rank(&[0.5, f32::NAN], 0), 1);
    }
}
