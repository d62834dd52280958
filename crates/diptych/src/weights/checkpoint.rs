//! Opening a checkpoint: read the configuration, check every tensor, then hand them out.

use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::config::ConfigFile;
use super::{
    CONFIG_FILE, DEFAULT_MODEL, Description, TOKENIZER_FILE, TensorFile, WEIGHTS_FILE,
    architectures, default, preprocess_from_json,
};
use crate::image::Preprocess;
use crate::model::{ClipConfig, Source, parameters};
use crate::text::{SpecialTokens, Tokenizer, VOCAB_SIZE};
use crate::{Error, Result};

/// A checkpoint whose every tensor has been checked.
pub struct Checkpoint {
    /// The architecture.
    pub config: ClipConfig,
    /// How its pictures are prepared.
    pub preprocess: Preprocess,
    /// How its texts become tokens.
    pub tokenizer: Tokenizer,
    tensors: TensorFile,
}

impl Checkpoint {
    /// Opens the checkpoint in the directory `dir`.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that can't be read, [`Error::Config`] and [`Error::Text`] for a
    /// configuration or tokenizer that can't be followed, [`Error::Tensors`] for a file that is not
    /// whole, [`Error::Mismatch`] naming every tensor that is missing, unexpected, misshapen or not
    /// finite.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let config = dir.join(CONFIG_FILE);
        let tokenizer = dir.join(TOKENIZER_FILE);
        let tokenizer = match tokenizer.exists() {
            true => Some(fs_err::read(&tokenizer).map_err(Error::Io)?),
            false => None,
        };
        Self::new(
            &config,
            &fs_err::read(&config).map_err(Error::Io)?,
            tokenizer.map(|bytes| (dir.join(TOKENIZER_FILE), bytes)),
            TensorFile::open(dir.join(WEIGHTS_FILE))?,
        )
    }

    /// Opens the model called `name`: [`DEFAULT_MODEL`], or a checkpoint directory.
    ///
    /// # Errors
    /// [`Error::Model`] if there is none; else as [`Checkpoint::open`].
    pub fn named(name: &str) -> Result<Self> {
        if Path::new(name).is_dir() {
            return Self::open(name);
        }
        if name == DEFAULT_MODEL {
            return default::open();
        }
        let known: Vec<&str> = architectures().collect();
        let reason = match known.contains(&name) {
            true => "is an architecture, and this needs weights".to_owned(),
            false => format!(
                "is neither `{DEFAULT_MODEL}`, nor a checkpoint directory, nor one of the architectures {}",
                known.join(", ")
            ),
        };
        Err(Error::Model {
            name: name.into(),
            reason,
        })
    }

    /// Everything but the tensors.
    pub fn description(&self) -> Description {
        Description {
            config: self.config.clone(),
            preprocess: self.preprocess.clone(),
            tokenizer: self.tokenizer,
        }
    }

    /// Opens a checkpoint from the contents of its files, as the embedded default model's are.
    pub(crate) fn new(
        config_path: &Path,
        config: &[u8],
        tokenizer: Option<(PathBuf, Vec<u8>)>,
        tensors: TensorFile,
    ) -> Result<Self> {
        let origin = config_path.display().to_string();
        let file: ConfigFile = serde_json::from_slice(config).map_err(|e| Error::Config {
            origin: origin.clone(),
            reason: e.to_string(),
        })?;
        let config = ClipConfig::from_json(&origin, file.model_cfg)?;
        let preprocess = preprocess_from_json(&origin, file.preprocess_cfg, &config)?;
        let tokenizer = open_tokenizer(&origin, &config, tokenizer)?;
        check(&config, &tensors)?;
        Ok(Self {
            config,
            preprocess,
            tokenizer,
            tensors,
        })
    }
}

impl Source for Checkpoint {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        self.tensors.read(name)
    }
}

/// The tokenizer of a checkpoint: its own file, or CLIP's standard one.
fn open_tokenizer(
    origin: &str,
    config: &ClipConfig,
    file: Option<(PathBuf, Vec<u8>)>,
) -> Result<Tokenizer> {
    let wanted = config.text_cfg.vocab_size;
    let refuse = |reason: String| Error::Config {
        origin: origin.into(),
        reason,
    };
    let (tokenizer, name) = match file {
        Some((path, bytes)) => {
            let tokenizer = Tokenizer::from_json(&bytes).map_err(|source| Error::Tokenizer {
                path: path.clone(),
                source,
            })?;
            (tokenizer, path.display().to_string())
        }
        None if wanted == VOCAB_SIZE => (Tokenizer::clip(SpecialTokens::OpenClip), String::new()),
        None => {
            return Err(refuse(format!(
                "the vocabulary has {wanted} entries, CLIP's has {VOCAB_SIZE}, and there is no {TOKENIZER_FILE}"
            )));
        }
    };
    if tokenizer.vocab_size() != wanted {
        return Err(refuse(format!(
            "`text_cfg.vocab_size` is {wanted}, but {name} has {} entries",
            tokenizer.vocab_size()
        )));
    }
    Ok(tokenizer)
}

/// Checks names and shapes against the architecture's table, then every number.
fn check(config: &ClipConfig, tensors: &TensorFile) -> Result<()> {
    let mut found = tensors.shapes();
    let mut problems = Vec::new();
    for parameter in parameters(config) {
        match found.remove(&parameter.name) {
            None => problems.push(format!("`{}` is missing", parameter.name)),
            Some(shape) if !same_shape(&shape, &parameter.shape) => problems.push(format!(
                "`{}` is {shape:?}, wanted {:?}",
                parameter.name, parameter.shape
            )),
            Some(_) => {
                let data = tensors.read(&parameter.name)?;
                let values = data.as_slice::<f32>().unwrap_or_default();
                if let Some(i) = values.iter().position(|v| !v.is_finite()) {
                    problems.push(format!("`{}` is {} at {i}", parameter.name, values[i]));
                }
            }
        }
    }
    // PyTorch counts batches in every batch norm; nothing depends on it.
    found.retain(|name, _| !name.ends_with(".num_batches_tracked"));
    problems.extend(found.keys().map(|name| format!("`{name}` is unexpected")));
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Mismatch {
            path: tensors.path().to_owned(),
            problems,
        }),
    }
}

/// Whether two shapes agree; a scalar may be stored as `[]` or `[1]`.
fn same_shape(a: &[usize], b: &[usize]) -> bool {
    a == b || (a.iter().all(|&n| n == 1) && b.is_empty() && a.len() <= 1)
}
