//! Checkpoints: a directory on disk ⇄ configuration, named tensors, tokenizer, preprocessing.
//!
//! Flow: path → **weights** → `model`; `train` → **weights** → path.
//! The layout is the one that Python's open_clip opens as `local-dir:PATH`:
//! `open_clip_config.json`, `open_clip_model.safetensors` and, where the vocabulary is not CLIP's
//! standard one, `tokenizer.json` with its two companions.
//! Invariant: nothing is built from a checkpoint before all of it has been checked.

mod checkpoint;
mod config;
mod convert;
mod default;
mod describe;
mod description;
mod hf;
mod layout;
mod shapes;
mod storage;
mod tensors;
#[cfg(test)]
mod tests;
mod torch;
mod write;

pub use checkpoint::{Checkpoint, Summary};
pub use convert::{LayoutKind, convert};
pub use default::DEFAULT_MODEL;
pub use describe::{architectures, describe};
pub use description::{Description, Origins};
pub use tensors::{Precision, TensorFile};
pub(crate) use write::{TEMPORARY, fill_checkpoint, replace_directory, write_atomically};
pub use write::{write_checkpoint, write_tensors};

/// The file of weights in a checkpoint directory.
pub const WEIGHTS_FILE: &str = "open_clip_model.safetensors";
/// The file of architecture and preprocessing in a checkpoint directory.
pub const CONFIG_FILE: &str = "open_clip_config.json";
/// The file of architecture in a directory of transformers'.
pub const HF_CONFIG_FILE: &str = "config.json";
/// The file of the tokenizer, where it is not CLIP's standard one.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
