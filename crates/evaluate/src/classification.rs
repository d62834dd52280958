//! Zero-shot classification of labelled pictures: top-1 and top-5 accuracy.
//!
//! Source: section 3.1 of the paper; the metrics as in `zeroshot_classification.py` of
//! CLIP_benchmark, commit 48de38c.

use std::fmt::Display;

use diptych::image::Pixels;
use diptych::{Clip, Error, Result, ZeroShot};
use serde::Serialize;

use crate::encode::{Labelled, encode};

/// Top-1 and top-5 accuracy of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// Share of the pictures whose class comes first.
    pub top_1: f64,
    /// Share of the pictures whose class is among the first five; none where there are no more
    /// than five.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_5: Option<f64>,
    /// Number of pictures.
    pub pictures: usize,
    /// Number of classes.
    pub classes: usize,
    /// For each picture that was left out, the reason.
    #[serde(skip)]
    pub skipped: Vec<String>,
}

/// Measures a classifier on pictures with the index of their class. Pictures that `load` can't make
/// pixels of, `[1, 3, S, S]`, are left out, and told in [`Accuracy::skipped`].
///
/// # Errors
/// [`Error::Prompts`] for a class that is not one of the classifier's, [`Error::Dim`] if that is
/// another model's; whatever keeps the model from being used.
pub fn classification<P, E>(
    clip: &Clip,
    classifier: &ZeroShot,
    pictures: impl IntoIterator<Item = Labelled<P, usize>>,
    load: impl Fn(P) -> Result<Pixels, E> + Sync,
) -> Result<Accuracy>
where
    P: Send,
    E: Display,
{
    let encoded = encode(clip, pictures, load)?;
    let classes = classifier.labels().len();
    if let Some(class) = encoded.labels.iter().find(|&&class| class >= classes) {
        return Err(Error::Prompts {
            reason: format!("a picture is of class {class}, wanted 0 to {}", classes - 1),
        });
    }
    let cosines = classifier.cosines(&encoded.images)?;
    let rows = cosines.chunks_exact(classes.max(1));
    let ranks: Vec<usize> = rows
        .zip(&encoded.labels)
        .map(|(row, &class)| rank(row, class))
        .collect();
    Ok(Accuracy {
        skipped: encoded.skipped,
        ..Accuracy::of(&ranks, classes)
    })
}

impl Accuracy {
    /// The accuracy of pictures whose own class has these ranks, from 0, among so many.
    fn of(ranks: &[usize], classes: usize) -> Self {
        let share = |k: usize| {
            let right = ranks.iter().filter(|&&rank| rank < k).count();
            right as f64 / ranks.len().max(1) as f64
        };
        Self {
            top_1: share(1),
            top_5: (classes > 5).then(|| share(5)),
            pictures: ranks.len(),
            classes,
            skipped: Vec::new(),
        }
    }
}

/// Number of other classes with the same cosine or a higher one. Ties and NaN count against the
/// model.
fn rank(cosines: &[f32], class: usize) -> usize {
    let own = cosines[class];
    let others = cosines.iter().enumerate().filter(|&(i, _)| i != class);
    others
        .filter(|&(_, &c)| c >= own || c.is_nan() || own.is_nan())
        .count()
}

#[cfg(test)]
mod tests {
    use super::{Accuracy, rank};

    #[test]
    fn the_first_five_are_told_only_of_more() {
        let accuracy = |classes| Accuracy::of(&[0, 2, 4, 1], classes);
        assert_eq!((accuracy(5).top_1, accuracy(5).top_5), (0.25, None));
        assert_eq!(accuracy(6).top_5, Some(1.0));
        assert_eq!(Accuracy::of(&[5, 4], 6).top_5, Some(0.5));
    }

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
