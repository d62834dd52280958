//! What a run measures on the way: retrieval on captioned pictures that it does not train on, zero-shot
//! classification of samples that were held out.

use std::collections::HashSet;

use serde::Serialize;

use super::batch::Batches;
use super::config::Run;
use super::data::{Damage, Found, PassedOver, Reason, Sample, Tally, read_all};
use super::held_out::Set;
use crate::{Error, Result};
use diptych::model::ClipModel;
use diptych::text::Overflow;
use diptych::weights::Description;
use diptych::{Clip, ZeroShot};
use diptych_evaluate::{Accuracy, Labelled, Recall, classification, retrieval};

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Recall at 1, 5 and 10 on the validation's captioned pictures.
    #[serde(flatten)]
    pub recall: Option<Recall>,
    /// Zero-shot accuracy on the held-out samples of each set that holds some out.
    pub zero_shot: Vec<HeldOut>,
}

/// Zero-shot accuracy on the held-out part of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOut {
    /// The set, by the name of its first file.
    pub data: String,
    /// How often the model was right.
    #[serde(flatten)]
    pub accuracy: Accuracy,
}

impl Measured {
    /// What is wrong with pictures that were left out.
    fn skipped(&self) -> impl Iterator<Item = &String> {
        let of_recall = self.recall.iter().flat_map(|recall| &recall.skipped);
        let sets = self.zero_shot.iter().flat_map(|set| &set.accuracy.skipped);
        of_recall.chain(sets)
    }

    /// One number to compare checkpoints by: the mean of retrieval's recall at 10 and of the sets'
    /// top-1 accuracies.
    pub(super) fn score(&self) -> f64 {
        let recall = self.recall.as_ref().map(|r| (r.image[2] + r.text[2]) / 2.0);
        let accuracies = self.zero_shot.iter().map(|set| set.accuracy.top_1);
        let all: Vec<f64> = recall.into_iter().chain(accuracies).collect();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }
}

/// Samples to measure on.
#[derive(Default)]
pub(super) struct Validator {
    captioned: Found,
    sets: Vec<Set>,
    /// Pictures that were passed over when they were measured on.
    told: HashSet<String>,
}

impl Validator {
    pub(super) fn open(run: &Run, batches: &Batches) -> Result<Self> {
        let Some(validation) = &run.validation else {
            return Ok(Self::default());
        };
        let validator = Self {
            captioned: read_all(&validation.shards, Damage::Refuse)?,
            sets: batches.held_out(),
            told: HashSet::new(),
        };
        if validator.captioned.samples.is_empty() && validator.sets.is_empty() {
            return Err(Error::Run {
                origin: "`[validation]`".into(),
                reason:
                    "there is nothing to measure; wanted `shards` of captioned pictures, or a set \
                         of classes with `hold_out` or `withhold`"
                        .into(),
            });
        }
        Ok(validator)
    }

    /// What was passed over when the shards were opened.
    pub(super) fn passed_over(&self) -> &Tally {
        &self.captioned.passed_over
    }

    /// Sentences about the shards.
    pub(super) fn warnings(&self) -> &[String] {
        &self.captioned.warnings
    }

    /// The pictures that were left out of a measurement and of none before.
    pub(super) fn news(&mut self, measured: &Measured) -> Vec<PassedOver> {
        let mut news = Vec::new();
        for example in measured.skipped() {
            if self.told.insert(example.clone()) {
                news.push(PassedOver::one(Reason::Unmeasurable, example));
            }
        }
        news
    }

    pub(super) fn measure(&self, description: &Description, model: ClipModel) -> Result<Measured> {
        let clip = Clip::from_model(description.clone(), model);
        let load = |sample: &Sample| Ok::<_, Error>(clip.preprocess().apply(&sample.picture()?));
        let set = |set: &Set| -> Result<HeldOut> {
            let prompts = set.classes.iter();
            let prompts = prompts.map(|class| (class[0].clone(), class.clone()));
            let classifier = ZeroShot::from_prompts(&clip, prompts, Overflow::Truncate)?;
            let pictures = set.samples.iter().map(|(sample, class)| Labelled {
                picture: sample,
                label: *class,
            });
            Ok(HeldOut {
                data: set.name.clone(),
                accuracy: classification(&clip, &classifier, pictures, load)?,
            })
        };
        let captioned = self.captioned.samples.iter().map(|sample| Labelled {
            picture: sample,
            label: &sample.texts,
        });
        Ok(Measured {
            recall: if self.captioned.samples.is_empty() {
                None
            } else {
                Some(retrieval(&clip, captioned, load)?)
            },
            zero_shot: self.sets.iter().map(set).collect::<Result<_>>()?,
        })
    }
}
