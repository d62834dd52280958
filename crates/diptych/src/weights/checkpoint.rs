//! Opening a checkpoint: read the configuration, check every tensor, then hand them out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::describe::{architecture, architectures};
use super::layout::Layout;
use super::storage::Storage;
use super::{CONFIG_FILE, DEFAULT_MODEL, Description, HF_CONFIG_FILE, default, shapes};
use crate::model::{ClipConfig, Source, parameters};
use crate::{Error, Result};

/// A checkpoint whose every tensor has been checked.
pub struct Checkpoint {
    description: Description,
    storage: Storage,
    layout: Layout,
}

/// Files of weights, the first of which that a directory has is opened: open_clip's order, then
/// transformers'.
///
/// Source: `_find_checkpoint_in_dir` in open_clip's `factory.py`, 3.3.0.
const WEIGHTS_FILES: &[&str] = &[
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

/// What a checkpoint is, told without reading its numbers.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Everything of it but its tensors.
    pub description: Description,
    /// Its file of weights; the first, if there are several.
    pub weights: PathBuf,
    /// What wrote that: safetensors or PyTorch.
    pub container: &'static str,
    /// The formats of its numbers: f32, f16, bf16.
    pub dtypes: Vec<&'static str>,
}

impl Checkpoint {
    /// What the checkpoint called `name` is: its configuration, its tokenizer, and what the headers of its
    /// weights say.
    ///
    /// # Errors
    /// As [`Checkpoint::named`], but that no tensor is checked.
    pub fn summary(name: impl AsRef<Path>) -> Result<Summary> {
        let path = name.as_ref();
        let (description, storage) = match path.exists() && path != Path::new(DEFAULT_MODEL) {
            true => read(path)?,
            false => {
                let checkpoint = Self::named(path)?;
                (checkpoint.description, checkpoint.storage)
            }
        };
        Ok(Summary {
            description,
            weights: storage.path().to_owned(),
            container: storage.container(),
            dtypes: storage.dtypes().into_iter().collect(),
        })
    }

    /// Opens the checkpoint in a directory or in a file.
    ///
    /// A directory is open_clip's or transformers', by its configuration. So is a file that has one of
    /// theirs beside it; the architecture of any other is told by its tensors' shapes, as OpenAI's code
    /// does.
    ///
    /// # Errors
    /// Those of [`Description::open`]; [`Error::Tensors`] for a file that is not whole;
    /// [`Error::Mismatch`] naming every tensor that is missing, unexpected, misshapen or not finite.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let (description, storage) = read(path.as_ref())?;
        Self::new(description, storage)
    }

    /// Opens the model called `name`: [`DEFAULT_MODEL`], or a checkpoint's directory or file.
    ///
    /// # Errors
    /// [`Error::Model`] if there is none; else as [`Checkpoint::open`].
    pub fn named(name: impl AsRef<Path>) -> Result<Self> {
        let path = name.as_ref();
        if path == Path::new(DEFAULT_MODEL) {
            return default::open();
        }
        if path.exists() {
            return Self::open(path);
        }
        let name = path.display().to_string();
        let reason = match architecture(&name) {
            Some(_) => "is an architecture, and this needs weights".to_owned(),
            None => format!(
                "is neither `{DEFAULT_MODEL}`, nor a checkpoint's directory or file, nor one of the architectures {}",
                architectures().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(Error::Model { name, reason })
    }

    /// A checkpoint of these tensors, once they are checked.
    pub(super) fn new(description: Description, storage: Storage) -> Result<Self> {
        let stored = storage.shapes();
        let layout = Layout::of(stored.keys());
        check(
            &description.config,
            layout.shapes(&stored),
            &layout,
            &storage,
        )?;
        Ok(Self {
            description,
            storage,
            layout,
        })
    }

    /// Everything but the tensors.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl Source for Checkpoint {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        self.layout.read(&self.storage, name)
    }
}

/// What the checkpoint at `path` is, and its file of weights.
fn read(path: &Path) -> Result<(Description, Storage)> {
    if path.is_dir() {
        let description = Description::open(path)?;
        return Ok((description, Storage::open(&weights_file(path)?)?));
    }
    let storage = Storage::open(path)?;
    Ok((describe_file(path, &storage)?, storage))
}

/// The file of weights in a checkpoint directory.
fn weights_file(dir: &Path) -> Result<PathBuf> {
    let paths = WEIGHTS_FILES.iter().map(|name| dir.join(name));
    let found = paths.into_iter().find(|path| path.exists());
    found.ok_or_else(|| Error::Model {
        name: dir.display().to_string(),
        reason: format!("has no weights; wanted one of {}", WEIGHTS_FILES.join(", ")),
    })
}

/// What the checkpoint in one file is.
pub(super) fn describe_file(path: &Path, storage: &Storage) -> Result<Description> {
    let dir = path.parent().unwrap_or(Path::new(""));
    if [CONFIG_FILE, HF_CONFIG_FILE]
        .iter()
        .any(|name| dir.join(name).exists())
    {
        return Description::open(dir);
    }
    let stored = storage.shapes();
    let origin = path.display().to_string();
    let config = shapes::architecture(&origin, &Layout::of(stored.keys()).shapes(&stored))?;
    Description::openai(&origin, config)
}

/// Checks names and shapes against the architecture's table, then every number.
fn check(
    config: &ClipConfig,
    mut found: BTreeMap<String, Vec<usize>>,
    layout: &Layout,
    storage: &Storage,
) -> Result<()> {
    let mut problems = Vec::new();
    for parameter in parameters(config) {
        match found.remove(&parameter.name) {
            None => problems.push(format!("`{}` is missing", parameter.name)),
            Some(shape) if !same_shape(&shape, &parameter.shape) => problems.push(format!(
                "`{}` is {shape:?}, wanted {:?}",
                parameter.name, parameter.shape
            )),
            Some(_) => match layout.read(storage, &parameter.name) {
                Ok(data) => {
                    let values = data.as_slice::<f32>().unwrap_or_default();
                    problems.extend(check_values(&parameter.name, values));
                }
                Err(Error::Tensors { reason, .. }) => problems.push(reason),
                Err(other) => return Err(other),
            },
        }
    }
    problems.extend(found.keys().map(|name| format!("`{name}` is unexpected")));
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Mismatch {
            path: storage.path().to_owned(),
            problems,
        }),
    }
}

/// What is wrong with a tensor's numbers, if anything is.
fn check_values(name: &str, values: &[f32]) -> Option<String> {
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
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

/// Whether two shapes agree; a scalar may be stored as `[]` or `[1]`.
fn same_shape(a: &[usize], b: &[usize]) -> bool {
    a == b || (a.iter().all(|&n| n == 1) && b.is_empty() && a.len() <= 1)
}
