//! The part of a run file that is the same for every task.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::optimise::Optimization;

/// Length of a run, its optimiser, and what it keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder for checkpoints, the record and the finished model; relative to the run file.
    pub out: PathBuf,
    /// Seed of whatever a task draws.
    #[serde(default)]
    pub seed: u64,
    /// Steps, batch, learning rate.
    pub optimizer: Optimization,
    /// Steps between checkpoints.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: usize,
    /// Checkpoints that are kept, the last ones; the best one is kept besides.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// Steps between measurements; there is always one at the end. Nothing is measured, if it is
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure_every: Option<usize>,
}

pub(crate) fn default_checkpoint_every() -> usize {
    500
}

pub(crate) fn default_keep() -> usize {
    2
}

impl Settings {
    /// Says what can't be followed, by its key.
    ///
    /// # Errors
    /// In words, for the first value that is out of its range.
    pub fn check(&self) -> Result<(), String> {
        self.optimizer.check()?;
        for (name, value) in [
            ("keep", self.keep),
            ("checkpoint_every", self.checkpoint_every),
            ("measure_every", self.measure_every.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0, wanted at least 1"));
            }
        }
        Ok(())
    }

    /// Makes paths relative to the folder `base`, where the run file lies.
    pub fn resolve(&mut self, base: &Path) {
        self.out = base.join(&self.out);
    }
}
