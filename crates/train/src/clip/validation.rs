//! Measurements on the way: retrieval on captioned pictures that it does not train on, zero-shot
//! classification of samples that were held out.

use serde::Serialize;

use super::batch::Batches;
use super::held_out::Exam;
use super::run_file::Run;
use crate::run::Measurement;
use crate::samples::{Damage, Found, PassedOver, Reason, Sample, Set, Tally};
use crate::{Error, Result};
use diptych::image::DecodeOptions;
use diptych::model::ClipModel;
use diptych::text::Overflow;
use diptych::weights::Description;
use diptych::{Clip, ZeroShot};
use diptych_evaluate::{Accuracy, Labelled, Recall, classification, retrieval};

/// The numbers of one measurement.
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
    /// The accuracy on this part.
    #[serde(flatten)]
    pub accuracy: Accuracy,
}

impl Measured {
    /// Sentences about pictures that were left out.
    fn skipped(&self) -> impl Iterator<Item = &String> {
        let of_recall = self.recall.iter().flat_map(|recall| &recall.skipped);
        let sets = self.zero_shot.iter().flat_map(|set| &set.accuracy.skipped);
        of_recall.chain(sets)
    }

    /// One number to compare checkpoints by: the mean of retrieval's recall at 10 and of the sets'
    /// top-1 accuracies.
    fn score(&self) -> f64 {
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
    exams: Vec<Exam>,
    decode: DecodeOptions,
}

impl Validator {
    pub(super) fn open(run: &Run, batches: &Batches) -> Result<Self> {
        if run.settings.measure_every.is_none() {
            return Ok(Self::default());
        }
        let captioned = Set::Shards {
            paths: run.validation.clone(),
            damage: Damage::Refuse,
        };
        let validator = Self {
            captioned: captioned.read()?,
            exams: batches.held_out(),
            decode: run.decode_options(),
        };
        if validator.captioned.samples.is_empty() && validator.exams.is_empty() {
            return Err(Error::NothingToMeasure);
        }
        Ok(validator)
    }

    /// The part of the shards that was passed over when they were opened.
    pub(super) fn passed_over(&self) -> &Tally {
        &self.captioned.passed_over
    }

    /// Sentences about the shards.
    pub(super) fn warnings(&self) -> &[String] {
        &self.captioned.warnings
    }

    pub(super) fn measure(
        &self,
        description: &Description,
        model: ClipModel,
    ) -> Result<Measurement<Measured>> {
        let clip = Clip::from_model(description.clone(), model);
        let load = |sample: &Sample| {
            let picture = sample.picture(&self.decode)?;
            Ok::<_, Error>(clip.preprocess().apply(&picture))
        };
        let examine = |exam: &Exam| -> Result<HeldOut> {
            let prompts = exam.classes.iter();
            let prompts = prompts.map(|class| (class[0].clone(), class.clone()));
            let classifier = ZeroShot::from_prompts(&clip, prompts, Overflow::Truncate)?;
            let pictures = exam.samples.iter().map(|(sample, class)| Labelled {
                picture: sample,
                label: *class,
            });
            Ok(HeldOut {
                data: exam.name.clone(),
                accuracy: classification(&clip, &classifier, pictures, load)?,
            })
        };
        let captioned = self.captioned.samples.iter().map(|sample| Labelled {
            picture: sample,
            label: &sample.texts,
        });
        let measured = Measured {
            recall: if self.captioned.samples.is_empty() {
                None
            } else {
                Some(retrieval(&clip, captioned, load)?)
            },
            zero_shot: self.exams.iter().map(examine).collect::<Result<_>>()?,
        };
        let unmeasurable = |example| PassedOver::one(Reason::Unmeasurable, example);
        Ok(Measurement {
            score: measured.score(),
            passed_over: measured.skipped().map(unmeasurable).collect(),
            measured,
        })
    }
}
