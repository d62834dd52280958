//! A run's state on disk: the model, the optimiser, the step.
//!
//! Invariant: a checkpoint is written beside its place and renamed into it, so a kill at any instant
//! leaves the last whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::adamw::AdamW;
use crate::model::{ClipModel, named_tensors};
use crate::weights::{
    Checkpoint, Description, Precision, TensorFile, write_checkpoint, write_tensors,
};
use crate::{Error, Result};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STEP: &str = "step";

/// A run's state after some steps.
pub(super) struct State {
    /// Steps done.
    pub(super) step: usize,
    pub(super) model: ClipModel,
}

/// Writes the state after `step` steps into `folder`, and removes older ones but the last.
pub(super) fn save(
    folder: &Path,
    step: usize,
    model: &ClipModel,
    description: &Description,
    optimizer: &AdamW,
) -> Result<()> {
    fs_err::create_dir_all(folder).map_err(Error::Io)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let temporary = builder
        .tempdir_in(folder)
        .map_err(|e| Error::io(folder, e))?;
    write_checkpoint(
        temporary.path(),
        description,
        &named_tensors(model),
        Precision::F32,
    )?;
    let texts = HashMap::from([(STEP.to_owned(), step.to_string())]);
    let path = temporary.path().join(OPTIMIZER_FILE);
    write_tensors(&path, &optimizer.state(), Precision::F32, texts)?;

    let place = folder.join(format!("step-{step:08}"));
    if place.exists() {
        fs_err::remove_dir_all(&place).map_err(Error::Io)?;
    }
    fs_err::rename(temporary.keep(), &place).map_err(Error::Io)?;
    let mut all = list(folder)?;
    all.truncate(all.len().saturating_sub(2));
    for old in all {
        fs_err::remove_dir_all(old).map_err(Error::Io)?;
    }
    Ok(())
}

/// The last state in `folder`, if there is one; the optimiser takes its part.
pub(super) fn load(
    folder: &Path,
    description: &Description,
    optimizer: &mut AdamW,
    device: &Device,
) -> Result<Option<State>> {
    let Some(place) = list(folder)?.pop() else {
        return Ok(None);
    };
    let mut checkpoint = Checkpoint::open(&place)?;
    // The embedded tokenizer's name is filled in on writing, so the parts are compared.
    let (a, b) = (&checkpoint.config, &description.config);
    if (
        &a.vision_cfg,
        a.embed_dim,
        a.text_cfg.vocab_size,
        a.text_cfg.layers,
    ) != (
        &b.vision_cfg,
        b.embed_dim,
        b.text_cfg.vocab_size,
        b.text_cfg.layers,
    ) {
        return Err(Error::Config {
            origin: place.display().to_string(),
            reason: "the checkpoint has another architecture than the run file".into(),
        });
    }
    let config = checkpoint.config.clone();
    let model = ClipModel::build(&config, &mut checkpoint, device)?;

    let path = place.join(OPTIMIZER_FILE);
    let file = TensorFile::open(&path)?;
    let step = file
        .texts()
        .get(STEP)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| Error::Tensors {
            path: path.clone(),
            reason: format!("its metadata has no `{STEP}`"),
        })?;
    let plain = device.clone().inner();
    optimizer.load_state(file.shapes().into_keys(), |name| file.read(name), &plain)?;
    Ok(Some(State { step, model }))
}

/// The checkpoints in `folder`, oldest first.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let path = entry.map_err(Error::Io)?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("step-"))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
