//! Models that are published: a name → a directory or a file that opens.
//!
//! The files that are needed of a repository are downloaded once, into the cache that Hugging
//! Face's own programs use; a download that was cut goes on where it stopped. The variables are
//! theirs: `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`.

mod cache;
mod cached;
mod client;
mod environment;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::cached::{Cached, cached_repositories};

use self::cache::{Blob, Cache, hash_of};
use self::client::{Client, Failure, Remote};
use self::environment::Environment;
use super::checkpoint::WEIGHTS_FILES;
use super::names::{OpenAi, Published};
use super::published::Parts;
use super::resolve::{Named, resolve};
use super::tensors::shard_names;
use super::{CONFIG_FILE, HF_CONFIG_FILE, MAX_TOKENIZER_BYTES, SENTENCEPIECE_FILE, TOKENIZER_FILE};
use crate::{Error, Result};

/// Progress of a download.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes that it has.
    pub total: u64,
}

/// Downloads the files of the published model called `name`, or finds them in the cache, and
/// returns their directory or file. The name is OpenAI's `ViT-B/32`, open_clip's
/// `ViT-B-32:laion2b_s34b_b79k`, or a repository of the hub. None, if `name` stands for something
/// else, such as a path on the disk, or if no file is needed, as for the architecture of a model of
/// OpenAI's.
///
/// `tell` is called while a file is downloaded, and may break it off; what is there by then is
/// kept, and the next call goes on from there.
///
/// # Errors
/// [`Error::Hub`] if it is neither there nor to be had: what is cached, and what would be fetched;
/// [`Error::Model`] for a name that stands for nothing.
pub fn fetch(
    name: &str,
    parts: Parts,
    tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
) -> Result<Option<PathBuf>> {
    let Named::Known {
        published: Some(model),
        ..
    } = resolve(Path::new(name))?
    else {
        return Ok(None);
    };
    download(&model, parts, tell)
}

/// [`fetch`] of what is published.
pub(super) fn download(
    model: &Published,
    parts: Parts,
    tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
) -> Result<Option<PathBuf>> {
    let hub = Hub {
        environment: &Environment::own(),
        pause: Duration::from_millis(500),
    };
    match model {
        Published::OpenAi(_) if parts == Parts::Description => return Ok(None),
        Published::OpenAi(model) => hub.fetch_openai(model, tell),
        Published::Repository(repository) => hub.fetch(repository, MAIN, parts, tell),
    }
    .map(Some)
}

/// The revision of a repository that is used.
const MAIN: &str = "main";

/// The hub, as the environment describes it.
struct Hub<'a> {
    environment: &'a Environment,
    /// Wait before a further try, doubled for each try in a row that brought nothing.
    pause: Duration,
}

/// Tries in a row without a further byte, after which a download is given up.
const TRIES: u32 = 5;

/// Tries to be told something.
const TRIES_TO_ASK: u32 = 3;

impl Hub<'_> {
    fn fetch(
        &self,
        repository: &str,
        revision: &str,
        parts: Parts,
        tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
    ) -> Result<PathBuf> {
        let refuse = |reason: String| Error::Hub {
            name: repository.into(),
            reason,
        };
        let folder = self.environment.cache.as_deref().ok_or_else(|| {
            refuse("there is no folder to keep it in; set HOME, or HF_HOME, to one".into())
        })?;
        let cache = Cache::new(folder, repository);
        let cached = cache.snapshot_of(revision);
        let has = |parts| {
            cached
                .as_deref()
                .is_some_and(|here| complete(here, parts).is_ok())
        };
        // Falls back on the cache where the hub can't be asked; `reason` says why.
        let here = |reason: String| {
            let Some(snapshot) = &cached else {
                let folder = folder.display();
                return Err(refuse(format!(
                    "{reason}, and there is nothing of it in {folder}. From another machine, a folder with its files can be \
                     named in its place"
                )));
            };
            match complete(snapshot, parts) {
                Ok(_) => Ok(snapshot.clone()),
                Err(lack) => Err(refuse(format!(
                    "{reason}, and of what is in {}: {lack}",
                    snapshot.display()
                ))),
            }
        };
        if self.environment.offline {
            return here("HF_HUB_OFFLINE is set".to_owned());
        }
        let client = Client::new(self.environment);
        // Where everything is in the cache, nobody waits for a hub that does not answer.
        let tries = if has(parts) { 1 } else { TRIES_TO_ASK };
        let listing = match self.patiently(tries, || client.list(repository, revision)) {
            Ok(listing) => listing,
            // Without a network, what is here is as good as it was.
            Err(failure) if failure.passing => return here(failure.reason),
            Err(failure) => return Err(refuse(failure.reason)),
        };
        if !is_commit(&listing.sha) {
            return Err(refuse(format!(
                "`{}` is not the name of a commit",
                listing.sha
            )));
        }
        let files: BTreeSet<&str> = listing.files().collect();
        // A repository without weights is none of ours, whatever is wanted of it.
        needed(&files, Parts::All).map_err(refuse)?;
        let mut wanted = needed(&files, parts).map_err(refuse)?;
        let snapshot = cache.snapshot(&listing.sha);
        let mut next = 0;
        while next < wanted.len() {
            let file = wanted[next].clone();
            next += 1;
            if !snapshot.join(&file).exists() {
                let refuse = |reason: String| refuse(format!("`{file}`: {reason}"));
                let url = client.url(repository, &listing.sha, &file);
                let remote = self.patiently(TRIES_TO_ASK, || client.remote(&url));
                let remote = remote.map_err(|failure| refuse(failure.reason))?;
                if remote.size > MAX_SMALL_BYTES && !is_large(&file) {
                    return Err(refuse(format!(
                        "it has {} bytes, wanted at most {MAX_SMALL_BYTES}",
                        remote.size
                    )));
                }
                self.get(&client, &cache.blob(&remote), &remote, [&url, &file], tell)
                    .map_err(refuse)?;
                cache
                    .link(&remote, &listing.sha, &file)
                    .map_err(|e| refuse(e.to_string()))?;
            }
            if file.ends_with(INDEX) {
                wanted.extend(shards(&snapshot.join(&file), &files).map_err(refuse)?);
            }
        }
        // A snapshot of small files alone does not take a whole one's place.
        if parts == Parts::All || !has(Parts::All) {
            cache.refer(revision, &listing.sha).map_err(Error::Io)?;
        }
        Ok(snapshot)
    }

    /// One of OpenAI's files, in the place where OpenAI's own program looks for it.
    fn fetch_openai(
        &self,
        model: &OpenAi,
        tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
    ) -> Result<PathBuf> {
        let refuse = |reason: String| Error::Hub {
            name: model.name.into(),
            reason,
        };
        let folder =
            self.environment.openai_cache.as_deref().ok_or_else(|| {
                refuse("there is no folder to keep it in; set HOME to one".into())
            })?;
        let blob = Blob {
            lock: folder.join(format!(".{}.lock", model.file)),
            place: folder.join(model.file),
        };
        let url = model.url(&self.environment.openai);
        // OpenAI's own program writes into the file itself, and may have left a part of it.
        let hash = || {
            if blob.place.is_file() {
                hash_of(&blob.place)
                    .map(Some)
                    .map_err(|e| refuse(e.to_string()))
            } else {
                Ok(None)
            }
        };
        let mut found = hash()?;
        if found.as_deref() == Some(model.sha256) {
            return Ok(blob.place);
        }
        if self.environment.offline {
            let place = blob.place.display();
            return Err(refuse(match found {
                Some(found) => format!(
                    "HF_HUB_OFFLINE is set, and {place} has the SHA-256 {found}, wanted {}, as {url} has",
                    model.sha256
                ),
                None => format!("HF_HUB_OFFLINE is set, and there is no {place}, which {url} is"),
            }));
        }
        let _lock = blob.wait().map_err(Error::Io)?;
        // Another process may have brought it while this one waited.
        found = hash()?;
        if found.as_deref() == Some(model.sha256) {
            return Ok(blob.place);
        }
        if found.is_some() {
            fs_err::remove_file(&blob.place).map_err(Error::Io)?;
        }
        let client = Client::new(self.environment);
        let size = self.patiently(TRIES_TO_ASK, || client.size(&url));
        let remote = Remote {
            etag: model.sha256.into(),
            size: size.map_err(|failure| {
                let (reason, place) = (failure.reason, blob.place.display());
                refuse(format!(
                    "{reason}. From another machine, the file belongs at {place}"
                ))
            })?,
        };
        self.bring(&client, &blob, &remote, [&url, model.file], tell)
            .map_err(refuse)?;
        Ok(blob.place)
    }

    /// Brings one file into its place.
    fn get(
        &self,
        client: &Client,
        blob: &Blob,
        remote: &Remote,
        [url, file]: [&str; 2],
        tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let _lock = blob.wait().map_err(|e| e.to_string())?;
        // Another process may have brought it while this one waited.
        if blob.is_here(remote) {
            return Ok(());
        }
        self.bring(client, blob, remote, [url, file], tell)
    }

    /// The same by whoever holds the lock.
    fn bring(
        &self,
        client: &Client,
        blob: &Blob,
        remote: &Remote,
        [url, file]: [&str; 2],
        tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let is_resumed = blob.begun(remote) > 0;
        self.download(client, blob, remote, [url, file], tell)?;
        match blob.finish(remote) {
            // What was here before may have been another file's.
            Err(_) if is_resumed => {
                self.download(client, blob, remote, [url, file], tell)?;
                blob.finish(remote)
            }
            result => result,
        }
    }

    /// Downloads a file, going on after every cut.
    fn download(
        &self,
        client: &Client,
        blob: &Blob,
        remote: &Remote,
        [url, file]: [&str; 2],
        tell: &mut dyn FnMut(Download) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let (mut tries, mut most) = (0, blob.begun(remote));
        loop {
            let from = blob.begun(remote);
            if from == remote.size {
                // Nothing is to come of a file without a byte, but it has to be there.
                return blob.append(from).map(drop).map_err(|e| e.to_string());
            }
            let mut told = |done: u64| {
                if done > remote.size {
                    return Err(format!("more than {} bytes came", remote.size));
                }
                let download = Download {
                    file,
                    done,
                    total: remote.size,
                };
                match tell(download) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err("interrupted".to_owned()),
                }
            };
            let mut out = |from: u64| blob.append(from);
            let result = client.download(url, from, &mut out, &mut told);
            let now = blob.begun(remote);
            tries = if now > most { 0 } else { tries + 1 };
            most = most.max(now);
            match result {
                Err(failure) if !failure.passing => return Err(failure.reason),
                _ if now == remote.size => {}
                _ if tries == TRIES => {
                    let why = result
                        .err()
                        .map_or_else(String::new, |f| format!(": {}", f.reason));
                    return Err(format!("{now} of {} bytes came{why}", remote.size));
                }
                _ => std::thread::sleep(self.pause * 2u32.pow(tries)),
            }
        }
    }

    /// Tries again where that could help.
    fn patiently<T>(&self, most: u32, ask: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut tries = 1;
        loop {
            match ask() {
                Err(failure) if failure.passing && tries < most => {
                    std::thread::sleep(self.pause * 2u32.pow(tries));
                    tries += 1;
                }
                result => return result,
            }
        }
    }
}

/// The files of a repository that are needed.
fn needed(files: &BTreeSet<&str>, parts: Parts) -> Result<Vec<String>, String> {
    let configuration = [CONFIG_FILE, HF_CONFIG_FILE]
        .into_iter()
        .find(|name| files.contains(name));
    let weights = WEIGHTS_FILES.iter().find(|name| files.contains(*name));
    let weights = weights.filter(|_| parts == Parts::All);
    let (Some(configuration), true) = (configuration, parts != Parts::All || weights.is_some())
    else {
        return Err(format!(
            "it has {}; wanted {CONFIG_FILE} or {HF_CONFIG_FILE}, and one of {}",
            some(files),
            WEIGHTS_FILES.join(", ")
        ));
    };
    let beside = [
        "processor_config.json",
        "preprocessor_config.json",
        "tokenizer_config.json",
        SENTENCEPIECE_FILE,
        TOKENIZER_FILE,
    ];
    let beside = beside.into_iter().filter(|name| files.contains(name));
    // Small files first: what is wrong with them is told before the large one comes.
    let all = [configuration].into_iter().chain(beside);
    let all = all.chain(weights.copied());
    Ok(all.map(str::to_owned).collect())
}

/// The first of a repository's files.
fn some(files: &BTreeSet<&str>) -> String {
    if files.is_empty() {
        "no files".into()
    } else {
        files.iter().take(8).copied().collect::<Vec<_>>().join(", ")
    }
}

/// End of the name of a file that lists shards.
const INDEX: &str = ".index.json";

/// Bytes of the largest file that is not of weights, a tokenizer's.
const MAX_SMALL_BYTES: u64 = MAX_TOKENIZER_BYTES;

fn is_large(file: &str) -> bool {
    [".safetensors", ".bin", ".pth"]
        .iter()
        .any(|end| file.ends_with(end))
}

/// Whether it is a commit's name.
fn is_commit(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The shards that an index names, of those that there are.
fn shards(index: &Path, files: &BTreeSet<&str>) -> Result<Vec<String>, String> {
    let named = shard_names(index).map_err(|e| e.to_string())?;
    match named.iter().find(|name| !files.contains(name.as_str())) {
        Some(name) => Err(format!("its index names `{name}`, which is no file of it")),
        None => Ok(named),
    }
}

/// The files that are needed, if a snapshot has them all; in words, what it lacks.
fn complete(snapshot: &Path, parts: Parts) -> Result<Vec<String>, String> {
    let entries = fs_err::read_dir(snapshot).map_err(|e| e.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: BTreeSet<String> = names.filter(|name| snapshot.join(name).exists()).collect();
    let files: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut wanted = needed(&files, parts)?;
    if let Some(index) = wanted.iter().find(|name| name.ends_with(INDEX)) {
        wanted.extend(shards(&snapshot.join(index), &files)?);
    }
    Ok(wanted)
}
