//! A training run, read from one TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::data::Data;
use super::extends;
use super::language::Language;
use super::loss::Loss;
use crate::optimise::Optimization;
use crate::run::Settings;
use crate::samples::expand;
use crate::{Error, Result};
use diptych::Precision;
use diptych::image::DecodeOptions;
use diptych::model::Freeze;
use diptych::weights::{Dtype, named_in};

/// A training run of a CLIP model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RunFile", into = "RunFile")]
pub struct Run {
    /// Length of the run, its optimiser, and what it keeps.
    pub settings: Settings,
    /// An architecture of `crates/diptych/models/`, or the path of a JSON file like those.
    pub architecture: String,
    /// Where the parameters start: `default`, or a checkpoint directory of the same architecture,
    /// relative to the run file. Drawn afresh, if it is not given.
    pub init: Option<String>,
    /// The part of each tower that is not trained.
    pub freeze: Freeze,
    /// Comparison of similarities with the truth.
    pub loss: Loss,
    /// Which texts a picture is told from.
    pub negatives: Negatives,
    /// A `tokenizer.json` in the place of the architecture's, relative to the run file.
    pub tokenizer: Option<PathBuf>,
    /// The sets to train on.
    pub data: Vec<Data>,
    /// Other languages in which their pictures are spoken of.
    pub languages: Vec<Language>,
    /// Crops and flips of pictures on their way into a batch.
    pub augmentation: Augmentation,
    /// Pictures with more pixels, in units of 1,000,000, are passed over.
    pub max_megapixels: u32,
    /// Number format of the finished model.
    pub dtype: Dtype,
    /// The format that the factors of matrix products are rounded to while training, `f32` or
    /// `bf16`; sums, norms and parameters are f32.
    pub compute: Precision,
    /// Shards of captioned pictures to measure retrieval on; without any, what the data holds out
    /// is measured alone.
    pub validation: Vec<PathBuf>,
}

/// A run as its file has it, where the keys of every task and CLIP's own stand beside each other.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunFile {
    out: PathBuf,
    architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    init: Option<String>,
    #[serde(default)]
    freeze: Freeze,
    #[serde(default)]
    loss: Loss,
    #[serde(default)]
    negatives: Negatives,
    #[serde(default)]
    seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<PathBuf>,
    data: Vec<Data>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    languages: Vec<Language>,
    optimizer: Optimization,
    #[serde(default)]
    augmentation: Augmentation,
    #[serde(
        default = "default_max_megapixels",
        skip_serializing_if = "is_default_max_megapixels"
    )]
    max_megapixels: u32,
    #[serde(default = "crate::run::default_checkpoint_every")]
    checkpoint_every: usize,
    #[serde(default = "crate::run::default_keep")]
    keep: usize,
    #[serde(default, alias = "precision")]
    dtype: Dtype,
    #[serde(default = "default_compute")]
    compute: Precision,
    #[serde(default)]
    validation: Option<Validation>,
}

/// `[validation]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Validation {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shards: Vec<PathBuf>,
    every: usize,
}

impl From<RunFile> for Run {
    fn from(file: RunFile) -> Self {
        Self {
            settings: Settings {
                out: file.out,
                seed: file.seed,
                optimizer: file.optimizer,
                checkpoint_every: file.checkpoint_every,
                keep: file.keep,
                measure_every: file.validation.as_ref().map(|v| v.every),
            },
            architecture: file.architecture,
            init: file.init,
            freeze: file.freeze,
            loss: file.loss,
            negatives: file.negatives,
            tokenizer: file.tokenizer,
            data: file.data,
            languages: file.languages,
            augmentation: file.augmentation,
            max_megapixels: file.max_megapixels,
            dtype: file.dtype,
            compute: file.compute,
            validation: file.validation.map(|v| v.shards).unwrap_or_default(),
        }
    }
}

impl From<Run> for RunFile {
    fn from(run: Run) -> Self {
        Self {
            out: run.settings.out,
            architecture: run.architecture,
            init: run.init,
            freeze: run.freeze,
            loss: run.loss,
            negatives: run.negatives,
            seed: run.settings.seed,
            tokenizer: run.tokenizer,
            data: run.data,
            languages: run.languages,
            optimizer: run.settings.optimizer,
            augmentation: run.augmentation,
            max_megapixels: run.max_megapixels,
            checkpoint_every: run.settings.checkpoint_every,
            keep: run.settings.keep,
            dtype: run.dtype,
            compute: run.compute,
            validation: run.settings.measure_every.map(|every| Validation {
                shards: run.validation,
                every,
            }),
        }
    }
}

/// Which texts of a batch are a picture's negatives.
///
/// Sets differ in more than what their pictures show: a blurred picture is one of CIFAR-10's, and a
/// sentence that begins with "two dogs" Flickr8k's. Against texts of other sets that alone lowers
/// the loss, and the model learns to tell sets, not things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negatives {
    /// All that are not true of it.
    #[default]
    Batch,
    /// All of its own set, or of sets of its `group`, that are not true of it; the softmax ignores
    /// the others. Only with `loss = "softmax"`.
    Set,
}

/// Random crops, flips and colours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Least share of a picture's area that a random crop keeps.
    pub min_scale: f64,
    /// Whether half of the pictures are mirrored.
    pub flip: bool,
    /// How far brightness, contrast and saturation are changed at the most, each on its own: 0.3
    /// is factors from 0.7 to 1.3.
    #[serde(skip_serializing_if = "is_zero")]
    pub color_jitter: f64,
    /// Share of the pictures that become grey.
    #[serde(skip_serializing_if = "is_zero")]
    pub gray_scale: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Default for Augmentation {
    fn default() -> Self {
        // open_clip's default crop.
        Self {
            min_scale: 0.9,
            flip: true,
            color_jitter: 0.0,
            gray_scale: 0.0,
        }
    }
}

fn default_compute() -> Precision {
    Precision::F32
}

fn default_max_megapixels() -> u32 {
    DecodeOptions::default().max_megapixels
}

/// Runs that were begun before there was a choice have no such key.
fn is_default_max_megapixels(max_megapixels: &u32) -> bool {
    *max_megapixels == default_max_megapixels()
}

impl Run {
    /// How pictures are decoded.
    pub(super) fn decode_options(&self) -> DecodeOptions {
        DecodeOptions {
            max_megapixels: self.max_megapixels,
            ..DecodeOptions::default()
        }
    }

    /// Reads a run file, with what it does not say itself from the file beside it that its key
    /// `extends` names. Relative paths become relative to where it lies.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::RunFile`] if it can't be followed.
    pub fn open(path: &Path) -> Result<Self> {
        let mut run: Self = extends::read(path)?;
        let refuse = |reason: String| Error::RunFile {
            origin: path.display().to_string(),
            reason,
        };
        run.check().map_err(refuse)?;
        // Absolute, so that the run's echo in another folder names the same files.
        let base = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
        let base = base.parent().unwrap_or(Path::new(""));
        run.settings.resolve(base);
        for data in &mut run.data {
            data.resolve(base).map_err(|e| refuse(e.to_string()))?;
        }
        for language in &mut run.languages {
            language.resolve(base).map_err(|e| refuse(e.to_string()))?;
        }
        if let Some(path) = &mut run.tokenizer {
            *path = base.join(&*path);
        }
        run.validation = expand(base, &run.validation).map_err(|e| refuse(e.to_string()))?;
        for name in run.init.iter_mut().chain([&mut run.architecture]) {
            *name = named_in(base, name);
        }
        Ok(run)
    }

    /// The run file with every default written out and every pattern expanded.
    ///
    /// # Errors
    /// [`Error::RunFile`] if TOML can't say it.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::RunFile {
            origin: self.settings.out.display().to_string(),
            reason: e.to_string(),
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.settings.measure_every == Some(0) {
            return Err("`validation.every` is 0, wanted at least 1".into());
        }
        self.settings.check()?;
        if self.settings.optimizer.batch_size < 2 {
            return Err(
                "`batch_size` is 1, wanted at least 2: a picture is told from others".into(),
            );
        }
        let scale = self.augmentation.min_scale;
        if !(scale > 0.0 && scale <= 1.0) {
            return Err(format!(
                "`min_scale` is {scale}, wanted above 0 and at most 1"
            ));
        }
        let Augmentation {
            color_jitter,
            gray_scale,
            ..
        } = self.augmentation;
        for (key, value) in [("color_jitter", color_jitter), ("gray_scale", gray_scale)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("`{key}` is {value}, wanted 0 to 1"));
            }
        }
        if !matches!(self.compute, Precision::F32 | Precision::Bf16) {
            let got = self.compute.name();
            return Err(format!("`compute` is `{got}`, wanted `f32` or `bf16`"));
        }
        if self.negatives == Negatives::Set && self.loss == Loss::Sigmoid {
            return Err("`negatives = \"set\"` goes with `loss = \"softmax\"`".into());
        }
        let weighted = self
            .data
            .iter()
            .filter(|data| data.weight.is_some())
            .count();
        if weighted != 0 && weighted != self.data.len() {
            return Err(format!(
                "{weighted} of {} sets have a `weight`; wanted one in all or in none",
                self.data.len()
            ));
        }
        self.data.iter().try_for_each(Data::check)?;
        let shares: f64 = self.languages.iter().map(|language| language.share).sum();
        if shares >= 1.0 {
            return Err(format!(
                "`share` of all languages is {shares}, wanted below 1"
            ));
        }
        self.languages.iter().try_for_each(Language::check)
    }
}
