//! Files of named tensors, whatever wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::TensorData;
use serde::Deserialize;

use super::TensorFile;
use super::torch::TorchFile;
use crate::{Error, Result};

/// An open file of named tensors, or several that belong together.
pub(super) enum Storage {
    Safetensors(TensorFile),
    Torch(TorchFile),
    /// Files, and which of them has each tensor.
    Shards(Vec<Storage>, BTreeMap<String, usize>),
}

/// `model.safetensors.index.json`, as transformers writes it.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Shards that an index may name.
const MAX_SHARDS: usize = 1000;

/// Bytes that an index may have; the largest published ones have some 100,000.
const MAX_INDEX_BYTES: u64 = 2 << 20;

impl Index {
    fn open(path: &Path) -> Result<Self> {
        let text = read_small(path, MAX_INDEX_BYTES)?;
        serde_json::from_slice(&text).map_err(|e| refused(path, e.to_string()))
    }

    /// The names of the shards, each once. A shard lies beside its index; a name that leads elsewhere is not
    /// followed, nor is one of another index.
    fn shards(&self, path: &Path) -> Result<Vec<String>> {
        let mut names: Vec<&String> = self.weight_map.values().collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MAX_SHARDS {
            let n = names.len();
            return Err(refused(
                path,
                format!("{n} shards, wanted at most {MAX_SHARDS}"),
            ));
        }
        let is_shard = |name: &str| {
            let plain = Path::new(name).file_name();
            plain.is_some_and(|plain| plain == name) && !name.ends_with(".json")
        };
        match names.iter().find(|name| !is_shard(name)) {
            Some(name) => Err(refused(
                path,
                format!("`{name}` is not the name of a shard beside it"),
            )),
            None => Ok(names.into_iter().cloned().collect()),
        }
    }
}

/// The shards that an index names.
///
/// # Errors
/// [`Error::Tensors`] for one that can't be followed.
#[cfg(feature = "hub")]
pub(super) fn shard_names(path: &Path) -> Result<Vec<String>> {
    Index::open(path)?.shards(path)
}

fn refused(path: &Path, reason: String) -> Error {
    Error::Tensors {
        path: path.to_owned(),
        reason,
    }
}

impl Storage {
    /// Opens a file of tensors by what is in it, whatever it is called; or an index of such files.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tensors`] if it is no whole file of tensors.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|e| e == "json") {
            return Self::open_index(path);
        }
        let mut magic = [0; 4];
        let mut file = fs_err::File::open(path).map_err(Error::Io)?;
        let refuse = |reason: &str| {
            Err(Error::Tensors {
                path: path.to_owned(),
                reason: reason.into(),
            })
        };
        if std::io::Read::read_exact(&mut file, &mut magic).is_err() {
            return refuse("it has less than four bytes, so there are no tensors in it");
        }
        match magic {
            [b'P', b'K', 3, 4] => Ok(Self::Torch(TorchFile::open(path)?)),
            // A pickle of protocol 2 that begins with a long integer, PyTorch's magic number. As the length
            // of a safetensors header it would be more than any.
            [0x80, 2, 0x8a, 10] => refuse(
                "a file of PyTorch's from before version 1.6; load it there and save it again",
            ),
            _ => Ok(Self::Safetensors(TensorFile::open(path)?)),
        }
    }

    fn open_index(path: &Path) -> Result<Self> {
        let index = Index::open(path)?;
        let names = index.shards(path)?;
        let open = |name: &String| Self::open(&path.with_file_name(name));
        let shards = names.iter().map(open).collect::<Result<Vec<_>>>()?;
        let mut places = BTreeMap::new();
        for (tensor, name) in &index.weight_map {
            if let Ok(shard) = names.binary_search(name) {
                places.insert(tensor.clone(), shard);
            }
        }
        Ok(Self::Shards(shards, places))
    }

    /// The path, for messages: of the first file, if there are several.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Safetensors(file) => file.path(),
            Self::Torch(file) => file.path(),
            Self::Shards(shards, _) => shards.first().map_or(Path::new(""), Self::path),
        }
    }

    /// What wrote it.
    pub(super) fn container(&self) -> &'static str {
        match self {
            Self::Safetensors(_) => "safetensors",
            Self::Torch(_) => "PyTorch",
            Self::Shards(shards, _) => shards.first().map_or("nothing", Self::container),
        }
    }

    /// The formats of its floating-point numbers.
    pub(super) fn dtypes(&self) -> BTreeSet<&'static str> {
        match self {
            Self::Safetensors(file) => file.dtypes(),
            Self::Torch(file) => file.dtypes(),
            Self::Shards(shards, _) => shards.iter().flat_map(Self::dtypes).collect(),
        }
    }

    /// The format of a tensor's numbers, if they are floating-point.
    pub(super) fn dtype(&self, name: &str) -> Option<&'static str> {
        match self {
            Self::Safetensors(file) => file.dtype(name),
            Self::Torch(file) => file.dtype(name),
            Self::Shards(shards, places) => shards[*places.get(name)?].dtype(name),
        }
    }

    /// Whether it is a program with its weights: OpenAI's way, which needs no configuration beside it.
    pub(super) fn is_script(&self) -> bool {
        matches!(self, Self::Torch(file) if file.is_script())
    }

    /// Entries that are no tensors that can be read, and why.
    pub(super) fn refused(&self) -> BTreeMap<&str, &str> {
        match self {
            Self::Torch(file) => file.refused().collect(),
            Self::Safetensors(_) => BTreeMap::new(),
            Self::Shards(shards, _) => shards.iter().flat_map(Self::refused).collect(),
        }
    }

    /// Every tensor's name and shape.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        match self {
            Self::Safetensors(file) => file.shapes(),
            Self::Torch(file) => file.shapes(),
            Self::Shards(shards, places) => {
                let shapes: Vec<_> = shards.iter().map(Self::shapes).collect();
                let named = places.iter().filter_map(|(name, &shard)| {
                    Some((name.clone(), shapes[shard].get(name)?.clone()))
                });
                named.collect()
            }
        }
    }

    /// Reads the tensor `name` as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is none, or its numbers are not floating-point.
    pub(super) fn read(&self, name: &str) -> Result<TensorData> {
        match self {
            Self::Safetensors(file) => file.read(name),
            Self::Torch(file) => file.read(name),
            Self::Shards(shards, places) => match places.get(name) {
                Some(&shard) => shards[shard].read(name),
                None => Err(Error::Tensors {
                    path: self.path().to_owned(),
                    reason: format!("no shard has a tensor `{name}`"),
                }),
            },
        }
    }
}

/// Reads a file that is to be small, and says so where it is not.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::TooLarge`] if it has more than `limit` bytes.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let got = diptych_files::metadata(path).map_err(Error::Io)?.len();
    if got > limit {
        let path = path.to_owned();
        return Err(Error::TooLarge { path, got, limit });
    }
    fs_err::read(path).map_err(Error::Io)
}
