//! A training run, read from one TOML file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::data::expand_all;
use super::loss::Loss;
use crate::{Error, Result};
use diptych::Precision;
use diptych::model::Freeze;
use diptych::weights::{Dtype, named_in};

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Folder for checkpoints and the finished model; relative to the run file.
    pub out: PathBuf,
    /// An architecture of `models/`, or the path of a JSON file like those.
    pub architecture: String,
    /// Where the parameters start: `default`, or a checkpoint directory of the same architecture,
    /// relative to the run file. Drawn afresh, if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// What is not trained.
    #[serde(default)]
    pub freeze: Freeze,
    /// What similarities are compared by.
    #[serde(default)]
    pub loss: Loss,
    /// Which texts a picture is told from.
    #[serde(default)]
    pub negatives: Negatives,
    /// Seed of initialisation, order and augmentation.
    #[serde(default)]
    pub seed: u64,
    /// What to train on.
    pub data: Vec<Data>,
    /// Steps, batch, learning rate.
    pub optimizer: Optimization,
    /// What happens to pictures on their way into a batch.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Steps between checkpoints.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: usize,
    /// Checkpoints that are kept, the last ones; the best one is kept besides.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// Number format of the finished model.
    #[serde(default, alias = "precision")]
    pub dtype: Dtype,
    /// What the factors of matrix products are rounded to while training, `f32` or `bf16`; sums, norms and parameters
    /// are f32.
    #[serde(default = "default_compute")]
    pub compute: Precision,
    /// What to measure while training.
    #[serde(default)]
    pub validation: Option<Validation>,
}

/// Which texts of a batch are a picture's negatives.
///
/// Sets differ in more than what their pictures show: a blurred picture is one of CIFAR-10's, and a
/// sentence that begins with "two dogs" Flickr8k's. Against texts of other sets that alone lowers the
/// loss, and the model learns to tell sets, not things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negatives {
    /// All that are not true of it.
    #[default]
    Batch,
    /// Those of its own set; a softmax ignores the others. With `loss = "softmax"` alone.
    Set,
}

/// A set of image-text pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// WebDataset shards, `.tar` or `.tar.gz`, with `{000..099}`, `{a,b}`, `*`, `?` and `[…]` as in a
    /// shell; relative to the run file. [`Run::open`] puts the files in the patterns' place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<PathBuf>,
    /// Instead of `shards`, a table of pictures and captions, `.csv` or `.tsv`; relative to the run file,
    /// and its pictures relative to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// The table's column of pictures, if it is not `image`, `path` or `filepath`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// The table's column of captions, if it is not `caption`, `text` or `title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// Instead of `shards`, a folder of folders, each of which has the pictures of the class that it is
    /// named after; relative to the run file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Use what can be read of a damaged shard, and report the rest, instead of failing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_damaged: bool,
    /// What a line of a sample's text is.
    pub texts: TextKind,
    /// Classes, and captions with `kinds`: the sentences a name is put into, `{}` standing for the name.
    #[serde(default)]
    pub templates: Vec<String>,
    /// How often a pass over the data shows each sample.
    #[serde(default = "default_repeat")]
    pub repeat: usize,
    /// The share of the pairs that are drawn from this set, beside the weights of the others: all sets
    /// have one, or none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Every how many samples one is held out: not trained on, but measured. None, if 0.
    #[serde(default)]
    pub hold_out: usize,
    /// Unseen classes, by the first of their names: not trained on from this set, but measured, told from
    /// each other. Two or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// Classes: what kind of thing each is (hypernyms), by the first of its names; kinds are separated by
    /// commas. One time in eight one is drawn instead of a name. Where a kind is another picture's text, a
    /// softmax ignores it for this one.
    ///
    /// Captions: what is in a picture, by words, with or without an `s`; it counts if a third of the captions say
    /// it by one word or another, and one time in four it is drawn instead of a caption. Other plurals are words of
    /// their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, String>,
}

/// What a line of a sample's text file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextKind {
    /// A caption; one is drawn each time.
    Captions,
    /// A class's names, separated by commas; one is drawn each time, and put into a template.
    Classes,
}

/// What moves parameters by their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// AdamW.
    #[default]
    AdamW,
    /// Muon for the matrices of residual stages and blocks, AdamW for all else. Its momentum is 0.95,
    /// whatever `beta1` is.
    Muon,
}

/// The optimiser and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimization {
    /// AdamW, or Muon.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Optimiser steps.
    pub steps: usize,
    /// Pairs a step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Steps at the end in which the rate falls to zero, after a plateau; without it, the rate falls by
    /// a cosine from the warm-up's end on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<usize>,
    /// Decoupled weight decay, on weights of two or more dimensions.
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    #[serde(default = "default_beta1")]
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    #[serde(default = "default_beta2")]
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
    /// Norm that the gradient of all parameters together is scaled down to, where it is larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decay of a moving average of the parameters, which is what is measured and what the finished
    /// model holds. None, if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Pairs that go through the towers at once, where a batch does not fit into memory: the loss is
    /// still over the whole batch, at the price of a second forward pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<usize>,
}

/// Random crops and flips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Least share of a picture's area that a random crop keeps.
    pub min_scale: f64,
    /// Whether half of the pictures are mirrored.
    pub flip: bool,
}

impl Default for Augmentation {
    fn default() -> Self {
        // open_clip's default crop.
        Self {
            min_scale: 0.9,
            flip: true,
        }
    }
}

/// Retrieval on pairs that are not trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Shards of captioned pictures; without any, what the data holds out is measured alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<PathBuf>,
    /// Steps between measurements; there is always one at the end.
    pub every: usize,
}

fn default_checkpoint_every() -> usize {
    500
}

fn default_compute() -> Precision {
    Precision::F32
}

fn default_keep() -> usize {
    2
}

fn default_repeat() -> usize {
    1
}

// The paper's values, Table 18: decay 0.2, and for Vision Transformers β₂ = 0.98, ε = 1e-6.
fn default_weight_decay() -> f64 {
    0.2
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.98
}

fn default_epsilon() -> f64 {
    1e-6
}

impl Run {
    /// Reads a run file; its relative paths become relative to where it lies.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Run`] if it can't be followed.
    pub fn open(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(Error::Io)?;
        let refuse = |reason: String| Error::Run {
            origin: path.display().to_string(),
            reason,
        };
        let mut run: Self = toml::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        run.check().map_err(refuse)?;
        // Absolute, so that the run's echo in another folder names the same files.
        let base = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
        let base = base.parent().unwrap_or(Path::new(""));
        run.out = base.join(&run.out);
        for data in &mut run.data {
            data.resolve(base).map_err(refuse)?;
        }
        if let Some(v) = &mut run.validation {
            v.shards = expand_all(base, &v.shards).map_err(refuse)?;
        }
        for name in run.init.iter_mut().chain([&mut run.architecture]) {
            *name = named_in(base, name);
        }
        Ok(run)
    }

    fn check(&self) -> Result<(), String> {
        let o = &self.optimizer;
        let rates = [
            ("learning_rate", o.learning_rate, 0.0..=1e3),
            ("weight_decay", o.weight_decay, 0.0..=1e3),
            ("beta1", o.beta1, 0.0..=0.999_999),
            ("beta2", o.beta2, 0.0..=0.999_999),
            ("epsilon", o.epsilon, 1e-30..=1.0),
        ];
        for (name, value, range) in rates {
            if !range.contains(&value) {
                return Err(format!("`{name}` is {value}, wanted {range:?}"));
            }
        }
        for (name, value, range) in [
            ("clip_norm", o.clip_norm, 1e-9..=1e9),
            ("ema", o.ema, 0.0..=0.999_999_9),
        ] {
            if value.is_some_and(|value| !range.contains(&value)) {
                return Err(format!("`{name}` is {value:?}, wanted {range:?}"));
            }
        }
        if o.chunk_size == Some(0) || self.keep == 0 {
            return Err("`chunk_size` or `keep` is 0, wanted at least 1".into());
        }
        if o.steps == 0 || o.batch_size < 2 || self.checkpoint_every == 0 {
            return Err(format!(
                "`steps` is {}, `batch_size` {}, `checkpoint_every` {}; wanted at least 1, 2 and 1",
                o.steps, o.batch_size, self.checkpoint_every
            ));
        }
        if o.warmup_steps > o.steps {
            return Err(format!(
                "`warmup_steps` is {}, `steps` only {}",
                o.warmup_steps, o.steps
            ));
        }
        if let Some(decay) = o.decay_steps
            && decay > o.steps - o.warmup_steps
        {
            return Err(format!(
                "`decay_steps` is {decay}, wanted at most {}: `steps` less `warmup_steps`",
                o.steps - o.warmup_steps
            ));
        }
        let scale = self.augmentation.min_scale;
        if !(scale > 0.0 && scale <= 1.0) {
            return Err(format!(
                "`min_scale` is {scale}, wanted above 0 and at most 1"
            ));
        }
        if !matches!(self.compute, Precision::F32 | Precision::Bf16) {
            let got = self.compute.name();
            return Err(format!("`compute` is `{got}`, wanted `f32` or `bf16`"));
        }
        if self.negatives == Negatives::Set && self.loss == Loss::Sigmoid {
            return Err("`negatives = \"set\"` goes with `loss = \"softmax\"`".into());
        }
        if self.validation.as_ref().is_some_and(|v| v.every == 0) {
            return Err("`validation.every` is 0, wanted at least 1".into());
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
        self.data.iter().try_for_each(Data::check)
    }
}
