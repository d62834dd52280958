//! PyTorch's files: a zip archive of a pickle and of the numbers of each tensor.
//!
//! `torch.save` writes a state dict, or a dictionary with one in it; `torch.jit.save` a module, whose
//! attributes are the entries of its state dict. Neither is asked to do anything: see `pickle`.
//!
//! Sources: `torch/serialization.py`, `torch/_utils.py` and `torch/csrc/jit/serialization/pickler.cpp`
//! in PyTorch 2.15; the archives of OpenAI's nine models are of the second kind.

mod pickle;
mod tensors;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use zip::{CompressionMethod, ZipArchive};

use self::pickle::Pickle;
use self::tensors::{Tensor, collect};
use crate::positioned::PositionedFile;
use crate::{Error, Result};

/// Bytes that a pickle may have. Those of the largest published checkpoints have less than one.
const MAX_PICKLE_BYTES: u64 = 32 << 20;

/// Files that an archive may have: one a tensor, and a few.
const MAX_FILES: usize = 100_000;

/// An open file of PyTorch's.
pub(super) struct TorchFile {
    path: PathBuf,
    file: PositionedFile,
    /// Where the archive's files lie, by their names without the folder that they are all in.
    places: HashMap<String, Place>,
    tensors: BTreeMap<String, Tensor>,
    /// Entries of the state dict that depend on something we don't know, and on what.
    opaque: BTreeMap<String, String>,
}

/// Where one of an archive's files lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    len: u64,
}

impl TorchFile {
    /// Opens the file at `path` and reads its pickle.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tensors`] if it is no whole archive of PyTorch's.
    pub(in crate::weights) fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let refuse = |reason: String| Error::Tensors {
            path: path.to_owned(),
            reason,
        };
        let file = PositionedFile::open(path)?;
        let places = places(path, file.len()).map_err(refuse)?;
        let read = |name: &str, limit: u64| -> Result<Vec<u8>> {
            let place = places.get(name).ok_or_else(|| {
                refuse(format!(
                    "a zip archive, but not PyTorch's: there is no `{name}` in it that is not compressed"
                ))
            })?;
            if place.len > limit {
                return Err(refuse(format!(
                    "its `{name}` has {} bytes, wanted at most {limit}",
                    place.len
                )));
            }
            let mut bytes = vec![0; place.len as usize];
            file.read_exact_at(&mut bytes, place.offset)
                .map_err(|e| Error::io(path, e))?;
            Ok(bytes)
        };
        let bytes = read("data.pkl", MAX_PICKLE_BYTES)?;
        if places.contains_key("byteorder") && read("byteorder", 64)? != b"little" {
            return Err(refuse(
                "its numbers are big-endian, wanted little-endian".into(),
            ));
        }
        let pickle = Pickle::parse(&bytes).map_err(refuse)?;
        let found = collect(&pickle, |storage| {
            places
                .get(&format!("data/{storage}"))
                .map(|place| place.len)
        });
        let found = found.map_err(refuse)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            places,
            tensors: found.tensors,
            opaque: found.opaque,
        })
    }

    /// The path, for messages.
    pub(in crate::weights) fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor's name and shape.
    pub(in crate::weights) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let named = self.tensors.iter();
        named
            .map(|(name, t)| (name.clone(), t.shape.clone()))
            .collect()
    }

    /// The formats of its floating-point numbers.
    pub(in crate::weights) fn dtypes(&self) -> BTreeSet<&'static str> {
        self.tensors.values().filter_map(Tensor::dtype).collect()
    }

    /// Reads the tensor `name` as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is none, or its numbers are not floating-point.
    pub(in crate::weights) fn read(&self, name: &str) -> Result<TensorData> {
        let refuse = |reason: String| Error::Tensors {
            path: self.path.clone(),
            reason,
        };
        let tensor = self.tensors.get(name).ok_or_else(|| {
            refuse(match self.opaque.get(name) {
                Some(what) => format!("`{name}` is made by `{what}`, which is not run"),
                None => format!("there is no tensor `{name}`"),
            })
        })?;
        let place = self.places[&format!("data/{}", tensor.storage)];
        let (first, len) = tensor.span();
        let mut bytes = vec![0; len as usize];
        self.file
            .read_exact_at(&mut bytes, place.offset + first)
            .map_err(|e| Error::io(&self.path, e))?;
        let values = tensor.values(&bytes);
        let values = values.map_err(|reason| refuse(format!("`{name}` {reason}")))?;
        Ok(TensorData::new(values, tensor.shape.clone()))
    }
}

/// Where the files of the archive at `path` lie, which has `len` bytes.
fn places(path: &Path, len: u64) -> Result<HashMap<String, Place>, String> {
    let not_zip = |e: zip::result::ZipError| {
        format!(
            "not a zip archive, as PyTorch's files are since version 1.6, or not a whole one: {e}"
        )
    };
    let file = fs_err::File::open(path).map_err(|e| e.to_string())?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(not_zip)?;
    if archive.len() > MAX_FILES {
        return Err(format!(
            "an archive of {} files, wanted at most {MAX_FILES}",
            archive.len()
        ));
    }
    let mut places = HashMap::new();
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(not_zip)?;
        let name = entry.name().map_err(not_zip)?.into_owned();
        // TorchScript compresses its program, which we don't read; what we read lies as it is.
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            continue;
        }
        let offset = entry.data_start();
        let place = Place {
            offset: offset.ok_or_else(|| format!("its `{name}` lies nowhere"))?,
            len: entry.size(),
        };
        if place
            .offset
            .checked_add(place.len)
            .is_none_or(|end| end > len)
        {
            return Err(format!("its `{name}` does not lie within the file"));
        }
        // All files are in one folder, whose name is whatever the file was once called.
        let inner = name
            .split_once('/')
            .map_or(name.as_str(), |(_, inner)| inner);
        places.insert(inner.to_owned(), place);
    }
    Ok(places)
}
