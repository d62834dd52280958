//! Opening a checkpoint: read the configuration, check every tensor, then hand them out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::TensorData;
use rayon::prelude::*;
use serde::Serialize;

use super::describe::describe;
use super::fingerprint::Fingerprint;
use super::layout::Layout;
use super::published::{Parts, obtained};
use super::resolve::{Named, no_weights, resolve};
use super::wrappers::Names;
use super::{Description, Dtype, Tensors, default, has_config, shapes};
use crate::model::{Parameter, Source, parameters};
use crate::{Error, Result};

/// A checkpoint whose every tensor has been checked.
pub struct Checkpoint {
    description: Description,
    tensors: Tensors,
    layout: Layout,
    /// Tensors of a small checkpoint, kept from their check until they are asked for.
    held: BTreeMap<String, TensorData>,
    fingerprint: String,
}

/// Bytes in f32 that a checkpoint may have for its tensors to be read once. Those of larger ones
/// are read for the check and again for use, one at a time.
const HELD_BYTES: usize = 64 << 20;

/// Files of weights, the first of which that a directory has is opened: open_clip's order, then
/// transformers'.
///
/// Source: `_find_checkpoint_in_dir` in open_clip's `factory.py`, 3.3.0.
pub(super) const WEIGHTS_FILES: &[&str] = &[
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model.pth",
    "model.pth",
];

/// Facts about a model that are known without reading its numbers.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Everything of it but its tensors.
    pub description: Description,
    /// Its weights; an architecture has none.
    pub weights: Option<Weights>,
}

/// A file of weights.
#[derive(Clone, Debug, Serialize)]
pub struct Weights {
    /// The file; the first, if there are several.
    pub path: PathBuf,
    /// Its kind: safetensors, PyTorch, or pickle for a pickle by itself.
    pub container: &'static str,
    /// The formats of its floating-point numbers: f32, f16, bf16.
    pub dtypes: Vec<&'static str>,
}

impl Weights {
    fn new(tensors: &Tensors) -> Self {
        Self {
            path: tensors.path().to_owned(),
            container: tensors.container(),
            dtypes: tensors.float_formats(),
        }
    }
}

impl Checkpoint {
    /// Summarises the model called `name`: its configuration, its tokenizer, and the headers of its
    /// weights. `name` is a checkpoint's directory or file,
    /// [`DEFAULT_MODEL`](super::DEFAULT_MODEL), an architecture, or a published model's, which is
    /// downloaded as by `weights::fetch`.
    ///
    /// # Errors
    /// As [`Checkpoint::named`], but that no tensor is checked.
    pub fn summary(name: &str) -> Result<Summary> {
        let (description, tensors) = match resolve(Path::new(name))? {
            Named::Embedded => (default::description()?, Some(default::tensors()?)),
            Named::Checkpoint(path) => with_weights(read(&path)?),
            Named::Known {
                architecture: None,
                published,
            } => with_weights(read(&obtained(name, published.as_ref(), Parts::All)?)?),
            Named::ArchitectureFile(_) | Named::Known { .. } => (describe(name)?, None),
        };
        Ok(Summary {
            description,
            weights: tensors.as_ref().map(Weights::new),
        })
    }

    /// Opens the checkpoint in a directory or in a file.
    ///
    /// A directory is open_clip's or transformers', by its configuration. So is a file that has one
    /// of theirs beside it; the architecture of any other is told by its tensors' shapes, as
    /// OpenAI's code does.
    ///
    /// # Errors
    /// Those of [`Description::open`]; [`Error::Tensors`] for a file that is not whole;
    /// [`Error::Mismatch`] naming every tensor that is missing, unexpected, misshapen or not
    /// finite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (description, tensors) = read(path.as_ref())?;
        Self::new(description, tensors)
    }

    /// Opens the model called `name`: [`DEFAULT_MODEL`](super::DEFAULT_MODEL), a checkpoint's
    /// directory or file, or the name of a published model, which is downloaded if it is not on
    /// this machine: minutes, without a word. Call `weights::fetch` first to be told how far it
    /// is.
    ///
    /// # Errors
    /// [`Error::Model`] if there is none, [`Error::NoWeights`] for an architecture; [`Error::Hub`]
    /// for a published one that can't be had; else as [`Checkpoint::open`].
    pub fn named(name: impl AsRef<Path>) -> Result<Self> {
        let name = name.as_ref();
        let shown = || name.display().to_string();
        match resolve(name)? {
            Named::Embedded => default::open(),
            Named::Checkpoint(path) => Self::open(path),
            Named::ArchitectureFile(_) => Err(no_weights(shown(), None)),
            Named::Known {
                published: None,
                architecture,
            } => Err(no_weights(shown(), architecture)),
            Named::Known { published, .. } => {
                Self::open(obtained(&shown(), published.as_ref(), Parts::All)?)
            }
        }
    }

    /// The same model for pictures of another size, its positions resized as open_clip does.
    ///
    /// # Errors
    /// [`Error::Architecture`] for a size that it can't have; [`Error::Mismatch`] if its positions
    /// make no square.
    pub fn at_size(self, size: usize) -> Result<Self> {
        let mut description = self.description;
        description.config.vision_cfg.image_size = size;
        description.preprocess.size = size;
        let refuse = |reason| Error::Architecture {
            origin: description.origins.config.clone(),
            reason,
        };
        description.config.check().map_err(refuse)?;
        Self::new(description, self.tensors)
    }

    /// A checkpoint of these tensors, once they are checked.
    pub(super) fn new(mut description: Description, tensors: Tensors) -> Result<Self> {
        let table = parameters(&description.config);
        let refused = tensors.refused().map(|(name, _)| name);
        let names = Names::of(tensors.names().chain(refused));
        let (layout, mut problems) = Layout::of(&table, &names, &tensors);
        // At another size it has been noted before.
        let note = names
            .note()
            .filter(|note| !description.notes.contains(note));
        description.notes.extend(note);
        drop(names);
        let mut fingerprint = Fingerprint::new(&description)?;
        let mut held = BTreeMap::new();
        if problems.is_empty() {
            let bytes = |p: &Parameter| 4 * p.shape.iter().product::<usize>();
            let is_small = table.iter().map(bytes).sum::<usize>() <= HELD_BYTES;
            let read = |Parameter { name, .. }: &Parameter| {
                let data = layout.read(&tensors, name)?;
                Ok((check_values(name, data.values()), data))
            };
            let at_once = if is_small {
                table.iter().collect()
            } else {
                Vec::new()
            };
            let at_once: Vec<_> = at_once.into_par_iter().map(read).collect();
            let mut at_once = at_once.into_iter();
            for parameter in &table {
                match at_once.next().unwrap_or_else(|| read(parameter)) {
                    Ok((problem, data)) => {
                        problems.extend(problem);
                        fingerprint.add(&parameter.name, data.values());
                        if is_small {
                            held.insert(parameter.name.clone(), data);
                        }
                    }
                    Err(Error::Tensors { reason, .. }) => problems.push(reason),
                    Err(other) => return Err(other),
                }
            }
        }
        if !problems.is_empty() {
            let path = tensors.path().to_owned();
            return Err(Error::Mismatch { path, problems });
        }
        Ok(Self {
            description,
            tensors,
            layout,
            held,
            fingerprint: fingerprint.finish(),
        })
    }

    /// The model's fingerprint, in hexadecimal: a hash of its weights and of how its inputs are
    /// prepared. Other models have other ones.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The number format that holds the tensor `name` as it is stored; f64 is not written, so f32
    /// is the widest.
    pub(super) fn dtype(&self, name: &str) -> Dtype {
        self.layout.dtype(&self.tensors, name)
    }

    /// Everything but the tensors.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl Source for Checkpoint {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        match self.held.remove(name) {
            Some(data) => Ok(data),
            None => self.layout.read(&self.tensors, name),
        }
    }
}

fn with_weights<D, S>((description, storage): (D, S)) -> (D, Option<S>) {
    (description, Some(storage))
}

/// Reads the description of the checkpoint at `path`, and opens its file of weights.
fn read(path: &Path) -> Result<(Description, Tensors)> {
    if path.is_dir() {
        let description = Description::open(path)?;
        let tensors = Tensors::open(weights_file(path)?)?.state_dict()?;
        return Ok((description, tensors));
    }
    let tensors = Tensors::open(path)?.state_dict()?;
    Ok((describe_file(path, &tensors)?, tensors))
}

/// The file of weights in a checkpoint directory.
fn weights_file(dir: &Path) -> Result<PathBuf> {
    let paths = WEIGHTS_FILES.iter().map(|name| dir.join(name));
    let found = paths.into_iter().find(|path| path.exists());
    found.ok_or_else(|| Error::NoWeights {
        name: dir.display().to_string(),
        reason: format!("has no weights; wanted one of {}", WEIGHTS_FILES.join(", ")),
    })
}

/// Describes the checkpoint in one file: by the configuration beside it, if the file has a name
/// that goes with one; else by the shapes of its tensors.
pub(super) fn describe_file(path: &Path, tensors: &Tensors) -> Result<Description> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default();
    let is_theirs = WEIGHTS_FILES.iter().any(|known| name == *known);
    if has_config(dir) && is_theirs && !tensors.is_script() {
        return Description::open(dir);
    }
    let origin = path.display().to_string();
    let config = shapes::architecture(&origin, tensors)?;
    let mut description = Description::openai(&origin, config)?;
    if !tensors.is_script() {
        description.notes.push(format!(
            "{origin}: no configuration goes with it, so its activation is taken for QuickGELU, as in OpenAI's models, \
             and its pictures and texts are prepared as theirs. If it was trained with GELU, results are wrong: then \
             convert it to a directory, and set `quick_gelu` to false in the open_clip_config.json there"
        ));
    }
    Ok(description)
}

/// The problem with a tensor's numbers, if there is one.
fn check_values(name: &str, values: &[f32]) -> Option<String> {
    // Part by part, since a search for the first is slow.
    let is_whole = |part: &[f32]| part.iter().fold(true, |all, v| all & v.is_finite());
    if !values.chunks(1024).all(is_whole)
        && let Some(i) = values.iter().position(|v| !v.is_finite())
    {
        return Some(format!("`{name}` is {} at {i}", values[i]));
    }
    // exp(t) must be a number, and the root of a variance.
    if name == "logit_scale" && !values.iter().all(|t| t.exp().is_finite()) {
        return Some(format!(
            "`{name}` is {values:?}, and exp of it is not finite"
        ));
    }
    let negative = values.iter().position(|&v| v < 0.0);
    let place = negative.filter(|_| name.ends_with(".running_var"));
    place.map(|i| {
        format!(
            "`{name}` is {} at {i}, and a variance is not negative",
            values[i]
        )
    })
}
