//! Writing checkpoints, so that a reader sees a whole one or none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use super::TensorData;
use diptych_files::{occupied, replace, replace_directory, replace_with};
use serde_json::{Map, json};

use super::config::{ConfigFile, PreprocessFile};
use super::dtype::scale_name;
use super::{
    CONFIG_FILE, Description, Dtype, HF_CONFIG_FILE, HF_WEIGHTS_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};
use crate::image::Order;
use crate::model::ImagePool;
use crate::text::{ClipTokenizer, SpecialTokens};
use crate::{Error, Result};

/// Writes a checkpoint as the directory `place`, which Python's open_clip opens as
/// `local-dir:PLACE`; an older checkpoint there is replaced once the new one is whole.
///
/// # Errors
/// [`Error::Io`] naming what can't be written; [`Error::Occupied`] if `place` holds something else,
/// [`Error::Layout`] if the description can't be put into open_clip's words; [`Error::Tensors`] for
/// a number that `dtype` can't hold.
pub fn write_checkpoint(
    place: &Path,
    description: &Description,
    tensors: &[(String, TensorData)],
    dtype: Dtype,
) -> Result<()> {
    replace_checkpoint(place, |dir| {
        fill_checkpoint(dir, description, tensors, dtype)
    })
}

/// Makes the checkpoint `place` out of what `fill` writes; whoever opens it finds all of that or
/// what was there before.
///
/// # Errors
/// [`Error::Occupied`] if something else lies there; those of the disk and of `fill`.
pub fn replace_checkpoint(place: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let is_checkpoint = |place: &Path| {
        let has = |name: &str| place.join(name).exists();
        // `config.json` alone could be anybody's.
        has(CONFIG_FILE) || has(HF_CONFIG_FILE) && has(HF_WEIGHTS_FILE)
    };
    if let Some(what) = occupied(place, is_checkpoint)? {
        return Err(Error::Occupied {
            path: place.to_owned(),
            reason: format!("there is {what} here that is not a checkpoint; it stays as it is"),
        });
    }
    replace_directory(place, fill)
}

/// Writes a checkpoint's files into the directory `dir`, beside others.
///
/// # Errors
/// As [`write_checkpoint`].
pub fn fill_checkpoint(
    dir: &Path,
    description: &Description,
    tensors: &[(String, TensorData)],
    dtype: Dtype,
) -> Result<()> {
    fill_description(dir, description)?;
    write_tensors(&dir.join(WEIGHTS_FILE), tensors, dtype, HashMap::new())
}

/// Writes all of a checkpoint's files but its tensors into `dir`.
pub(super) fn fill_description(dir: &Path, description: &Description) -> Result<()> {
    let mut config = description.config.clone();
    let tokenizer = fits_open_clip(dir, description)?;
    let is_standard = *tokenizer == ClipTokenizer::new(SpecialTokens::OpenClip);
    if !is_standard || config.text_cfg.hf_tokenizer_name.is_some() {
        fill_tokenizer(dir, description)?;
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
    write_json(&dir.join(CONFIG_FILE), &file)
}

/// The tokenizer of a model that can be written; of all others, why not, before any work is done
/// for them.
///
/// # Errors
/// [`Error::Layout`] naming `place`, for SigLIP's: open_clip has its image tower from timm, by
/// other names.
pub(super) fn writable<'a>(
    place: &Path,
    description: &'a Description,
) -> Result<&'a ClipTokenizer> {
    let is_siglip = description.config.vision_cfg.pool_type == ImagePool::Map;
    let tokenizer = description.tokenizer.as_clip().filter(|_| !is_siglip);
    tokenizer.ok_or_else(|| Error::Layout {
        path: place.to_owned(),
        reason: "SigLIP's models are opened, but not written".into(),
    })
}

/// The tokenizer of a model that can be written as open_clip's files; of all others, why not,
/// before any work is done.
///
/// # Errors
/// [`Error::Layout`] naming `place`, for what open_clip's words can't say.
pub fn fits_open_clip<'a>(place: &Path, description: &'a Description) -> Result<&'a ClipTokenizer> {
    let tokenizer = writable(place, description)?;
    match description.preprocess.order {
        Order::Native => Ok(tokenizer),
        Order::RgbFirst => Err(Error::Layout {
            path: place.to_owned(),
            reason: "open_clip's `preprocess_cfg` can't say that pictures become RGB first".into(),
        }),
    }
}

/// Writes the tokenizer's three files into `dir`.
pub(super) fn fill_tokenizer(dir: &Path, description: &Description) -> Result<()> {
    let tokenizer = writable(dir, description)?;
    let context_length = description.config.text_cfg.context_length;
    write_json(&dir.join(TOKENIZER_FILE), &tokenizer.to_json())?;
    write_json(
        &dir.join("tokenizer_config.json"),
        &tokenizer.tokenizer_config(context_length),
    )?;
    write_json(
        &dir.join("special_tokens_map.json"),
        &tokenizer.special_tokens_map(),
    )
}

pub(super) fn write_json(path: &Path, json: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(json).map_err(Error::json)?;
    text.push(b'\n');
    Ok(replace(path, &text)?)
}

/// Writes named tensors, and text entries beside them, as a safetensors file.
///
/// # Errors
/// [`Error::Io`] naming the file that can't be written; [`Error::Tensors`] for a number that
/// `dtype` can't hold, or two tensors of one name: the scales of an int8 `X` are called `X_scale`.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, TensorData)],
    dtype: Dtype,
    texts: HashMap<String, String>,
) -> Result<()> {
    let entries = tensors.iter().map(|(name, data)| Entry {
        name: name.clone(),
        shape: data.shape().to_vec(),
        dtype,
    });
    let by_name: HashMap<&str, &TensorData> = tensors
        .iter()
        .map(|(name, data)| (name.as_str(), data))
        .collect();
    write_entries(path, entries.collect(), texts, &mut |name| {
        Ok(Cow::Borrowed(by_name[name]))
    })
}

/// A tensor that is to be written.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
}

/// [`write_tensors`], each tensor read when its turn comes, so that one at a time is in memory.
///
/// The format: eight bytes of length, a header of JSON, then the numbers
/// (<https://github.com/huggingface/safetensors#format>).
///
/// # Errors
/// As there; and those of `read`.
pub(super) fn write_entries<'a>(
    path: &Path,
    mut entries: Vec<Entry>,
    texts: HashMap<String, String>,
    read: &mut dyn FnMut(&str) -> Result<Cow<'a, TensorData>>,
) -> Result<()> {
    let refuse = |reason: String| Error::Tensors {
        path: path.to_owned(),
        reason,
    };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in &mut entries {
        entry.dtype = entry.dtype.of_shape(&entry.shape);
    }
    let mut header = Map::new();
    if !texts.is_empty() {
        header.insert("__metadata__".into(), json!(texts));
    }
    let mut end = 0;
    let mut add = |name: String, shape: &[usize], dtype: Dtype| {
        if header.contains_key(&name) {
            return Err(refuse(format!("there are two tensors `{name}`")));
        }
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bytes();
        let info = json!({
            "dtype": dtype.name_in_header(),
            "shape": shape,
            "data_offsets": [start, end],
        });
        header.insert(name, info);
        Ok(())
    };
    for Entry { name, shape, dtype } in &entries {
        add(name.clone(), shape, *dtype)?;
        if let (Dtype::Int8, [rows, ..]) = (dtype, &shape[..]) {
            add(scale_name(name), &[*rows], Dtype::F32)?;
        }
    }
    let mut header = serde_json::to_vec(&header).map_err(Error::json)?;
    // The numbers begin at a multiple of eight.
    header.resize(header.len().next_multiple_of(8), b' ');
    replace_with(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for Entry { name, shape, dtype } in &entries {
            let data = read(name)?;
            let values = data.values();
            if values.len() != shape.iter().product::<usize>() {
                return Err(refuse(format!("`{name}` is not {shape:?} in f32")));
            }
            if let Some(value) = values.iter().find(|&&v| !dtype.holds(v)) {
                return Err(refuse(format!(
                    "`{name}` has a {value}, which {dtype:?} can't hold"
                )));
            }
            let rows = shape.first().copied().unwrap_or(1);
            file.write_all(&dtype.encode(values, rows))?;
        }
        Ok(())
    })
}
