//! Description of a model, all but its tensors: architecture, preprocessing, tokenizer.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::config::{ConfigFile, preprocess_from_json};
use super::hf::{self, Family};
use super::{
    CONFIG_FILE, HF_CONFIG_FILE, MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES, SENTENCEPIECE_FILE,
    TOKENIZER_FILE, read_small,
};
use crate::image::Preprocess;
use crate::model::ClipConfig;
use crate::text::{
    ClipTokenizer, SiglipTokenizer, SpecialTokens, TextError, Tokenizer, VOCAB_SIZE,
};
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
    /// Guesses and omissions, a sentence each, to be shown to whoever opens the model.
    pub notes: Vec<String>,
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

/// Whether a directory has a configuration of open_clip's or of transformers', and so is meant as a
/// checkpoint.
pub fn has_config(dir: &Path) -> bool {
    let names = [CONFIG_FILE, HF_CONFIG_FILE];
    names.iter().any(|name| dir.join(name).exists())
}

/// Words in place of the path of a file that a checkpoint does not have.
const OPENAI_PREPROCESS: &str = "OpenAI's, since no file says otherwise";
const SIGLIP_PREPROCESS: &str = "SigLIP's, since no file says otherwise";
const CLIP_VOCABULARY: &str = "CLIP's merges, since no file says otherwise";

impl Description {
    /// Reads the configuration and the tokenizer of the checkpoint in `dir`; its tensors are not
    /// looked at.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that can't be read, [`Error::Architecture`],
    /// [`Error::Preprocess`] and [`Error::Tokenizer`] for one that can't be followed.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let config = dir.join(CONFIG_FILE);
        if !config.exists() && dir.join(HF_CONFIG_FILE).exists() {
            return Self::open_hf(dir);
        }
        let tokenizer = optional(&dir.join(TOKENIZER_FILE), MAX_TOKENIZER_BYTES)?;
        Self::parse(&config, &read_small(&config, MAX_CONFIG_BYTES)?, tokenizer)
    }

    /// Reads what a directory of transformers' has.
    fn open_hf(dir: &Path) -> Result<Self> {
        let path = dir.join(HF_CONFIG_FILE);
        let origin = path.display().to_string();
        let (config, family) = hf::architecture(&origin, &read_small(&path, MAX_CONFIG_BYTES)?)?;
        let side = config.vision_cfg.image_size;
        let mut preprocess = family.preprocess(side);
        let mut preprocess_origin = match family {
            Family::Clip => OPENAI_PREPROCESS.to_owned(),
            Family::Siglip => SIGLIP_PREPROCESS.to_owned(),
        };
        // Version 5 writes the first, which goes before the second.
        let processors = ["processor_config.json", "preprocessor_config.json"];
        for path in processors.map(|name| dir.join(name)) {
            if let Some((path, json)) = optional(&path, MAX_CONFIG_BYTES)? {
                preprocess_origin = path.display().to_string();
                preprocess = hf::preprocess(&preprocess_origin, &json, family, side)?;
                break;
            }
        }
        let (tokenizer, tokenizer_origin) = match family {
            Family::Clip => clip_tokenizer(dir, &origin, &config)?,
            Family::Siglip => siglip_tokenizer(dir, &origin)?,
        };
        let origins = Origins {
            config: origin,
            preprocess: preprocess_origin,
            tokenizer: tokenizer_origin,
        };
        Self::assemble(config, preprocess, tokenizer, origins)
    }

    /// A checkpoint without any file beside it: OpenAI's preprocessing, and as many of CLIP's
    /// merges as its vocabulary has room for.
    pub(super) fn openai(origin: &str, config: ClipConfig) -> Result<Self> {
        let preprocess = Preprocess::openai(config.vision_cfg.image_size);
        let entries = config.text_cfg.vocab_size;
        let tokenizer = ClipTokenizer::with_vocab_size(entries, SpecialTokens::OpenAi)?;
        let origins = Origins {
            config: format!("the shapes in {origin}; QuickGELU, as in OpenAI's models"),
            preprocess: OPENAI_PREPROCESS.into(),
            tokenizer: CLIP_VOCABULARY.into(),
        };
        Self::assemble(config, preprocess, tokenizer.into(), origins)
    }

    /// The same model with the tokenizer of the file at `path`, a `tokenizer.json` of CLIP's kind.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tokenizer`] if it is of another kind or has
    /// another number of entries than the model.
    pub fn with_tokenizer(self, path: &Path) -> Result<Self> {
        let bytes = read_small(path, MAX_TOKENIZER_BYTES)?;
        let origins = Origins {
            tokenizer: path.display().to_string(),
            ..self.origins
        };
        Self::assemble(
            self.config,
            self.preprocess,
            from_file(path, &bytes)?,
            origins,
        )
    }

    fn assemble(
        config: ClipConfig,
        preprocess: Preprocess,
        tokenizer: Tokenizer,
        origins: Origins,
    ) -> Result<Self> {
        let (entries, wanted) = (tokenizer.vocab_size(), config.text_cfg.vocab_size);
        let fits = match &tokenizer {
            // Its end token has to be the last.
            Tokenizer::Clip(_) => entries == wanted,
            Tokenizer::Siglip(_) => entries <= wanted,
        };
        if fits {
            Ok(Self {
                config,
                preprocess,
                tokenizer,
                origins,
                notes: Vec::new(),
            })
        } else {
            Err(Error::Tokenizer {
                origin: origins.config,
                reason: format!(
                    "the vocabulary has {wanted} entries, but its tokenizer has {entries} entries ({})",
                    origins.tokenizer
                ),
            })
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
        let file: ConfigFile = serde_json::from_slice(config).map_err(|e| Error::Architecture {
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
    let refuse = |reason: String| Error::Tokenizer {
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
            ClipTokenizer::new(SpecialTokens::OpenClip).into(),
            CLIP_VOCABULARY.to_owned(),
        )),
    }
}

/// A file's path and contents, if it is there.
fn optional(path: &Path, max_bytes: u64) -> Result<Option<(PathBuf, Vec<u8>)>> {
    if path.exists() {
        Ok(Some((path.to_owned(), read_small(path, max_bytes)?)))
    } else {
        Ok(None)
    }
}

/// The tokenizer of a directory with a `CLIPModel`, and where it came from.
fn clip_tokenizer(dir: &Path, origin: &str, config: &ClipConfig) -> Result<(Tokenizer, String)> {
    match optional(&dir.join(TOKENIZER_FILE), MAX_TOKENIZER_BYTES)? {
        Some((path, bytes)) => Ok((from_file(&path, &bytes)?, path.display().to_string())),
        // Any other vocabulary is one that we have not seen.
        None if config.text_cfg.vocab_size == VOCAB_SIZE => {
            let tokenizer = ClipTokenizer::new(SpecialTokens::OpenAi);
            Ok((tokenizer.into(), CLIP_VOCABULARY.into()))
        }
        None => Err(Error::Tokenizer {
            origin: origin.into(),
            reason: format!(
                "the vocabulary has {} entries, and there is no {TOKENIZER_FILE} beside it",
                config.text_cfg.vocab_size
            ),
        }),
    }
}

/// The tokenizer of a directory with a `SiglipModel`, and where it came from: SigLIP's own class
/// reads the first file, SigLIP 2's the second.
fn siglip_tokenizer(dir: &Path, origin: &str) -> Result<(Tokenizer, String)> {
    let beside = optional(&dir.join("tokenizer_config.json"), MAX_CONFIG_BYTES)?;
    let beside = beside.as_ref().map(|(_, bytes)| bytes.as_slice());
    type Read = fn(&[u8], Option<&[u8]>) -> Result<SiglipTokenizer, TextError>;
    let files: [(&str, Read); 2] = [
        (SENTENCEPIECE_FILE, SiglipTokenizer::from_sentencepiece),
        (TOKENIZER_FILE, SiglipTokenizer::from_json),
    ];
    for (name, read) in files {
        if let Some((path, bytes)) = optional(&dir.join(name), MAX_TOKENIZER_BYTES)? {
            let tokenizer = read(&bytes, beside).map_err(|e| Error::tokenizer(&path, e))?;
            return Ok((Tokenizer::Siglip(tokenizer), path.display().to_string()));
        }
    }
    Err(Error::Tokenizer {
        origin: origin.into(),
        reason: format!("there is no {SENTENCEPIECE_FILE} and no {TOKENIZER_FILE} beside it"),
    })
}

fn from_file(path: &Path, bytes: &[u8]) -> Result<Tokenizer> {
    let tokenizer = ClipTokenizer::from_json(bytes).map_err(|e| Error::tokenizer(path, e))?;
    Ok(tokenizer.into())
}
