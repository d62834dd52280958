//! A run's state on disk: the model, the optimiser, the step; the last few, and the best model.
//!
//! Invariant: a checkpoint is written beside its place and renamed into it, so a kill at any instant
//! leaves the last whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use diptych_files::{TEMPORARY, replace};
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::config::Run;
use super::optimizer::Optimizer;
use super::trainer::Trainer;
use super::validation::Measured;
use crate::{Error, Result};
use diptych::model::{BuildOptions, ClipConfig, ClipModel, named_tensors};
use diptych::weights::{
    Checkpoint, Description, Dtype, TensorData, TensorFile, fill_checkpoint, replace_checkpoint,
    write_checkpoint, write_tensors,
};

const FOLDER: &str = "checkpoints";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STEP: &str = "step";
const RUN: &str = "run";
const SAMPLES: &str = "samples";
const BEST: &str = "best";
const BEST_FILE: &str = "best.json";
const LOCK_FILE: &str = ".lock";
/// Not `run.toml`, which may be the user's own, in a folder whose `out` is that folder.
const ECHO: &str = "run-with-defaults.toml";

/// A run's state after some steps.
pub(super) struct State {
    /// Steps done.
    pub(super) step: usize,
    pub(super) model: ClipModel,
    /// Samples that the run's data had; older checkpoints don't say.
    samples: Option<usize>,
    place: PathBuf,
}

impl State {
    /// Refuses data of another size: a shard that was cut or exchanged would silently give other batches.
    pub(super) fn check(&self, samples: usize) -> Result<()> {
        match self.samples {
            Some(begun) if begun != samples => Err(Error::Run {
                origin: self.place.display().to_string(),
                reason: format!(
                    "the run began with {begun} samples, and its data has {samples} now"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// The checkpoints of one run.
pub(super) struct Checkpoints<'a> {
    run: &'a Run,
    description: &'a Description,
    folder: PathBuf,
}

/// Which model is the best so far.
#[derive(Serialize, Deserialize)]
struct Best {
    step: usize,
    score: f64,
    /// What was run and measured on; another run's best is none of this one's.
    run: String,
    measured: serde_json::Value,
}

impl<'a> Checkpoints<'a> {
    pub(super) fn new(run: &'a Run, description: &'a Description) -> Self {
        Self {
            run,
            description,
            folder: run.out.join(FOLDER),
        }
    }

    /// Writes the state after `step` steps on data of `samples`, and removes older ones but the last few.
    pub(super) fn save(&self, step: usize, trainer: &Trainer, samples: usize) -> Result<()> {
        fs_err::create_dir_all(&self.folder)?;
        let tensors = named_tensors(trainer.model());
        replace_checkpoint(&self.folder.join(format!("step-{step:08}")), |dir| {
            fill_checkpoint(dir, self.description, &tensors, Dtype::F32)?;
            let texts = HashMap::from([
                (STEP.to_owned(), step.to_string()),
                (RUN.to_owned(), self.run.identity()),
                (SAMPLES.to_owned(), samples.to_string()),
            ]);
            let state = trainer.optimizer().state();
            write_tensors(&dir.join(OPTIMIZER_FILE), &state, Dtype::F32, texts)
        })?;
        let mut all = self.list()?;
        all.truncate(all.len().saturating_sub(self.run.keep));
        for old in all {
            fs_err::remove_dir_all(old)?;
        }
        Ok(())
    }

    /// Keeps a model as the best, if it measures better than the best so far.
    pub(super) fn keep_best(
        &self,
        step: usize,
        measured: &Measured,
        tensors: &[(String, TensorData)],
    ) -> Result<()> {
        let path = self.run.out.join(BEST_FILE);
        let score = measured.score();
        let so_far = fs_err::read(&path).ok();
        let so_far = so_far.and_then(|bytes| serde_json::from_slice::<Best>(&bytes).ok());
        let run = self.run.measured_identity();
        let is_better = |best: Best| best.run == run && best.step < step && best.score >= score;
        if so_far.is_some_and(is_better) {
            return Ok(());
        }
        let place = self.run.out.join(BEST);
        write_checkpoint(&place, self.description, tensors, self.run.dtype)?;
        let best = Best {
            step,
            score,
            run,
            measured: serde_json::to_value(measured).map_err(std::io::Error::from)?,
        };
        let text = serde_json::to_vec_pretty(&best).map_err(std::io::Error::from)?;
        Ok(replace(&path, &text)?)
    }

    /// Forgets the best model of what was run in this folder before, of which no checkpoint is left.
    pub(super) fn forget_best(&self) -> Result<()> {
        match fs_err::remove_file(self.run.out.join(BEST_FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The last state, if there is one; the optimiser takes its part.
    ///
    /// # Errors
    /// Those of the files, with what to go on from; [`Error::Run`] for another run's.
    pub(super) fn load(
        &self,
        options: BuildOptions,
        optimizer: &mut Optimizer,
        device: &Device,
    ) -> Result<Option<State>> {
        let mut all = self.list()?;
        let Some(place) = all.pop() else {
            return Ok(None);
        };
        let state = self.open(&place, options, optimizer, device);
        // A checkpoint is whole when it gets its name, so damage came later, and is for a person to see.
        state.map(Some).map_err(|error| match (error, all.pop()) {
            (Error::Model(diptych::Error::Tensors { path, reason }), Some(before)) => {
                let reason = format!(
                    "{reason}; without {} the run goes on from {}",
                    place.display(),
                    before.display()
                );
                diptych::Error::Tensors { path, reason }.into()
            }
            (error, _) => error,
        })
    }

    fn open(
        &self,
        place: &Path,
        options: BuildOptions,
        optimizer: &mut Optimizer,
        device: &Device,
    ) -> Result<State> {
        let refuse = |reason: String| Error::Run {
            origin: place.display().to_string(),
            reason,
        };
        let mut checkpoint = Checkpoint::open(place)?;
        if !is_same_model(checkpoint.description(), self.description) {
            return Err(refuse(
                "the checkpoint has another architecture than the run file".into(),
            ));
        }
        let config = checkpoint.description().config.clone();
        let model = ClipModel::build_with(&config, &mut checkpoint, device, options)?;

        let path = place.join(OPTIMIZER_FILE);
        let file = TensorFile::open(&path)?;
        let texts = file.texts();
        let step = texts
            .get(STEP)
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| diptych::Error::Tensors {
                path: path.clone(),
                reason: format!("its metadata has no `{STEP}`"),
            })?;
        let begun = texts.get(RUN);
        if begun.is_some_and(|begun| *begun != self.run.identity()) {
            return Err(refuse(
                "the run began with another seed, batch, compute, data, augmentation, loss, negatives, \
                 algorithm or frozen part than the run file has"
                    .into(),
            ));
        }
        optimizer.load_state(&file, &config, options.freeze, &device.clone().inner())?;
        Ok(State {
            step,
            model,
            samples: texts.get(SAMPLES).and_then(|s| s.parse().ok()),
            place: place.to_owned(),
        })
    }

    /// Adds to a divergence what its batch was and where to go on from.
    pub(super) fn explain(&self, error: Error, batch: &Batch) -> Error {
        let Error::Diverged {
            step,
            what,
            value,
            learning_rate,
            ..
        } = error
        else {
            return error;
        };
        let path = self.run.out.join(format!("diverged-step-{step}.txt"));
        let listed = replace(&path, (batch.sources.join("\n") + "\n").as_bytes());
        let listed = match listed {
            Ok(()) => format!("its batch is listed in {}", path.display()),
            Err(error) => format!("its batch can't be listed: {error}"),
        };
        let last = self.list().ok().and_then(|mut all| all.pop());
        let last = match last {
            Some(last) => format!("the last good checkpoint is {}", last.display()),
            None => "there is no checkpoint yet".into(),
        };
        Error::Diverged {
            step,
            what,
            value,
            learning_rate,
            context: format!("{listed}; {last}"),
        }
    }

    /// The checkpoints, oldest first.
    fn list(&self) -> Result<Vec<PathBuf>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let digits = name.strip_prefix("step-").unwrap_or_default();
            if digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()) && path.is_dir() {
                drop(name);
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Whether two descriptions are of one architecture, tokenizer and preprocessing.
pub(super) fn is_same_model(a: &Description, b: &Description) -> bool {
    plain(&a.config) == plain(&b.config)
        && a.preprocess == b.preprocess
        && a.tokenizer.vocab_size() == b.tokenizer.vocab_size()
}

/// An architecture without what writing a checkpoint fills in.
fn plain(config: &ClipConfig) -> ClipConfig {
    let mut config = config.clone();
    config.text_cfg.hf_tokenizer_name = None;
    config.text_cfg.tokenizer_kwargs = None;
    config
}

/// Refuses a folder in which a run's files would lie among another's. It may hold a run of ours, run files,
/// and what is hidden.
///
/// # Errors
/// [`Error::Run`] naming the first file that is not a run's.
pub(super) fn check_folder(out: &Path) -> Result<()> {
    if !out.exists() || out.join(ECHO).exists() {
        return Ok(());
    }
    let mut foreign = Vec::new();
    for entry in fs_err::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_run_file = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if !is_run_file && !name.starts_with('.') {
            foreign.push(name.into_owned());
        }
    }
    match foreign.iter().min() {
        None => Ok(()),
        Some(first) => Err(Error::Run {
            origin: out.display().to_string(),
            reason: format!(
                "`out` holds other files (for example {first}) and no run; wanted a folder that is new or \
                 empty, or a run's"
            ),
        }),
    }
}

/// Takes the run's folder for this process, as long as the file is open, and removes what a killed one
/// left half written.
///
/// # Errors
/// [`Error::Run`] if another process has it.
pub(super) fn lock(out: &Path) -> Result<fs_err::File> {
    fs_err::create_dir_all(out)?;
    let path = out.join(LOCK_FILE);
    let file = fs_err::File::create(&path)?;
    match file.file().try_lock() {
        Ok(()) => {
            remove_unfinished(out)?;
            remove_unfinished(&out.join(FOLDER))?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Run {
            origin: out.display().to_string(),
            reason: "another process is at work on this run".into(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io(&path, error)),
    }
}

fn remove_unfinished(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            match entry.path().is_dir() {
                true => fs_err::remove_dir_all(entry.path())?,
                false => fs_err::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// Writes the run with all its defaults into its folder.
pub(super) fn echo(run: &Run) -> Result<()> {
    let path = run.out.join(ECHO);
    let text = toml::to_string(run).map_err(|e| Error::Run {
        origin: path.display().to_string(),
        reason: e.to_string(),
    })?;
    Ok(replace(&path, text.as_bytes())?)
}
