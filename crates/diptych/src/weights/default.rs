//! The default model, which is part of the program.

#[cfg(feature = "default-model")]
use std::path::Path;

#[cfg(feature = "default-model")]
use diptych_default_model::{CONFIG, TOKENIZER, WEIGHTS};

use super::{Checkpoint, Description, Tensors};
#[cfg(not(feature = "default-model"))]
use crate::Error;
use crate::Result;

/// The name that opens it.
pub const DEFAULT_MODEL: &str = "default";

/// Opens the default model: a small ModifiedResNet of our own training
/// (`crates/default-model/README.md`).
pub(super) fn open() -> Result<Checkpoint> {
    Checkpoint::new(description()?, tensors()?)
}

/// Its tensors, not yet checked.
#[cfg(feature = "default-model")]
pub(super) fn tensors() -> Result<Tensors> {
    let name = "default/open_clip_model.safetensors";
    Tensors::from_static(name, WEIGHTS)
}

/// All of it but the tensors.
#[cfg(feature = "default-model")]
pub(super) fn description() -> Result<Description> {
    Description::parse(
        Path::new("default/open_clip_config.json"),
        CONFIG,
        Some(("default/tokenizer.json".into(), TOKENIZER.to_vec())),
    )
}

#[cfg(not(feature = "default-model"))]
pub(super) fn tensors() -> Result<Tensors> {
    Err(missing())
}

#[cfg(not(feature = "default-model"))]
pub(super) fn description() -> Result<Description> {
    Err(missing())
}

#[cfg(not(feature = "default-model"))]
fn missing() -> Error {
    Error::Model {
        name: DEFAULT_MODEL.into(),
        reason: "is not part of this program, which was built without the feature `default-model`"
            .into(),
    }
}
