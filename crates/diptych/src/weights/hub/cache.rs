//! The cache that Hugging Face's programs share: blobs by hash, snapshots that point to them.
//!
//! ```text
//! models--ORGANISATION--NAME/refs/main                     the commit that `main` was at
//!                           /blobs/HASH                    a file's bytes
//!                           /snapshots/COMMIT/config.json  → ../../blobs/HASH
//! ```
//!
//! Source: "Understand caching" in huggingface_hub's documentation.
//! Invariant: a blob is whole: it is written as `HASH.incomplete`, checked, and renamed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::Remote;
use crate::weights::names::is_repository;

/// A repository's part of the cache.
pub(super) struct Cache {
    root: PathBuf,
    locks: PathBuf,
}

impl Cache {
    pub(super) fn new(cache: &Path, repository: &str) -> Self {
        let name = format!("models--{}", repository.replace('/', "--"));
        Self {
            root: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    /// The repository that a folder of the cache is of.
    pub(super) fn repository(folder: &str) -> Option<String> {
        let name = folder.strip_prefix("models--")?.replacen("--", "/", 1);
        is_repository(&name).then_some(name)
    }

    /// The folder of the snapshot that `revision` is known to be.
    pub(super) fn snapshot_of(&self, revision: &str) -> Option<PathBuf> {
        let folder = self.snapshot(&self.reference(revision)?);
        folder.is_dir().then_some(folder)
    }

    /// The commit that `revision` was at when it was last asked for.
    fn reference(&self, revision: &str) -> Option<String> {
        let text = fs_err::read_to_string(self.root.join("refs").join(revision)).ok()?;
        let commit = text.trim();
        super::is_commit(commit).then(|| commit.to_owned())
    }

    /// The folder of a commit's files.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Remembers what `revision` is.
    pub(super) fn refer(&self, revision: &str, commit: &str) -> std::io::Result<()> {
        // A cache that others fill may be read-only.
        if self.reference(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        let folder = path.parent().unwrap_or(&self.root);
        fs_err::create_dir_all(folder)?;
        diptych_files::replace(&path, commit.as_bytes())
    }

    /// Where the bytes of a file are kept.
    pub(super) fn blob(&self, remote: &Remote) -> Blob {
        Blob {
            place: self.root.join("blobs").join(&remote.etag),
            lock: self.locks.join(format!("{}.lock", remote.etag)),
        }
    }

    /// Gives the blob its name in a snapshot.
    pub(super) fn link(&self, remote: &Remote, commit: &str, file: &str) -> std::io::Result<()> {
        let place = self.snapshot(commit).join(file);
        let folder = place.parent().unwrap_or(&self.root);
        fs_err::create_dir_all(folder)?;
        if place.exists() {
            return Ok(());
        }
        #[cfg(unix)]
        {
            let up = "../".repeat(2 + file.matches('/').count());
            let target = format!("{up}blobs/{}", remote.etag);
            // Made under another name and renamed, so that the link is never missing for a moment:
            // others see the new one, or an old one that led nowhere.
            let link = |path: &Path| fs_err::os::unix::fs::symlink(&target, path);
            let part = tempfile::Builder::new().make_in(folder, link)?;
            part.into_temp_path().persist(&place).map_err(|e| e.error)
        }
        #[cfg(not(unix))]
        {
            // Under another name until it is whole.
            let part = tempfile::NamedTempFile::new_in(folder)?;
            fs_err::copy(self.blob(remote).place, part.path())?;
            part.persist(&place).map(drop).map_err(|e| e.error)
        }
    }
}

/// A file on its way: `PLACE.incomplete` until it is whole, then `PLACE`.
pub(super) struct Blob {
    pub(super) place: PathBuf,
    /// Held by the process that downloads it.
    pub(super) lock: PathBuf,
}

impl Blob {
    /// Whether the file is here and whole.
    pub(super) fn is_here(&self, remote: &Remote) -> bool {
        diptych_files::metadata(&self.place).is_ok_and(|m| m.len() == remote.size)
    }

    /// Waits until no other process downloads this file, and keeps others waiting.
    pub(super) fn wait(&self) -> std::io::Result<File> {
        for path in [&self.lock, &self.place] {
            if let Some(folder) = path.parent() {
                fs_err::create_dir_all(folder)?;
            }
        }
        let file = fs_err::File::create(&self.lock)?.into_parts().0;
        file.lock()?;
        Ok(file)
    }

    /// Bytes that an earlier download left.
    pub(super) fn begun(&self, remote: &Remote) -> u64 {
        match diptych_files::metadata(self.incomplete()) {
            Ok(metadata) if metadata.len() <= remote.size => metadata.len(),
            _ => 0,
        }
    }

    /// The unfinished file, to be gone on with after its first `from` bytes.
    pub(super) fn append(&self, from: u64) -> std::io::Result<Box<dyn Write>> {
        let mut file = fs_err::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(self.incomplete())?;
        file.set_len(from)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    /// Checks the unfinished file, and gives it its name.
    ///
    /// # Errors
    /// In words, if it is not what the hub said; it is removed then.
    pub(super) fn finish(&self, remote: &Remote) -> Result<(), String> {
        let path = self.incomplete();
        let found = hash(&path, remote).map_err(|e| e.to_string())?;
        if found != remote.etag {
            let _ = fs_err::remove_file(&path);
            return Err(format!(
                "the hash of what came is {found}, and should be {}",
                remote.etag
            ));
        }
        let file = fs_err::OpenOptions::new().write(true).open(&path);
        let done = file.and_then(|file| file.sync_all());
        let done = done.and_then(|()| fs_err::rename(&path, &self.place));
        done.map_err(|e| e.to_string())
    }

    fn incomplete(&self) -> PathBuf {
        let mut name = self.place.clone().into_os_string();
        name.push(".incomplete");
        name.into()
    }
}

/// The SHA-256 of a file.
pub(super) fn hash_of(path: &Path) -> std::io::Result<String> {
    digest(path, Sha256::new())
}

/// The rest of a hash that has been begun: of a file.
fn digest(path: &Path, mut hash: impl Digest) -> std::io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Hash of a file, to be compared with the hub's: SHA-256 if that has 64 digits, else git's SHA-1.
fn hash(path: &Path, remote: &Remote) -> std::io::Result<String> {
    if remote.etag.len() == 64 {
        return hash_of(path);
    }
    let mut sha1 = Sha1::new();
    sha1.update(format!("blob {}\0", diptych_files::metadata(path)?.len()));
    digest(path, sha1)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
