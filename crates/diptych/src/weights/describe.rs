//! Names: what a model is called → how it is built.

use std::path::Path;

use super::checkpoint::describe_file;
use super::published::{Parts, obtained};
use super::resolve::{Named, resolve};
use super::{Description, MAX_CONFIG_BYTES, Origins, Tensors, default, read_small};
use crate::image::Preprocess;
use crate::model::ClipConfig;
use crate::text::{ClipTokenizer, SpecialTokens};
use crate::{Error, Result};

macro_rules! architectures {
    ($($name:literal),* $(,)?) => {
        /// The files of `models/`, by name.
        const ARCHITECTURES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../models/", $name, ".json")))),*
        ];
    };
}

architectures!(
    "RN50",
    "RN101",
    "RN50x4",
    "RN50x16",
    "RN50x64",
    "ViT-B-32",
    "ViT-B-16",
    "ViT-L-14",
    "ViT-L-14-336",
    "Diptych-RN-M",
);

/// The names of the known architectures.
pub fn architectures() -> impl Iterator<Item = &'static str> {
    ARCHITECTURES.iter().map(|(name, _)| *name)
}

/// The architecture, preprocessing and tokenizer of `model`: the default model, a checkpoint's
/// directory or file, a known architecture, a JSON file like those of `models/`, or a published
/// model, of which the small files are downloaded. What is on the disk goes before a name.
///
/// # Errors
/// [`Error::Model`] for another name, [`Error::Hub`] for a published model that can't be had; else
/// those of [`Description::open`] and [`ClipConfig::from_json`].
pub fn describe(model: &str) -> Result<Description> {
    match resolve(Path::new(model))? {
        Named::Embedded => default::description(),
        Named::Checkpoint(path) if path.is_dir() => Description::open(path),
        Named::Checkpoint(path) => describe_file(&path, &Tensors::open(&path)?.state_dict()?),
        Named::ArchitectureFile(path) => {
            from_architecture(model, &read_small(&path, MAX_CONFIG_BYTES)?)
        }
        Named::Known {
            architecture: Some((name, json)),
            ..
        } => from_architecture(name, json.as_bytes()),
        Named::Known { published, .. } => {
            Description::open(obtained(model, published.as_ref(), Parts::Description)?)
        }
    }
}

/// Name and file of the known architecture called `name`, in open_clip's spelling or OpenAI's.
pub(super) fn architecture(name: &str) -> Option<(&'static str, &'static str)> {
    // OpenAI writes ViT-L/14@336px where open_clip writes ViT-L-14-336.
    let name = name.replace(['/', '@'], "-");
    let name = name.strip_suffix("px").unwrap_or(&name);
    ARCHITECTURES
        .iter()
        .find(|(known, _)| *known == name)
        .copied()
}

/// A model of `models/`: OpenAI's preprocessing, and as many of CLIP's merges as its vocabulary
/// has.
fn from_architecture(origin: &str, json: &[u8]) -> Result<Description> {
    let json = serde_json::from_slice(json).map_err(|e| Error::Architecture {
        origin: origin.into(),
        reason: e.to_string(),
    })?;
    let config = ClipConfig::from_json(origin, json)?;
    Ok(Description {
        preprocess: Preprocess::openai(config.vision_cfg.image_size),
        tokenizer: ClipTokenizer::with_vocab_size(
            config.text_cfg.vocab_size,
            SpecialTokens::OpenClip,
        )?
        .into(),
        config,
        origins: Origins {
            config: origin.into(),
            preprocess: "OpenAI's".into(),
            tokenizer: "CLIP's merges".into(),
        },
        notes: Vec::new(),
    })
}
