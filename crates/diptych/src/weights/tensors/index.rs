//! Several files of tensors that belong together, by the index that names them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::Tensors;
use crate::weights::read_small;
use crate::{Error, Result};

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

    /// The names of the shards, each once. A shard lies beside its index; a name that leads
    /// elsewhere is not followed, nor is one of another index.
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
            None if names.is_empty() => Err(refused(path, "it names no shard".into())),
            None => Ok(names.into_iter().cloned().collect()),
        }
    }
}

/// The shards that an index names.
///
/// # Errors
/// [`Error::Tensors`] for one that can't be followed.
#[cfg(feature = "hub")]
pub(in crate::weights) fn shard_names(path: &Path) -> Result<Vec<String>> {
    Index::open(path)?.shards(path)
}

fn refused(path: &Path, reason: String) -> Error {
    Error::Tensors {
        path: path.to_owned(),
        reason,
    }
}

/// Opens the files that an index names. Of each file the tensors count that the index says are
/// there.
///
/// # Errors
/// Those of [`Tensors::open`], for the index and for each file.
pub(super) fn open(path: &Path) -> Result<Tensors> {
    let index = Index::open(path)?;
    let names = index.shards(path)?;
    let mut all: Option<Tensors> = None;
    let mut files = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let shard = Tensors::open(path.with_file_name(name))?;
        let is_here = |tensor: &str| index.weight_map.get(tensor) == Some(name);
        let views = shard.views.into_iter();
        let views = views.filter(|(tensor, _)| is_here(tensor));
        let views = views.map(|(tensor, (_, view))| (tensor, (number, view)));
        let refused = shard.refused.into_iter();
        let refused = refused.filter(|(tensor, _)| is_here(tensor));
        let all = all.get_or_insert_with(|| Tensors {
            path: shard.path,
            container: shard.container,
            files: Vec::new(),
            views: BTreeMap::new(),
            refused: BTreeMap::new(),
            prefix: String::new(),
        });
        all.views.extend(views);
        all.refused.extend(refused);
        files.extend(shard.files);
    }
    let all = all.ok_or_else(|| refused(path, "it names no shard".into()))?;
    Ok(Tensors { files, ..all })
}
