//! The default model, which is part of the program.

use std::path::Path;

use super::{Checkpoint, TensorFile};
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
    Checkpoint::new(
        Path::new("default/open_clip_config.json"),
        file!("open_clip_config.json"),
        Some((
            "default/tokenizer.json".into(),
            file!("tokenizer.json").to_vec(),
        )),
        TensorFile::from_static(
            "default/open_clip_model.safetensors",
            file!("open_clip_model.safetensors"),
        )?,
    )
}
