//! Measurements on the way: retrieval on captioned pictures that it does not train on, zero-shot
//! classification of samples that were held out.

use serde::Serialize;

use super::batch::{Batches, check_captions};
use super::held_out::Exam;
use super::run_file::Run;
use crate::run::Measurement;
use crate::samples::{Damage, Found, Labels, PassedOver, Reason, Sample, Set, Tally};
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
    /// Recall at 1, 5 and 10 by captions in other languages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<InLanguage>,
    /// Zero-shot accuracy on the held-out samples of each set that holds some out.
    pub zero_shot: Vec<HeldOut>,
}

/// Retrieval by captions in another language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InLanguage {
    /// The language, as the run file calls it.
    pub language: String,
    /// The recall, on those pictures that have captions in it.
    #[serde(flatten)]
    pub recall: Recall,
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
        let recalls = self.recalls();
        let of_recall = recalls.flat_map(|recall| &recall.skipped);
        let sets = self.zero_shot.iter().flat_map(|set| &set.accuracy.skipped);
        of_recall.chain(sets)
    }

    fn recalls(&self) -> impl Iterator<Item = &Recall> {
        let others = self.languages.iter().map(|language| &language.recall);
        self.recall.iter().chain(others)
    }

    /// One number to compare checkpoints by: the mean of retrieval's recall at 10 and of the sets'
    /// top-1 accuracies.
    fn score(&self) -> f64 {
        let recall = self.recalls().map(|r| (r.image[2] + r.text[2]) / 2.0);
        let accuracies = self.zero_shot.iter().map(|set| set.accuracy.top_1);
        let all: Vec<f64> = recall.chain(accuracies).collect();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }
}

/// Samples to measure on.
#[derive(Default)]
pub(super) struct Validator {
    captioned: Found,
    /// The same pictures with their captions in other languages, language by language.
    told: Vec<(String, Vec<Sample>)>,
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
            labels: Labels::Texts,
        };
        let captioned = captioned.read()?;
        for language in batches.languages() {
            check_captions(language, batches.samples().chain(&captioned.samples))?;
        }
        let told = batches.languages().iter().map(|language| {
            let told = captioned.samples.iter().map(|sample| {
                let mut told = sample.clone();
                told.texts = language.captions(sample).to_vec();
                told
            });
            let told = told.filter(|sample| !sample.texts.is_empty());
            (language.language.name.clone(), told.collect::<Vec<_>>())
        });
        let validator = Self {
            told: told.filter(|(_, told)| !told.is_empty()).collect(),
            captioned,
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
        let recall = |samples: &[Sample]| {
            let captioned = samples.iter().map(|sample| Labelled {
                picture: sample,
                label: &sample.texts,
            });
            retrieval(&clip, captioned, load)
        };
        let in_language = |(language, samples): &(String, Vec<Sample>)| -> Result<InLanguage> {
            Ok(InLanguage {
                language: language.clone(),
                recall: recall(samples)?,
            })
        };
        let measured = Measured {
            recall: if self.captioned.samples.is_empty() {
                None
            } else {
                Some(recall(&self.captioned.samples)?)
            },
            languages: self.told.iter().map(in_language).collect::<Result<_>>()?,
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
