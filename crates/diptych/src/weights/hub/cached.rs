//! Published models that are already on this machine. No network is used, and no hash checked.

use std::path::PathBuf;

use super::cache::Cache;
use super::environment::Environment;
use super::{MAIN, complete};
use crate::weights::names::{OPENAI, Published};
use crate::weights::published::{Listing, Parts, listing};

/// A published model's files on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The directory, or OpenAI's file.
    pub path: PathBuf,
    /// Bytes of all that is read of it.
    pub bytes: u64,
}

impl Listing {
    /// The model's files, weights included, if they are on this machine. The network is not asked,
    /// nor are they checked.
    #[must_use]
    pub fn cached(&self) -> Option<Cached> {
        let openai = OPENAI.iter().find(|model| model.name == self.name);
        let repository = || Published::Repository(self.from.clone());
        Environment::own().cached(&openai.map_or_else(repository, Published::OpenAi))
    }
}

/// The hub's repositories that are on this machine with weights of a kind that is read. Only
/// opening one tells whether it is a CLIP.
#[must_use]
pub fn cached_repositories() -> Vec<Listing> {
    let names = Environment::own().repositories().into_iter();
    names
        .map(|name| listing(&name, &Published::Repository(name.clone())))
        .collect()
}

impl Environment {
    fn cached(&self, model: &Published) -> Option<Cached> {
        let (path, files) = match model {
            Published::OpenAi(model) => {
                let path = self.openai_cache.as_ref()?.join(model.file);
                (path.clone(), vec![path])
            }
            Published::Repository(repository) => {
                let path = Cache::new(self.cache.as_deref()?, repository).snapshot_of(MAIN)?;
                let files = complete(&path, Parts::All).ok()?;
                let files = files.iter().map(|name| path.join(name)).collect();
                (path, files)
            }
        };
        let bytes = files
            .iter()
            .map(|file| Some(diptych_files::metadata(file).ok()?.len()));
        let bytes = bytes.sum::<Option<u64>>()?;
        Some(Cached { path, bytes })
    }

    fn repositories(&self) -> Vec<String> {
        let entries = self
            .cache
            .as_ref()
            .and_then(|cache| fs_err::read_dir(cache).ok());
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Cache::repository(entry.ok()?.file_name().to_str()?))
            .filter(|name| self.cached(&Published::Repository(name.clone())).is_some())
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_here_whole_is_found_with_its_size() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::new(|name| (name == "HOME").then(|| home.path().into()));
        let cache = home.path().join(".cache/huggingface/hub");
        let add = |repository: &str, files: &[&str]| {
            let place = cache.join(repository);
            let snapshot = place.join("snapshots").join("a".repeat(40));
            fs_err::create_dir_all(&snapshot).unwrap();
            fs_err::create_dir_all(place.join("refs")).unwrap();
            fs_err::write(place.join("refs/main"), "a".repeat(40)).unwrap();
            for file in files {
                fs_err::write(snapshot.join(file), file.as_bytes()).unwrap();
            }
            snapshot
        };
        let whole = add(
            "models--us--tiny",
            &["config.json", "model.safetensors", "README.md"],
        );
        add("models--us--small-files", &["config.json"]);
        add("models--gpt2", &["config.json", "model.safetensors"]);
        add("datasets--us--a", &["config.json", "model.safetensors"]);
        assert_eq!(environment.repositories(), ["us/tiny"]);
        let found = environment.cached(&Published::Repository("us/tiny".into()));
        let bytes = ("config.json".len() + "model.safetensors".len()) as u64;
        assert_eq!(found, Some(Cached { path: whole, bytes }));

        let model = &crate::weights::names::OPENAI[0];
        assert_eq!(environment.cached(&Published::OpenAi(model)), None);
        let path = home.path().join(".cache/clip/RN50.pt");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, "12345").unwrap();
        let found = environment.cached(&Published::OpenAi(model));
        assert_eq!(found, Some(Cached { path, bytes: 5 }));
    }
}
