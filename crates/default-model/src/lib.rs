//! The files of Diptych's default model, a small CLIP of our own training, as bytes.
//!
//! They are those of a checkpoint as open_clip writes it, which `diptych` opens as
//! `Clip::open("default")`; its model card is this package's README.
//! Invariant: no code. Who reads the bytes checks them.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use diptych_default_model::WEIGHTS;
//!
//! // Safetensors: the length of a JSON header, the header, the values of all tensors.
//! let (length, rest) = WEIGHTS.split_at(8);
//! let length = u64::from_le_bytes(length.try_into()?) as usize;
//! let header = std::str::from_utf8(&rest[..length])?;
//! assert!(header.contains("\"visual.conv1.weight\""));
//! # Ok(())
//! # }
//! ```

/// Architecture and preprocessing: `open_clip_config.json`.
pub static CONFIG: &[u8] = include_bytes!("../model/open_clip_config.json");

/// Vocabulary and merges: `tokenizer.json`, in the form of Hugging Face's tokenizers.
pub static TOKENIZER: &[u8] = include_bytes!("../model/tokenizer.json");

/// All tensors, in f16: `open_clip_model.safetensors`.
pub static WEIGHTS: &[u8] = include_bytes!("../model/open_clip_model.safetensors");

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
