//! Zero-shot classification: a label's prompts become one embedding, a picture goes to the nearest.
//!
//! Source: section 3.1 of the paper (Radford et al., arXiv 2103.00020) and its notebook: embeddings
//! of all templates are averaged and normalised again; probabilities are a softmax over labels of
//! cosines times `logit_scale`. A model that was trained with the sigmoid loss has a `logit_bias`;
//! then a label's probability is its own, the sigmoid of its logit (SigLIP, arXiv 2303.15343).
//!
//! `N` pictures, `C` labels, `D` embedding.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use diptych_kernels::{Scored, top_scores};
use rustc_hash::FxHashMap;

use crate::text::Overflow;
use crate::{Clip, Embeddings, Error, Result};

/// A classifier for labels that were never trained on.
#[derive(Clone, Debug)]
pub struct ZeroShot {
    labels: Vec<String>,
    doubled: Vec<Doubled>,
    /// One embedding a label, `[C, D]`.
    weights: Embeddings,
    logit_scale: f32,
    logit_bias: Option<f32>,
}

/// A label that the model reads as one before it: they are one class, and a softmax would halve its
/// probability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubled {
    /// The label, as given.
    pub label: String,
    /// The one that stands for both.
    pub same_as: String,
}

/// A label and how well it fits.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// The label, as given.
    pub label: String,
    /// Its share among all labels, which sum to 1; by a sigmoid model, its own, whatever the
    /// others are.
    pub probability: f32,
    /// The cosine of picture and label, which does not depend on the other labels.
    pub cosine: f32,
}

impl ZeroShot {
    /// Encodes every label in every template, where `{}` stands for the label. Labels of the same
    /// tokens (CLIP's tokenizers know neither case nor the width of a space) count once, as the
    /// first of them; [`ZeroShot::doubled`] has the others.
    ///
    /// # Errors
    /// [`Error::Prompts`] if there is no label, no template, or a template without `{}`;
    /// [`Error::Text`] for a prompt that the model can't read whole.
    pub fn new<L: AsRef<str>, T: AsRef<str>>(
        clip: &Clip,
        labels: &[L],
        templates: &[T],
    ) -> Result<Self> {
        if let Some(template) = templates.iter().find(|t| !t.as_ref().contains("{}")) {
            return Err(Error::Prompts {
                reason: format!(
                    "template `{}` has no `{{}}` for the label",
                    template.as_ref()
                ),
            });
        }
        let (labels, doubled) = distinct(clip, labels);
        let prompts = labels.into_iter().map(|label| {
            let prompt = |template: &T| template.as_ref().replace("{}", label);
            (label.to_owned(), templates.iter().map(prompt))
        });
        Ok(Self {
            doubled,
            ..Self::from_prompts(clip, prompts, Overflow::Refuse)?
        })
    }

    /// Encodes labels, each with the prompts that stand for it: any number, at least one. Each is a
    /// class, whatever the others are, so that its place is its number.
    ///
    /// # Errors
    /// [`Error::Prompts`] if there is no label, or one without a prompt; [`Error::Text`] for a
    /// prompt that is too long, if `overflow` refuses.
    pub fn from_prompts<P>(
        clip: &Clip,
        labels: impl IntoIterator<Item = (String, P)>,
        overflow: Overflow,
    ) -> Result<Self>
    where
        P: IntoIterator<Item = String>,
    {
        // Prompts of many labels go through the tower together, and none waits for the last label.
        let (mut names, counts) = (Vec::new(), RefCell::new(VecDeque::new()));
        let prompts = labels.into_iter().flat_map(|(label, prompts)| {
            let prompts: Vec<String> = prompts.into_iter().collect();
            counts.borrow_mut().push_back(prompts.len());
            names.push(label);
            prompts
        });
        let dim = clip.config().embed_dim;
        let mut weights = Embeddings::empty(dim);
        let mut of_label = Embeddings::empty(dim);
        let empty = || Error::Prompts {
            reason: "wanted at least one label, and a prompt or template for each".into(),
        };
        for features in clip.stream_texts(prompts, overflow) {
            of_label.push(&features?)?;
            let wanted = counts.borrow().front().copied();
            if wanted == Some(0) {
                return Err(empty());
            }
            if wanted == Some(of_label.len()) {
                weights.push(of_label.means(of_label.len())?.as_slice())?;
                of_label = Embeddings::empty(dim);
                counts.borrow_mut().pop_front();
            }
        }
        if weights.is_empty() || !counts.borrow().is_empty() {
            return Err(empty());
        }
        Ok(Self {
            labels: names,
            doubled: Vec::new(),
            weights,
            logit_scale: clip.logit_scale(),
            logit_bias: clip.logit_bias(),
        })
    }

    /// The labels, in the order given.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The labels that [`ZeroShot::new`] left out, because one before them is read alike.
    pub fn doubled(&self) -> &[Doubled] {
        &self.doubled
    }

    /// For each picture the `top` best labels, best first.
    ///
    /// # Errors
    /// [`Error::Dim`] if `images` come from a model with another width.
    pub fn classify(&self, images: &Embeddings, top: usize) -> Result<Vec<Vec<Prediction>>> {
        let cosines = self.cosines(images)?;
        let rows = cosines.chunks_exact(self.labels.len());
        Ok(rows.map(|row| self.predictions(row, top)).collect())
    }

    /// Cosines `[N, C]` of pictures with labels, row by row.
    ///
    /// # Errors
    /// As [`ZeroShot::classify`].
    pub fn cosines(&self, images: &Embeddings) -> Result<Vec<f32>> {
        images.cosines(&self.weights)
    }

    fn predictions(&self, cosines: &[f32], top: usize) -> Vec<Prediction> {
        let logits = cosines.iter().map(|c| c * self.logit_scale);
        let probabilities = match self.logit_bias {
            Some(bias) => logits.map(|x| sigmoid(x + bias)).collect(),
            None => softmax(logits),
        };
        let prediction = |best: Scored| Prediction {
            label: self.labels[best.row].clone(),
            probability: probabilities[best.row],
            cosine: best.score,
        };
        let best = top_scores(cosines, top).into_iter();
        best.map(prediction).collect()
    }
}

/// The labels that the model tells apart, in their order, and the others.
fn distinct<'a, L: AsRef<str>>(clip: &Clip, labels: &'a [L]) -> (Vec<&'a str>, Vec<Doubled>) {
    let context_length = clip.config().text_cfg.context_length;
    let (mut first, mut doubled) = (Vec::new(), Vec::new());
    let mut seen: FxHashMap<Vec<u32>, &str> = FxHashMap::default();
    for label in labels.iter().map(AsRef::as_ref) {
        let tokens = clip
            .tokenizer()
            .encode(label, context_length, Overflow::Refuse);
        match tokens.map(|tokens| seen.entry(tokens)) {
            Ok(Entry::Occupied(same)) => doubled.push(Doubled {
                label: label.to_owned(),
                same_as: (*same.get()).to_owned(),
            }),
            Ok(Entry::Vacant(new)) => {
                new.insert(label);
                first.push(label);
            }
            // It is refused in its prompts, and told there.
            Err(_) => first.push(label),
        }
    }
    (first, doubled)
}

/// A template with what all its labels are, after the word that `{}` is in: with `a type of pet`,
/// `a photo of a {}.` is `a photo of a {}, a type of pet.`
///
/// Source: section 3.1.4 of the paper, where it was worth some points on sets of pets, food and
/// aircraft.
#[must_use]
pub fn in_context(template: &str, context: &str) -> String {
    let Some((before, after)) = template.split_once("{}") else {
        return template.to_owned();
    };
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'' | '’');
    let end = after.find(|c| !in_word(c)).unwrap_or(after.len());
    let (word, rest) = after.split_at(end);
    let rest = rest.trim_end();
    // A sentence that goes on does so behind a second comma.
    let comma = if rest.starts_with(char::is_whitespace) {
        ","
    } else {
        ""
    };
    format!("{before}{{}}{word}, {context}{comma}{rest}")
}

/// `exp(xᵢ) / Σ exp(xⱼ)`, by the largest, so that nothing overflows.
fn softmax(logits: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    let largest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.map(|x| (x - largest).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::{Doubled, ZeroShot, in_context, sigmoid, softmax};
    use crate::{Clip, Embeddings, Precision};
    use diptych_testing::folder;

    #[test]
    fn labels_that_are_read_alike_are_one_class() {
        let clip = Clip::open_in(folder("tiny-vit"), Precision::F32).unwrap();
        let labels = ["cat", "dog", "Cat", "  c&#97;t ", "cats", "DOG", "cat"];
        let classifier = ZeroShot::new(&clip, &labels, &["a {}."]).unwrap();
        assert_eq!(classifier.labels(), ["cat", "dog", "cats"]);
        let doubled = |label: &str, same_as: &str| Doubled {
            label: label.into(),
            same_as: same_as.into(),
        };
        let want = [
            doubled("Cat", "cat"),
            doubled("  c&#97;t ", "cat"),
            doubled("DOG", "dog"),
            doubled("cat", "cat"),
        ];
        assert_eq!(classifier.doubled(), want);
        // The shares are those of the three.
        let dim = clip.config().embed_dim;
        let image = Embeddings::from_features(dim, vec![1.0; dim]).unwrap();
        let plain = ZeroShot::new(&clip, &["cat", "dog", "cats"], &["a {}."]).unwrap();
        assert_eq!(
            classifier.classify(&image, 9).unwrap(),
            plain.classify(&image, 9).unwrap()
        );
    }

    #[test]
    fn a_context_stands_after_the_labels_word() {
        for (template, want) in [
            ("a photo of a {}.", "a photo of a {}, a pet."),
            ("{}", "{}, a pet"),
            ("many {}s!", "many {}s, a pet!"),
            ("a {} at night.", "a {}, a pet, at night."),
            ("the {}'s toy", "the {}'s, a pet, toy"),
            ("a {}, blurred", "a {}, a pet, blurred"),
            ("no label", "no label"),
        ] {
            assert_eq!(in_context(template, "a pet"), want);
        }
    }

    #[test]
    fn the_sigmoid_is_between_0_and_1_at_any_logit() {
        assert_eq!([-1e4, 0.0, 1e4].map(sigmoid), [0.0, 0.5, 1.0]);
        assert!((sigmoid(-2.0) - 0.119_202_9).abs() < 1e-6);
    }

    #[test]
    fn softmax_sums_to_one_and_survives_large_logits() {
        let p = softmax([1000.0, 1000.0, -1000.0].into_iter());
        assert_eq!(p, [0.5, 0.5, 0.0]);
    }
}
