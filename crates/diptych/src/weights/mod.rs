//! Checkpoints: a directory on disk ⇄ configuration, named tensors, tokenizer, preprocessing.
//!
//! Flow: path → **weights** → `model`; `train` → **weights** → path.
//! It reads directories of open_clip's and of transformers', and files of OpenAI's. What is trained
//! is written as Python's open_clip opens it, `local-dir:PATH`: `open_clip_config.json`,
//! `open_clip_model.safetensors` and, where the vocabulary is not CLIP's standard one,
//! `tokenizer.json` with its two companions. [`Tensors`] are those of any file, whatever network it
//! is of. Invariant: nothing is built from a checkpoint before all of it has been checked.

mod checkpoint;
mod config;
mod convert;
mod default;
mod describe;
mod description;
mod dtype;
mod fingerprint;
mod hf;
#[cfg(feature = "hub")]
mod hub;
mod layout;
mod names;
mod published;
mod resolve;
mod shapes;
mod tensors;
#[cfg(test)]
mod tests;
mod wrappers;
mod write;

pub use crate::tensor_data::TensorData;
pub use checkpoint::{Checkpoint, Summary, Weights};
pub use convert::{LayoutKind, convert};
pub use default::DEFAULT_MODEL;
pub use describe::{architectures, describe};
pub use description::{Description, Origins, has_config};
pub use dtype::{Dtype, StoredDtype};
#[cfg(feature = "hub")]
pub use hub::{Cached, Download, cached_repositories, fetch};
pub use published::{IMAGENET_SOURCE, Listing, Parts, catalog, listed};
pub use resolve::{is_architecture, named_in};
pub use tensors::{Problem, Tensors, Value};
pub use write::{
    fill_checkpoint, fits_open_clip, replace_checkpoint, write_checkpoint, write_tensors,
};

use std::path::Path;

use crate::{Error, Result};

/// The file of weights in a checkpoint directory.
pub const WEIGHTS_FILE: &str = "open_clip_model.safetensors";
/// The file of architecture and preprocessing in a checkpoint directory.
pub const CONFIG_FILE: &str = "open_clip_config.json";
/// The file of architecture in a directory of transformers'.
pub const HF_CONFIG_FILE: &str = "config.json";
/// The file of weights that is written into such a directory.
const HF_WEIGHTS_FILE: &str = "model.safetensors";
/// Bytes that a configuration may have; published ones have a few thousand.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// Bytes that a tokenizer's file may have; the largest published one has 34 million.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;
/// The file of SigLIP's tokenizer.
const SENTENCEPIECE_FILE: &str = "spiece.model";
/// The file of the tokenizer, where it is not CLIP's standard one.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// Reads a file that is to be small, and says so where it is not.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::TooLarge`] if it has more than `limit` bytes.
fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let got = diptych_files::metadata(path).map_err(Error::Io)?.len();
    if got > limit {
        let path = path.to_owned();
        return Err(Error::TooLarge { path, got, limit });
    }
    fs_err::read(path).map_err(Error::Io)
}
