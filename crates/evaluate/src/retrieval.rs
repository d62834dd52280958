//! Retrieval on captioned pictures: recall at 1, 5 and 10, both ways.
//!
//! Source: `zeroshot_retrieval.py` in CLIP_benchmark, commit 48de38c: the share of queries that
//! have at least one of their positives among the first k.

use std::fmt::Display;

use diptych::image::Pixels;
use diptych::text::Overflow;
use diptych::{Clip, Embeddings, Result};
use rayon::prelude::*;
use serde::Serialize;

use crate::encode::{Labelled, encode};

/// Recall at 1, 5 and 10, as shares of the queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recall {
    /// Pictures found by a caption: text → image.
    pub image: [f64; 3],
    /// Captions found by a picture: image → text.
    pub text: [f64; 3],
    /// For each picture that was left out, the reason.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

const RANKS: [usize; 3] = [1, 5, 10];

/// Measures `clip` on pictures with any number of captions each. Pictures that `load` can't make
/// pixels of, `[1, 3, S, S]`, are left out, and told in [`Recall::skipped`]; captions are cut to
/// what the model reads.
///
/// # Errors
/// Any error that keeps the model from being used.
pub fn retrieval<P, T, E>(
    clip: &Clip,
    pictures: impl IntoIterator<Item = Labelled<P, T>>,
    load: impl Fn(P) -> Result<Pixels, E> + Sync,
) -> Result<Recall>
where
    P: Send,
    T: AsRef<[String]>,
    E: Display,
{
    let encoded = encode(clip, pictures, load)?;
    let (mut captions, mut owner) = (Vec::new(), Vec::new());
    for (image, texts) in encoded.labels.iter().enumerate() {
        for text in texts.as_ref() {
            captions.push(text);
            owner.push(image);
        }
    }
    let tokens = clip.tokens(&captions, Overflow::Truncate)?;
    let texts = clip.text_features(&tokens)?;
    let texts = Embeddings::from_features(clip.config().embed_dim, texts)?;
    let images = encoded.images;
    let of_images: Vec<usize> = (0..images.len()).collect();
    Ok(Recall {
        image: recall(&texts, &owner, &images, &of_images)?,
        text: recall(&images, &of_images, &texts, &owner)?,
        skipped: encoded.skipped,
    })
}

/// The share of `queries` with an item of their own owner among the first k `items`.
fn recall(
    queries: &Embeddings,
    query_owner: &[usize],
    items: &Embeddings,
    item_owner: &[usize],
) -> Result<[f64; 3]> {
    let cosines = queries.cosines(items)?;
    // Ties and NaN count against the model: one that gives everything the same place finds nothing.
    let rank = |row: &[f32], owner: usize| {
        let own = row.iter().zip(item_owner).filter(|&(_, &o)| o == owner);
        let best = own.map(|(&c, _)| c).fold(f32::NEG_INFINITY, f32::max);
        let others = row.iter().zip(item_owner).filter(|&(_, &o)| o != owner);
        others.filter(|&(&c, _)| c >= best || c.is_nan()).count()
    };
    let ranks: Vec<usize> = cosines
        .par_chunks_exact(items.len().max(1))
        .zip(query_owner)
        .map(|(row, &owner)| rank(row, owner))
        .collect();
    let share = |k| ranks.iter().filter(|&&r| r < k).count() as f64 / ranks.len().max(1) as f64;
    Ok(RANKS.map(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recall of two pictures with two captions each, all in the plane.
    fn measure(images: [f32; 4], texts: [f32; 8]) -> [f64; 3] {
        let images = Embeddings::from_features(2, images.to_vec()).unwrap();
        let texts = Embeddings::from_features(2, texts.to_vec()).unwrap();
        recall(&texts, &[0, 0, 1, 1], &images, &[0, 1]).unwrap()
    }

    #[test]
    fn recall_is_the_share_of_queries_whose_own_item_is_among_the_first() {
        let right = measure(
            [1.0, 0.0, 0.0, 1.0],
            [1.0, 0.1, 1.0, 0.2, 0.1, 1.0, 0.2, 1.0],
        );
        assert_eq!(right, [1.0, 1.0, 1.0]);
        let half = measure(
            [1.0, 0.0, 0.0, 1.0],
            [1.0, 0.1, 0.2, 1.0, 0.1, 1.0, 1.0, 0.2],
        );
        assert_eq!(half, [0.5, 1.0, 1.0]);
    }

    #[test]
    fn a_model_that_says_the_same_of_everything_finds_nothing_first() {
        assert_eq!(measure([1.0; 4], [1.0; 8])[0], 0.0);
        assert_eq!(measure([f32::NAN; 4], [1.0; 8])[0], 0.0);
    }
}
