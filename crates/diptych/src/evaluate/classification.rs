//! Zero-shot classification of labelled pictures: top-1 and top-5 accuracy.
//!
//! Source: section 3.1 of the paper; the metrics as in `zeroshot_classification.py` of CLIP_benchmark,
//! commit 48de38c.

use serde::Serialize;

use super::encode::encode;
use crate::text::Overflow;
use crate::train::Sample;
use crate::{Clip, Embeddings, Result};

/// How often a classifier is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Share of the pictures whose class comes first.
    pub top_1: f64,
    /// Share of the pictures whose class is among the first five.
    pub top_5: f64,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of classes.
    pub classes: usize,
    /// What is wrong with pictures that were left out.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

/// Measures `clip` on samples with the index of their class, a class being a few sentences whose
/// embeddings are averaged. Samples whose picture can't be decoded are left out, and told in
/// [`Accuracy::skipped`].
///
/// # Errors
/// [`Error::Tokens`](crate::Error::Tokens) for texts of another model.
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
    let pictures: Vec<&Sample> = samples.iter().map(|(sample, _)| *sample).collect();
    let encoded = encode(clip, &pictures)?;
    let cosines = encoded.images.cosines(&weights);
    let rows = cosines.chunks_exact(classes.len().max(1));
    let ranks: Vec<usize> = rows
        .zip(&encoded.kept)
        .map(|(row, &i)| rank(row, samples[i].1))
        .collect();
    let share = |k: usize| {
        let right = ranks.iter().filter(|&&rank| rank < k).count();
        right as f64 / ranks.len().max(1) as f64
    };
    Ok(Accuracy {
        top_1: share(1),
        top_5: share(5),
        pictures: ranks.len(),
        classes: classes.len(),
        skipped: encoded.skipped,
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
