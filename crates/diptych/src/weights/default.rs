//! The default model, which is part of the program.

use std::path::Path;

use super::storage::Storage;
use super::{Checkpoint, Description, TensorFile};
use crate::Result;

/// The name that opens it.
pub const DEFAULT_MODEL: &str = "default";

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../../models/default/", $name))
    };
}

/// Opens the default model: a small ModifiedResNet of our own training (`models/default/README.md`).
pub(super) fn open() -> Result<Checkpoint> {
    Checkpoint::new(description()?, storage()?)
}

/// Its tensors, not yet checked.
pub(super) fn storage() -> Result<Storage> {
    let name = "default/open_clip_model.safetensors";
    let tensors = TensorFile::from_static(name, file!("open_clip_model.safetensors"))?;
    Ok(Storage::Safetensors(tensors))
}

/// All of it but the tensors.
pub(super) fn description() -> Result<Description> {
    let tokenizer = file!("tokenizer.json").to_vec();
    Description::parse(
        Path::new("default/open_clip_config.json"),
        file!("open_clip_config.json"),
        Some(("default/tokenizer.json".into(), tokenizer)),
    )
}
