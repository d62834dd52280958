//! The default model, which is part of the program.

#[cfg(feature = "default-model")]
use std::path::Path;

use super::{Checkpoint, Description, Tensors};
#[cfg(not(feature = "default-model"))]
use crate::Error;
use crate::Result;

/// The name that opens it.
pub const DEFAULT_MODEL: &str = "default";

#[cfg(feature = "default-model")]
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../../models/default/", $name))
    };
}

/// Opens the default model: a small ModifiedResNet of our own training (`models/default/README.md`).
pub(super) fn open() -> Result<Checkpoint> {
    Checkpoint::new(description()?, tensors()?)
}

/// Its tensors, not yet checked.
#[cfg(feature = "default-model")]
pub(super) fn tensors() -> Result<Tensors> {
    let name = "default/open_clip_model.safetensors";
    Tensors::from_static(name, file!("open_clip_model.safetensors"))
}

/// All of it but the tensors.
#[cfg(feature = "default-model")]
pub(super) fn description() -> Result<Description> {
    let tokenizer = file!("tokenizer.json").to_vec();
    Description::parse(
        Path::new("default/open_clip_config.json"),
        file!("open_clip_config.json"),
        Some(("default/tokenizer.json".into(), tokenizer)),
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
