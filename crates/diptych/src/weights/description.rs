//! What a model is, all but its tensors: architecture, preprocessing, tokenizer.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::config::{ConfigFile, preprocess_from_json};
use super::storage::read_small;
use super::{
    CONFIG_FILE, HF_CONFIG_FILE, MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES, TOKENIZER_FILE, hf,
};
use crate::image::{Order, Preprocess};
use crate::model::ClipConfig;
use crate::text::{SpecialTokens, Tokenizer, VOCAB_SIZE};
use crate::{Error, Result};

/// Everything of a model but its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// The architecture.
    pub config: ClipConfig,
    /// How pictures are prepared.
    pub preprocess: Preprocess,
    /// How texts become tokens.
    pub tokenizer: Tokenizer,
    /// Where each of these came from.
    pub origins: Origins,
}

/// Where the parts of a description came from, for people: a file, or what stands for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// The architecture.
    pub config: String,
    /// The preprocessing.
    pub preprocess: String,
    /// The tokenizer.
    pub tokenizer: String,
}

/// What stands for a file that a checkpoint does not have.
const OPENAI_PREPROCESS: &str = "OpenAI's, since no file says otherwise";
const CLIP_VOCABULARY: &str = "CLIP's merges, since no file says otherwise";

impl Description {
    /// Reads the configuration and the tokenizer of the checkpoint in `dir`; its tensors are not
    /// looked at.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that can't be read, [`Error::Config`] and [`Error::Tokenizer`] for
    /// one that can't be followed.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let config = dir.join(CONFIG_FILE);
        let tokenizer = dir.join(TOKENIZER_FILE);
        let tokenizer = match tokenizer.exists() {
            true => Some((
                tokenizer.clone(),
                read_small(&tokenizer, MAX_TOKENIZER_BYTES)?,
            )),
            false => None,
        };
        if !config.exists() && dir.join(HF_CONFIG_FILE).exists() {
            return Self::open_hf(dir, tokenizer);
        }
        Self::parse(&config, &read_small(&config, MAX_CONFIG_BYTES)?, tokenizer)
    }

    /// Reads what a directory of transformers' has.
    fn open_hf(dir: &Path, tokenizer: Option<(PathBuf, Vec<u8>)>) -> Result<Self> {
        let path = dir.join(HF_CONFIG_FILE);
        let origin = path.display().to_string();
        let config = hf::architecture(&origin, &read_small(&path, MAX_CONFIG_BYTES)?)?;
        let side = config.vision_cfg.image_size;
        let mut origins = Origins {
            config: origin.clone(),
            preprocess: OPENAI_PREPROCESS.into(),
            tokenizer: CLIP_VOCABULARY.into(),
        };
        // Version 5 writes the first, which goes before the second.
        let processors = ["processor_config.json", "preprocessor_config.json"];
        let mut preprocess = Preprocess {
            order: Order::RgbFirst,
            ..Preprocess::openai(side)
        };
        for path in processors.map(|name| dir.join(name)) {
            if path.exists() {
                let json = read_small(&path, MAX_CONFIG_BYTES)?;
                origins.preprocess = path.display().to_string();
                preprocess = hf::preprocess(&origins.preprocess, &json, side)?;
                break;
            }
        }
        let tokenizer = match tokenizer {
            Some((path, bytes)) => {
                origins.tokenizer = path.display().to_string();
                from_file(&path, &bytes)?
            }
            // Any other vocabulary is one that we have not seen.
            None if config.text_cfg.vocab_size == VOCAB_SIZE => {
                Tokenizer::clip(SpecialTokens::OpenAi)
            }
            None => {
                return Err(Error::Config {
                    origin,
                    reason: format!(
                        "the vocabulary has {} entries, and there is no {TOKENIZER_FILE} beside it",
                        config.text_cfg.vocab_size
                    ),
                });
            }
        };
        Self::assemble(config, preprocess, tokenizer, origins)
    }

    /// A checkpoint without any file beside it: OpenAI's preprocessing, and as many of CLIP's merges as its
    /// vocabulary has room for.
    pub(super) fn openai(origin: &str, config: ClipConfig) -> Result<Self> {
        let preprocess = Preprocess::openai(config.vision_cfg.image_size);
        let entries = config.text_cfg.vocab_size;
        let tokenizer = Tokenizer::with_vocab_size(entries, SpecialTokens::OpenAi)?;
        let origins = Origins {
            config: format!("the shapes in {origin}; QuickGELU, as in OpenAI's models"),
            preprocess: OPENAI_PREPROCESS.into(),
            tokenizer: CLIP_VOCABULARY.into(),
        };
        Self::assemble(config, preprocess, tokenizer, origins)
    }

    fn assemble(
        config: ClipConfig,
        preprocess: Preprocess,
        tokenizer: Tokenizer,
        origins: Origins,
    ) -> Result<Self> {
        match tokenizer.vocab_size() == config.text_cfg.vocab_size {
            true => Ok(Self {
                config,
                preprocess,
                tokenizer,
                origins,
            }),
            false => Err(Error::Config {
                origin: origins.config,
                reason: format!(
                    "the vocabulary has {} entries, but its tokenizer has {} entries ({})",
                    config.text_cfg.vocab_size,
                    tokenizer.vocab_size(),
                    origins.tokenizer
                ),
            }),
        }
    }

    /// Reads the contents of `open_clip_config.json`, and of `tokenizer.json` if there is one; the
    /// paths are for messages.
    pub(super) fn parse(
        config_path: &Path,
        config: &[u8],
        tokenizer: Option<(PathBuf, Vec<u8>)>,
    ) -> Result<Self> {
        let origin = config_path.display().to_string();
        let file: ConfigFile = serde_json::from_slice(config).map_err(|e| Error::Config {
            origin: origin.clone(),
            reason: e.to_string(),
        })?;
        let config = ClipConfig::from_json(&origin, file.model_cfg)?;
        let preprocess = preprocess_from_json(&origin, file.preprocess_cfg, &config)?;
        let (tokenizer, tokenizer_origin) = open_tokenizer(&origin, &config, tokenizer)?;
        let origins = Origins {
            config: origin.clone(),
            preprocess: origin,
            tokenizer: tokenizer_origin,
        };
        Self::assemble(config, preprocess, tokenizer, origins)
    }
}

/// The tokenizer of a checkpoint: its own file where the configuration says so, else CLIP's
/// standard one, as open_clip's `get_tokenizer` decides.
fn open_tokenizer(
    origin: &str,
    config: &ClipConfig,
    file: Option<(PathBuf, Vec<u8>)>,
) -> Result<(Tokenizer, String)> {
    let text = &config.text_cfg;
    let refuse = |reason: String| Error::Config {
        origin: origin.into(),
        reason,
    };
    if let Some(options) = &text.tokenizer_kwargs {
        // Ours is lower-cased and padded with zeros, which is what these two ask for.
        let ours = |(key, value): (&String, &Value)| match key.as_str() {
            "clean" => value == "lower",
            "strip_sep_token" => value == true,
            _ => false,
        };
        if !options.as_object().is_some_and(|o| o.iter().all(ours)) {
            return Err(refuse(format!(
                "`text_cfg.tokenizer_kwargs` is {options}, and only {{\"clean\": \"lower\"}} is supported"
            )));
        }
    }
    match (&text.hf_tokenizer_name, file) {
        (Some(_), Some((path, bytes))) => {
            Ok((from_file(&path, &bytes)?, path.display().to_string()))
        }
        (Some(name), None) => Err(refuse(format!(
            "`text_cfg.hf_tokenizer_name` is `{name}`, and there is no {TOKENIZER_FILE} beside it"
        ))),
        (None, _) => Ok((
            Tokenizer::clip(SpecialTokens::OpenClip),
            CLIP_VOCABULARY.to_owned(),
        )),
    }
}

fn from_file(path: &Path, bytes: &[u8]) -> Result<Tokenizer> {
    Tokenizer::from_json(bytes).map_err(|source| Error::Tokenizer {
        path: path.to_owned(),
        source,
    })
}
