//! A model as one file of named tensors, for tasks that have no format of their own.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{self, Tensor};
use diptych::layers::{ParameterPath, named_parameters};
use diptych::weights::{Dtype, Tensors, write_tensors};

use crate::{Error, Result};

/// The file's name.
pub const MODEL_FILE: &str = "model.safetensors";

/// Writes all floating-point parameters of `model` into `dir`, by their paths in the module tree,
/// in f32.
///
/// # Errors
/// [`Error::Model`] if the file can't be written, or a number is not finite.
pub fn write_model<M: Module>(dir: &Path, model: &M) -> Result<()> {
    let tensors = named_parameters(model);
    let path = dir.join(MODEL_FILE);
    Ok(write_tensors(&path, &tensors, Dtype::F32, HashMap::new())?)
}

/// Reads what [`write_model`] wrote into `dir` into `model`, one of the same modules.
///
/// # Errors
/// [`Error::Model`] if a parameter is missing, [`Error::OtherRun`] if it has another shape.
pub fn read_model<M: Module>(dir: &Path, model: M) -> Result<M> {
    let mut filler = Filler {
        file: Tensors::open(dir.join(MODEL_FILE))?,
        path: ParameterPath::default(),
        failed: None,
    };
    let model = model.map(&mut filler);
    match filler.failed {
        Some(FillError::Model(error)) => Err(error.into()),
        Some(FillError::Shape(reason)) => Err(Error::OtherRun {
            checkpoint: dir.to_owned(),
            reason,
        }),
        None => Ok(model),
    }
}

struct Filler {
    file: Tensors,
    path: ParameterPath,
    /// The first failure.
    failed: Option<FillError>,
}

enum FillError {
    Model(diptych::Error),
    Shape(String),
}

impl Filler {
    fn values(&self, want: &[usize]) -> Result<Vec<f32>, FillError> {
        let name = self.path.name();
        let data = self.file.read(&name).map_err(FillError::Model)?;
        if data.shape() == want {
            return Ok(data.into_values());
        }
        let got = data.shape();
        Err(FillError::Shape(format!(
            "`{name}` is {got:?}, wanted {want:?}"
        )))
    }
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.failed.is_some() {
            return param;
        }
        match self.values(param.val().shape().as_slice()) {
            Ok(values) => param.map(|old| {
                let data = tensor::TensorData::new(values, old.shape());
                let new = Tensor::from_data(data, &old.device());
                if old.is_require_grad() {
                    new.require_grad()
                } else {
                    new
                }
            }),
            Err(failed) => {
                self.failed = Some(failed);
                param
            }
        }
    }
}
