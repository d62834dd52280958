//! What a model is, all but its tensors: architecture, preprocessing, tokenizer.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::{ConfigFile, preprocess_from_json};
use super::{CONFIG_FILE, TOKENIZER_FILE};
use crate::image::Preprocess;
use crate::model::ClipConfig;
use crate::text::{SpecialTokens, Tokenizer};
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
}

impl Description {
    /// Reads the configuration and the tokenizer of the checkpoint in `dir`; its tensors are not
    /// looked at.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that can't be read, [`Error::Config`] and [`Error::Tokenizer`] for
    /// one that can't be followed.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let config = dir.as_ref().join(CONFIG_FILE);
        let tokenizer = dir.as_ref().join(TOKENIZER_FILE);
        let tokenizer = match tokenizer.exists() {
            true => Some((
                tokenizer.clone(),
                fs_err::read(&tokenizer).map_err(Error::Io)?,
            )),
            false => None,
        };
        Self::parse(
            &config,
            &fs_err::read(&config).map_err(Error::Io)?,
            tokenizer,
        )
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
        let tokenizer = open_tokenizer(&origin, &config, tokenizer)?;
        Ok(Self {
            config,
            preprocess,
            tokenizer,
        })
    }
}

/// The tokenizer of a checkpoint: its own file where the configuration says so, else CLIP's
/// standard one, as open_clip's `get_tokenizer` decides.
fn open_tokenizer(
    origin: &str,
    config: &ClipConfig,
    file: Option<(PathBuf, Vec<u8>)>,
) -> Result<Tokenizer> {
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
    let (tokenizer, name) = match (&text.hf_tokenizer_name, file) {
        (Some(_), Some((path, bytes))) => {
            let tokenizer = Tokenizer::from_json(&bytes).map_err(|source| Error::Tokenizer {
                path: path.clone(),
                source,
            })?;
            (tokenizer, path.display().to_string())
        }
        (Some(name), None) => {
            return Err(refuse(format!(
                "`text_cfg.hf_tokenizer_name` is `{name}`, and there is no {TOKENIZER_FILE} beside it"
            )));
        }
        (None, _) => (
            Tokenizer::clip(SpecialTokens::OpenClip),
            "CLIP's vocabulary".to_owned(),
        ),
    };
    match tokenizer.vocab_size() == text.vocab_size {
        true => Ok(tokenizer),
        false => Err(refuse(format!(
            "`text_cfg.vocab_size` is {}, but {name} has {} entries",
            text.vocab_size,
            tokenizer.vocab_size()
        ))),
    }
}
