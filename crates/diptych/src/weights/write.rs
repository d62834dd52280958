//! Writing checkpoints, so that a reader sees a whole one or none.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::TensorData;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use super::config::{ConfigFile, PreprocessFile};
use super::{CONFIG_FILE, Precision, TOKENIZER_FILE, WEIGHTS_FILE};
use crate::image::Preprocess;
use crate::model::ClipConfig;
use crate::text::{Tokenizer, VOCAB_SIZE};
use crate::{Error, Result};

/// Everything of a checkpoint but its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// The architecture.
    pub config: ClipConfig,
    /// How pictures are prepared.
    pub preprocess: Preprocess,
    /// How texts become tokens.
    pub tokenizer: Tokenizer,
}

/// Writes a checkpoint into the new or empty directory `dir`, which Python's open_clip opens as
/// `local-dir:DIR`.
///
/// # Errors
/// [`Error::Io`] naming the file that can't be written.
pub fn write_checkpoint(
    dir: &Path,
    description: &Description,
    tensors: &[(String, TensorData)],
    precision: Precision,
) -> Result<()> {
    fs_err::create_dir_all(dir).map_err(Error::Io)?;
    let mut config = description.config.clone();
    if description.tokenizer.vocab_size() != VOCAB_SIZE {
        let tokenizer = &description.tokenizer;
        let context_length = config.text_cfg.context_length;
        write_json(&dir.join(TOKENIZER_FILE), &tokenizer.to_json())?;
        write_json(
            &dir.join("tokenizer_config.json"),
            &tokenizer.tokenizer_config(context_length),
        )?;
        write_json(
            &dir.join("special_tokens_map.json"),
            &tokenizer.special_tokens_map(),
        )?;
        // open_clip reads the tokenizer of a `local-dir:` from the directory whatever the name is.
        config
            .text_cfg
            .hf_tokenizer_name
            .get_or_insert_with(|| TOKENIZER_FILE.into());
        // Lower-cased by Python, which knows a final sigma; tokenizers does not.
        config
            .text_cfg
            .tokenizer_kwargs
            .get_or_insert_with(|| json!({"clean": "lower"}));
    }
    let file = ConfigFile {
        model_cfg: config,
        preprocess_cfg: PreprocessFile::from(&description.preprocess),
    };
    write_json(&dir.join(CONFIG_FILE), &file)?;
    write_tensors(&dir.join(WEIGHTS_FILE), tensors, precision, HashMap::new())
}

fn write_json(path: &Path, json: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(json).map_err(Error::json)?;
    text.push(b'\n');
    write_atomically(path, &text)
}

/// Writes named tensors, and text entries beside them, as a safetensors file.
///
/// # Errors
/// [`Error::Io`] naming the file that can't be written.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, TensorData)],
    precision: Precision,
    texts: HashMap<String, String>,
) -> Result<()> {
    let mut stored: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, data) in tensors {
        let values = data.as_slice::<f32>().map_err(|e| Error::Config {
            origin: name.clone(),
            reason: format!("not f32: {e:?}"),
        })?;
        stored.push((
            name.clone(),
            precision.dtype(),
            data.shape().to_vec(),
            precision.encode(values),
        ));
    }
    let views = stored
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(*dtype, shape.clone(), bytes)?,
            ))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let broken = |e: safetensors::SafeTensorError| Error::Tensors {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let texts = (!texts.is_empty()).then_some(texts);
    let bytes = safetensors::serialize(views.map_err(broken)?, texts).map_err(broken)?;
    write_atomically(path, &bytes)
}

/// Writes a file so that whoever opens `path` finds the old contents or the new, never a part.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let dir = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".diptych-");
        // Temporary files are private; what we write is as readable as any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|e| Error::io(path, e))
}
