//! Opening a checkpoint: read the configuration, check every tensor, then hand them out.

use std::path::Path;

use burn::tensor::TensorData;

use super::describe::{architecture, architectures};
use super::{DEFAULT_MODEL, Description, TensorFile, WEIGHTS_FILE, default};
use crate::model::{ClipConfig, Source, parameters};
use crate::{Error, Result};

/// A checkpoint whose every tensor has been checked.
pub struct Checkpoint {
    description: Description,
    tensors: TensorFile,
}

impl Checkpoint {
    /// Opens the checkpoint in the directory `dir`.
    ///
    /// # Errors
    /// Those of [`Description::open`]; [`Error::Tensors`] for a file that is not whole;
    /// [`Error::Mismatch`] naming every tensor that is missing, unexpected, misshapen or not finite.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        Self::new(
            Description::open(dir)?,
            TensorFile::open(dir.join(WEIGHTS_FILE))?,
        )
    }

    /// Opens the model called `name`: [`DEFAULT_MODEL`], or a checkpoint directory.
    ///
    /// # Errors
    /// [`Error::Model`] if there is none; else as [`Checkpoint::open`].
    pub fn named(name: impl AsRef<Path>) -> Result<Self> {
        let path = name.as_ref();
        if path == Path::new(DEFAULT_MODEL) {
            return default::open();
        }
        if path.is_dir() {
            return Self::open(path);
        }
        let name = path.display().to_string();
        let reason = match architecture(&name) {
            Some(_) => "is an architecture, and this needs weights".to_owned(),
            None => format!(
                "is neither `{DEFAULT_MODEL}`, nor a checkpoint directory, nor one of the architectures {}",
                architectures().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(Error::Model { name, reason })
    }

    /// A checkpoint of these tensors, once they are checked.
    pub(super) fn new(description: Description, tensors: TensorFile) -> Result<Self> {
        check(&description.config, &tensors)?;
        Ok(Self {
            description,
            tensors,
        })
    }

    /// Everything but the tensors.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl Source for Checkpoint {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        self.tensors.read(name)
    }
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
            Some(_) => match tensors.read(&parameter.name) {
                Ok(data) => {
                    let values = data.as_slice::<f32>().unwrap_or_default();
                    problems.extend(check_values(&parameter.name, values));
                }
                Err(Error::Tensors { reason, .. }) => problems.push(reason),
                Err(other) => return Err(other),
            },
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
