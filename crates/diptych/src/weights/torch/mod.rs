//! PyTorch's files: a zip archive of a pickle and of the numbers of each tensor.
//!
//! `torch.save` writes a state dict, or a dictionary with one in it; `torch.jit.save` a module, whose
//! attributes are the entries of its state dict. Neither is asked to do anything: see `pickle`.
//!
//! Sources: `torch/serialization.py`, `torch/_utils.py` and `torch/csrc/jit/serialization/pickler.cpp`
//! in PyTorch 2.15; the archives of OpenAI's nine models are of the second kind.

mod pickle;
mod tensors;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::weights::TensorData;

use self::pickle::Pickle;
use self::tensors::{Found, Tensor, collect};
use self::zip::{places, read};
use crate::{Error, Result};
use diptych_files::PositionedFile;

/// Bytes that a pickle may have. Those of the largest published checkpoints have less than one
/// million.
const MAX_PICKLE_BYTES: u64 = 4 << 20;

/// An open file of PyTorch's.
pub(super) struct TorchFile {
    path: PathBuf,
    file: PositionedFile,
    found: Found,
    is_script: bool,
}

impl TorchFile {
    /// Opens the file at `path` and reads its pickle.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tensors`] if it is no whole archive of PyTorch's.
    pub(in crate::weights) fn open(path: &Path) -> Result<Self> {
        let file = PositionedFile::open(path)?;
        let (found, is_script) = contents(&file).map_err(|reason| Error::Tensors {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            found,
            is_script,
        })
    }

    /// The path, for messages.
    pub(in crate::weights) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a TorchScript archive, a program with its weights, of which we read the weights.
    pub(in crate::weights) fn is_script(&self) -> bool {
        self.is_script
    }

    /// Every tensor's name and shape.
    pub(in crate::weights) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let named = self.found.tensors.iter();
        named
            .map(|(name, tensor)| (name.clone(), tensor.shape.clone()))
            .collect()
    }

    /// The formats of its floating-point numbers.
    pub(in crate::weights) fn dtypes(&self) -> BTreeSet<&'static str> {
        self.found
            .tensors
            .values()
            .filter_map(Tensor::dtype)
            .collect()
    }

    /// The format of a tensor's numbers, if they are floating-point.
    pub(in crate::weights) fn dtype(&self, name: &str) -> Option<&'static str> {
        self.found.tensors.get(name)?.dtype()
    }

    /// Entries of the state dict that are no tensors that can be read, and why.
    pub(in crate::weights) fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        let refused = self.found.refused.iter();
        refused.map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// Reads the tensor `name` as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is none, or its numbers are not floating-point.
    pub(in crate::weights) fn read(&self, name: &str) -> Result<TensorData> {
        let refuse = |reason: String| Error::Tensors {
            path: self.path.clone(),
            reason: format!("`{name}` {reason}"),
        };
        let tensor = self.found.tensors.get(name).ok_or_else(|| {
            let reason = self.found.refused.get(name).map(String::as_str);
            refuse(reason.unwrap_or("is not in its state dict").to_owned())
        })?;
        let bytes = read(&self.file, tensor.span()).map_err(refuse)?;
        let values = tensor.values(&bytes).map_err(refuse)?;
        Ok(TensorData::new(values, tensor.shape.clone()))
    }
}

/// The state dict, and whether it is a program's.
fn contents(file: &PositionedFile) -> Result<(Found, bool), String> {
    let places = places(file)?;
    // All files are in one folder, whose name is whatever the file was once called.
    let is_root = |name: &&String| {
        let folder = name.strip_suffix("data.pkl");
        folder.is_some_and(|folder| folder.matches('/').count() == usize::from(!folder.is_empty()))
    };
    let pickle = places.keys().filter(is_root).min();
    let pickle = pickle.ok_or(
        "a zip archive, but not PyTorch's: there is no `data.pkl` in it that is not compressed",
    )?;
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let place = |name: &str| places.get(&format!("{folder}{name}")).copied();
    let small = |name: &str, limit: u64| match place(name) {
        Some(place) if place.len > limit => Err(format!(
            "its `{name}` has {} bytes, wanted at most {limit}",
            place.len
        )),
        Some(place) => read(file, place).map(Some),
        None => Ok(None),
    };
    if small("byteorder", 64)?.is_some_and(|order| order != b"little") {
        return Err("its numbers are big-endian, wanted little-endian".into());
    }
    let pickle = small("data.pkl", MAX_PICKLE_BYTES)?.unwrap_or_default();
    let pickle = Pickle::parse(&pickle)?;
    let found = collect(&pickle, file.len(), |storage| {
        place(&format!("data/{storage}"))
    })?;
    Ok((found, place("constants.pkl").is_some()))
}
