//! Writing checkpoints, so that a reader sees a whole one or none.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::TensorData;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

use super::config::{ConfigFile, PreprocessFile};
use super::{CONFIG_FILE, Description, Precision, TOKENIZER_FILE, WEIGHTS_FILE};
use crate::image::Order;
use crate::text::{SpecialTokens, VOCAB_SIZE};
use crate::{Error, Result};

/// How the names of unfinished files and directories begin.
pub(crate) const TEMPORARY: &str = ".diptych-";

/// Writes a checkpoint as the directory `place`, which Python's open_clip opens as
/// `local-dir:PLACE`; an older checkpoint there is replaced once the new one is whole.
///
/// # Errors
/// [`Error::Io`] naming what can't be written; [`Error::Config`] if `place` holds something else, or
/// the description can't be put into open_clip's words; [`Error::Tensors`] for a number that
/// `precision` can't hold.
pub fn write_checkpoint(
    place: &Path,
    description: &Description,
    tensors: &[(String, TensorData)],
    precision: Precision,
) -> Result<()> {
    replace_directory(place, |dir| {
        fill_checkpoint(dir, description, tensors, precision)
    })
}

/// Makes the directory `place` out of what `fill` writes; whoever opens it finds all of that or what
/// was there before.
pub(crate) fn replace_directory(
    place: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::Config {
            origin: place.display().to_string(),
            reason: format!("there is {what} here that is not a checkpoint; it stays as it is"),
        })
    };
    if place.exists() && !place.is_dir() {
        return refuse("a file");
    }
    let occupied = place.is_dir() && !place.join(CONFIG_FILE).exists();
    if occupied && fs_err::read_dir(place).map_err(Error::Io)?.next().is_some() {
        return refuse("a directory");
    }
    let parent = place
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent).map_err(Error::Io)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // Temporary directories are private; what we write is as readable as any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let new_directory = || builder.tempdir_in(parent).map_err(|e| Error::io(parent, e));
    let new = new_directory()?;
    fill(new.path())?;
    if exchange(new.path(), place) {
        return Ok(()); // what was there goes with `new`
    }
    // Where the system can't exchange two directories, there is a moment without either.
    let old; // kept until the end
    if place.exists() {
        old = new_directory()?;
        fs_err::rename(place, old.path().join("old")).map_err(Error::Io)?;
    }
    fs_err::rename(new.keep(), place).map_err(Error::Io)
}

/// Exchanges two directories at one stroke; false, if the second is not there or the system can't.
fn exchange(new: &Path, place: &Path) -> bool {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE).is_ok()
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (new, place);
        false
    }
}

/// Writes a checkpoint's files into `dir`.
pub(crate) fn fill_checkpoint(
    dir: &Path,
    description: &Description,
    tensors: &[(String, TensorData)],
    precision: Precision,
) -> Result<()> {
    let mut config = description.config.clone();
    if description.preprocess.order != Order::Native {
        return Err(Error::Config {
            origin: dir.display().to_string(),
            reason: "open_clip's `preprocess_cfg` can't say that pictures become RGB first".into(),
        });
    }
    let tokenizer = &description.tokenizer;
    let standard = tokenizer.vocab_size() == VOCAB_SIZE
        && tokenizer.special_tokens() == SpecialTokens::OpenClip;
    if !standard || config.text_cfg.hf_tokenizer_name.is_some() {
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
        if let Some(value) = values.iter().find(|&&v| !precision.holds(v)) {
            return Err(Error::Tensors {
                path: path.to_owned(),
                reason: format!("`{name}` has a {value}, which {precision:?} can't hold"),
            });
        }
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
        builder.prefix(TEMPORARY);
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
