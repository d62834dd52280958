//! The model that measured best so far.

use std::path::PathBuf;

use diptych_files::replace;
use serde::{Deserialize, Serialize};

use super::folder::replace_model;
use super::settings::Settings;
use super::task::{Purpose, Task};
use crate::Result;

const BEST: &str = "best";
const BEST_FILE: &str = "best.json";

/// The best model of one run.
pub(super) struct Best<'a, T> {
    task: &'a T,
    /// Where it lies.
    place: PathBuf,
    /// The note about it.
    path: PathBuf,
}

/// Which model is the best so far.
#[derive(Serialize, Deserialize)]
struct Note {
    step: usize,
    score: f64,
    /// The run and what it was measured on; another run's best is none of this one's.
    run: String,
    measured: serde_json::Value,
}

impl<'a, T: Task> Best<'a, T> {
    pub(super) fn new(task: &'a T, settings: &Settings) -> Self {
        Self {
            task,
            place: settings.out.join(BEST),
            path: settings.out.join(BEST_FILE),
        }
    }

    /// Keeps a model, if it measures better than the best so far.
    pub(super) fn keep(
        &self,
        step: usize,
        score: f64,
        measured: &T::Measured,
        model: &T::Model,
    ) -> Result<()> {
        let so_far = fs_err::read(&self.path).ok();
        let so_far = so_far.and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        let run = self.task.measured_identity();
        let is_better = |best: Note| best.run == run && best.step < step && best.score >= score;
        if so_far.is_some_and(is_better) {
            return Ok(());
        }
        replace_model(self.task, &self.place, model, Purpose::Use)?;
        let note = Note {
            step,
            score,
            run,
            measured: serde_json::to_value(measured).map_err(std::io::Error::from)?,
        };
        let text = serde_json::to_vec_pretty(&note).map_err(std::io::Error::from)?;
        Ok(replace(&self.path, &text)?)
    }

    /// Forgets the best model of what was run in this folder before, of which no checkpoint is
    /// left.
    pub(super) fn forget(&self) -> Result<()> {
        match fs_err::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
