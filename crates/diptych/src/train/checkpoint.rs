//! A run's state on disk: the model, the optimiser, the step.
//!
//! Invariant: a checkpoint is written beside its place and renamed into it, so a kill at any instant
//! leaves the last whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::adamw::AdamW;
use super::config::Run;
use crate::model::{ClipConfig, ClipModel, named_tensors};
use crate::weights::{
    Checkpoint, Description, Precision, TEMPORARY, TensorFile, fill_checkpoint, replace_directory,
    write_tensors,
};
use crate::{Error, Result};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STEP: &str = "step";
const RUN: &str = "run";

/// A run's state after some steps.
pub(super) struct State {
    /// Steps done.
    pub(super) step: usize,
    pub(super) model: ClipModel,
}

/// Writes the state after `step` steps into `folder`, and removes older ones but the last.
pub(super) fn save(folder: &Path, step: usize, session: &Saved) -> Result<()> {
    fs_err::create_dir_all(folder).map_err(Error::Io)?;
    let tensors = named_tensors(session.model);
    replace_directory(&folder.join(format!("step-{step:08}")), |dir| {
        fill_checkpoint(dir, session.description, &tensors, Precision::F32)?;
        let texts = HashMap::from([
            (STEP.to_owned(), step.to_string()),
            (RUN.to_owned(), session.run.identity()),
        ]);
        let state = session.optimizer.state();
        write_tensors(&dir.join(OPTIMIZER_FILE), &state, Precision::F32, texts)
    })?;
    let mut all = list(folder)?;
    all.truncate(all.len().saturating_sub(2));
    for old in all {
        fs_err::remove_dir_all(old).map_err(Error::Io)?;
    }
    remove_unfinished(folder)
}

/// What [`save`] writes.
pub(super) struct Saved<'a> {
    pub(super) run: &'a Run,
    pub(super) description: &'a Description,
    pub(super) model: &'a ClipModel,
    pub(super) optimizer: &'a AdamW,
}

/// Removes what a killed run left half written.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let entry = entry.map_err(Error::Io)?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs_err::remove_dir_all(entry.path()).map_err(Error::Io)?;
        }
    }
    Ok(())
}

/// The last state in `folder`, if there is one; the optimiser takes its part.
pub(super) fn load(
    folder: &Path,
    run: &Run,
    description: &Description,
    optimizer: &mut AdamW,
    device: &Device,
) -> Result<Option<State>> {
    let Some(place) = list(folder)?.pop() else {
        return Ok(None);
    };
    let refuse = |reason: String| Error::Config {
        origin: place.display().to_string(),
        reason,
    };
    let mut checkpoint = Checkpoint::open(&place)?;
    let found = checkpoint.description().clone();
    if plain(&found.config) != plain(&description.config)
        || found.preprocess != description.preprocess
        || found.tokenizer.vocab_size() != description.tokenizer.vocab_size()
    {
        return Err(refuse(
            "the checkpoint has another architecture than the run file".into(),
        ));
    }
    let config = found.config;
    let precision = run.compute.precision()?;
    let model = ClipModel::build_with(&config, &mut checkpoint, device, precision)?;

    let path = place.join(OPTIMIZER_FILE);
    let file = TensorFile::open(&path)?;
    let texts = file.texts();
    let step = texts
        .get(STEP)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| Error::Tensors {
            path: path.clone(),
            reason: format!("its metadata has no `{STEP}`"),
        })?;
    if texts.get(RUN).is_some_and(|begun| *begun != run.identity()) {
        return Err(refuse(
            "the run began with another seed, batch, data or augmentation than the run file has"
                .into(),
        ));
    }
    optimizer.load_state(&file, &config, &device.clone().inner())?;
    Ok(Some(State { step, model }))
}

/// An architecture without what writing a checkpoint fills in.
fn plain(config: &ClipConfig) -> ClipConfig {
    let mut config = config.clone();
    config.text_cfg.hf_tokenizer_name = None;
    config.text_cfg.tokenizer_kwargs = None;
    config
}

/// The checkpoints in `folder`, oldest first.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let path = entry.map_err(Error::Io)?.path();
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
