//! A checkpoint in one layout → the same in another, a tensor at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::layout::{Part, to_hf};
use super::write::{Entry, fill_description, fill_tokenizer, writable, write_entries, write_json};
use super::{
    Checkpoint, Dtype, HF_CONFIG_FILE, HF_WEIGHTS_FILE, WEIGHTS_FILE, hf, replace_checkpoint,
};
use crate::image::Order;
use crate::model::{Source, parameters};
use crate::{Error, Result};

/// Whose directory a checkpoint is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayoutKind {
    /// Python's open_clip opens it as `local-dir:`.
    #[default]
    OpenClip,
    /// transformers opens it as a `CLIPModel`.
    Hf,
}

/// Writes `checkpoint` as the directory `place`; an older checkpoint there is replaced once the new
/// one is whole. Without a `dtype` each tensor keeps its own format, if that is f16 or bf16, and is
/// f32 otherwise. [`Dtype::Int8`] is opened by this crate, and not by Python's open_clip.
///
/// open_clip has no word for pictures that become RGB before they are resized, as transformers'
/// processor does it. Palettes and alpha come out a little different there.
///
/// # Errors
/// [`Error::Layout`] if the layout has no place for the architecture or the format; else those of
/// [`write_checkpoint`](super::write_checkpoint).
pub fn convert(
    checkpoint: &mut Checkpoint,
    place: &Path,
    layout: LayoutKind,
    dtype: Option<Dtype>,
) -> Result<()> {
    let mut description = checkpoint.description().clone();
    let tokenizer = writable(place, &description)?.clone();
    let refuse = |reason: String| Error::Layout {
        path: place.to_owned(),
        reason,
    };
    if (layout, dtype) == (LayoutKind::Hf, Some(Dtype::Int8)) {
        let reason = "transformers has no such int8; wanted f32, f16 or bf16";
        return Err(refuse(reason.into()));
    }
    let mut hf_config = match layout {
        LayoutKind::OpenClip => None,
        LayoutKind::Hf => Some(hf::config(&description.config, &tokenizer).map_err(refuse)?),
    };
    let mut parts: HashMap<String, (String, Part, Vec<usize>)> = HashMap::new();
    for p in parameters(&description.config) {
        let theirs = match layout {
            LayoutKind::OpenClip => vec![(p.name.clone(), Part::Whole)],
            LayoutKind::Hf => to_hf(&p.name),
        };
        if theirs.is_empty() {
            let reason = format!("transformers' `CLIPModel` has no place for `{}`", p.name);
            return Err(refuse(reason));
        }
        let theirs = theirs.into_iter();
        parts.extend(
            theirs.map(|(theirs, part)| (theirs, (p.name.clone(), part, part.shape(&p.shape)))),
        );
    }
    let entries = parts.iter().map(|(name, (ours, _, shape))| Entry {
        name: name.clone(),
        shape: shape.clone(),
        dtype: dtype.unwrap_or_else(|| checkpoint.dtype(ours)),
    });
    let entries: Vec<Entry> = entries.collect();
    if let Some(config) = &mut hf_config {
        // Without it transformers would compute in the format of whichever tensor comes first.
        config["torch_dtype"] = widest(&entries).into();
    }
    replace_checkpoint(place, |dir| {
        let weights = match &hf_config {
            None => {
                description.preprocess.order = Order::Native;
                fill_description(dir, &description)?;
                WEIGHTS_FILE
            }
            Some(config) => {
                fill_tokenizer(dir, &description)?;
                write_json(&dir.join(HF_CONFIG_FILE), config)?;
                let processor = hf::processor(&description.preprocess)?;
                write_json(&dir.join("preprocessor_config.json"), &processor)?;
                HF_WEIGHTS_FILE
            }
        };
        // transformers asks for the framework that wrote a file.
        let texts = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        write_entries(&dir.join(weights), entries, texts, &mut |name| {
            let (ours, part, _) = &parts[name];
            Ok(Cow::Owned(part.of(checkpoint.read(ours)?)))
        })
    })
}

/// PyTorch's name of the format that holds all tensors as they are.
fn widest(entries: &[Entry]) -> &'static str {
    let all = |dtype| entries.iter().all(|entry| entry.dtype == dtype);
    match (all(Dtype::F16), all(Dtype::Bf16)) {
        (true, _) => "float16",
        (_, true) => "bfloat16",
        _ => "float32",
    }
}
