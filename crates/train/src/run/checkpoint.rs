//! A run's state on disk: the model, the optimiser, the step; the last few.
//!
//! Invariant: a checkpoint is written beside its place and renamed into it, so a kill at any
//! instant leaves the last whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use diptych::weights::{Dtype, Tensors, Value, write_tensors};
use diptych_files::replace;

use super::folder::{CHECKPOINTS, replace_directory_of};
use super::settings::Settings;
use super::task::{Purpose, Task};
use super::trainer::Trainer;
use crate::optimise::Optimizer;
use crate::{Error, Result};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STEP: &str = "step";
const RUN: &str = "run";
const SAMPLES: &str = "samples";

/// A run's state after some steps.
pub(super) struct State<M> {
    /// Steps done.
    pub(super) step: usize,
    pub(super) model: M,
    /// Samples that the run's data had; older checkpoints don't say.
    samples: Option<usize>,
    place: PathBuf,
}

impl<M> State<M> {
    /// Refuses data of another size: a shard that was cut or exchanged would silently give other
    /// batches.
    pub(super) fn check(&self, samples: usize) -> Result<()> {
        match self.samples {
            Some(begun) if begun != samples => Err(Error::OtherRun {
                checkpoint: self.place.clone(),
                reason: format!(
                    "the run began with {begun} samples, and its data has {samples} now"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// The checkpoints of one run.
pub(super) struct Checkpoints<'a, T> {
    task: &'a T,
    settings: &'a Settings,
    folder: PathBuf,
}

impl<'a, T: Task> Checkpoints<'a, T> {
    pub(super) fn new(task: &'a T, settings: &'a Settings) -> Self {
        Self {
            task,
            settings,
            folder: settings.out.join(CHECKPOINTS),
        }
    }

    /// Writes the state after `step` steps on data of `samples`, and removes older ones but the
    /// last few.
    pub(super) fn save(&self, step: usize, trainer: &Trainer<T>, samples: usize) -> Result<()> {
        fs_err::create_dir_all(&self.folder)?;
        let place = self.folder.join(format!("step-{step:08}"));
        replace_directory_of::<T>(&place, |dir| {
            self.task.write(dir, trainer.model(), Purpose::Checkpoint)?;
            let texts = HashMap::from([
                (STEP.to_owned(), step.to_string()),
                (RUN.to_owned(), self.task.identity()),
                (SAMPLES.to_owned(), samples.to_string()),
            ]);
            let state = trainer.optimizer().state();
            let path = dir.join(OPTIMIZER_FILE);
            Ok(write_tensors(&path, &state, Dtype::F32, texts)?)
        })?;
        let mut all = self.list()?;
        all.truncate(all.len().saturating_sub(self.settings.keep));
        for old in all {
            fs_err::remove_dir_all(old)?;
        }
        Ok(())
    }

    /// The last state, if there is one; the optimiser takes its part.
    ///
    /// # Errors
    /// Those of the files, with what to go on from; [`Error::OtherRun`] for another run's.
    pub(super) fn load(&self, optimizer: &mut Optimizer) -> Result<Option<State<T::Model>>> {
        let mut all = self.list()?;
        let Some(place) = all.pop() else {
            return Ok(None);
        };
        let state = self.open(&place, optimizer);
        // A checkpoint is whole when it gets its name, so damage came later, and is for a person to
        // see.
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

    fn open(&self, place: &Path, optimizer: &mut Optimizer) -> Result<State<T::Model>> {
        let model = self.task.read(place)?;
        let path = place.join(OPTIMIZER_FILE);
        let file = Tensors::open(&path)?;
        let texts = file.value("")?;
        let text = |name: &str| texts.get(name).and_then(Value::as_text);
        let step =
            text(STEP)
                .and_then(|s| s.parse().ok())
                .ok_or_else(|| diptych::Error::Tensors {
                    path: path.clone(),
                    reason: format!("its metadata has no `{STEP}`"),
                })?;
        let begun = text(RUN);
        if begun.is_some_and(|begun| begun != self.task.identity()) {
            return Err(Error::OtherRun {
                checkpoint: place.to_owned(),
                reason: format!(
                    "the run began with another {} than the run file has",
                    T::IDENTIFIED_BY
                ),
            });
        }
        optimizer.load_state(&file, &model)?;
        Ok(State {
            step,
            model,
            samples: text(SAMPLES).and_then(|s| s.parse().ok()),
            place: place.to_owned(),
        })
    }

    /// Adds to a divergence what its batch was, by the `sources` of its samples, and where to go on
    /// from.
    pub(super) fn explain(&self, error: Error, sources: &[String]) -> Error {
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
        let path = self.settings.out.join(format!("diverged-step-{step}.txt"));
        let listed = if sources.is_empty() {
            "the parameters stay as they were".into()
        } else {
            match replace(&path, (sources.join("\n") + "\n").as_bytes()) {
                Ok(()) => format!("its batch is listed in {}", path.display()),
                Err(error) => format!("its batch can't be listed: {error}"),
            }
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
