//! A sample: texts in memory, and where its picture lies.
//!
//! Invariant: no pixels. Only pictures that can't be read by position are held, as stored.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Reason;
use super::boxes::Region;
use crate::{Error, Result};
use diptych::image::{DecodeOptions, ImageError, Picture};
use diptych_files::{MAX_FILE_BYTES, PositionedFile};

/// A picture and what is said of it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The shard, table or folder that it comes from, for messages.
    pub origin: Arc<Path>,
    /// Its name there, for messages.
    pub key: String,
    /// Its texts, none empty.
    pub texts: Vec<String>,
    pub(super) location: Location,
    /// The part of the picture that it is of, if it is not all of it.
    pub(super) region: Option<Region>,
}

/// Where a picture lies.
#[derive(Clone, Debug)]
pub(super) enum Location {
    /// At a place of the origin, a plain tar file that had `shard_len` bytes when it was indexed.
    Range {
        offset: u64,
        len: u64,
        shard_len: u64,
    },
    /// Here, as stored: a gzipped shard can't be read by position.
    /// Shared by the samples of an archive that links them.
    Memory(Arc<Vec<u8>>),
    /// In a file of its own.
    File(PathBuf),
}

impl Sample {
    /// A sample of no file.
    pub fn in_memory(key: &str, image: Vec<u8>, texts: Vec<String>) -> Self {
        Self {
            origin: Path::new("memory").into(),
            key: key.to_owned(),
            texts,
            location: Location::Memory(Arc::new(image)),
            region: None,
        }
    }

    /// A sample whose picture is the file at `path`.
    pub fn in_file(origin: Arc<Path>, key: String, texts: Vec<String>, path: PathBuf) -> Self {
        Self {
            origin,
            key,
            texts,
            location: Location::File(path),
            region: None,
        }
    }

    /// The stored picture.
    ///
    /// # Errors
    /// [`Error::Data`] naming the sample, if it can't be read.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match &self.location {
            Location::Memory(bytes) => Ok(bytes.as_slice().into()),
            Location::File(path) => read_file(path)
                .map(Cow::Owned)
                .map_err(|reason| self.broken(reason)),
            // Opened each time: that costs microseconds where decoding costs milliseconds, and a
            // set may have more shards than a process may hold open.
            Location::Range {
                offset,
                len,
                shard_len,
            } => {
                let file = PositionedFile::open(&self.origin)?;
                if file.len() != *shard_len {
                    return Err(self.broken("the shard is not the one that was opened"));
                }
                let mut bytes = vec![0; *len as usize];
                file.read_exact_at(&mut bytes, *offset)
                    .map_err(|error| self.broken(error))?;
                Ok(bytes.into())
            }
        }
    }

    /// Decodes the picture, or its part that the sample is of.
    ///
    /// # Errors
    /// [`Error::Data`] naming the sample.
    pub fn picture(&self, options: &DecodeOptions) -> Result<Picture> {
        self.decode(&self.bytes()?, options)
            .map_err(|(_, error)| error)
    }

    /// Decodes the picture, or the sample's part of it, from its bytes.
    pub(crate) fn decode(
        &self,
        bytes: &[u8],
        options: &DecodeOptions,
    ) -> Result<Picture, (Reason, Error)> {
        let picture = Picture::decode(bytes, options).map_err(|error| {
            let reason = match error {
                ImageError::NotBuilt { .. } => Reason::NotBuilt,
                _ => Reason::Undecodable,
            };
            (reason, self.broken(error))
        })?;
        match self.region {
            None => Ok(picture),
            Some(region) => region
                .cut(&picture)
                .map_err(|reason| (Reason::Box, self.broken(reason))),
        }
    }

    /// An error about this sample's picture.
    pub(crate) fn broken(&self, reason: impl std::fmt::Display) -> Error {
        Error::Data {
            path: self.origin.to_path_buf(),
            reason: format!("picture {}: {reason}", self.key),
        }
    }
}

/// Lines of text, trimmed; empty ones are none.
pub(super) fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = diptych_files::metadata(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => format!("{} is not there", path.display()),
        _ => e.to_string(),
    })?;
    // A pipe would be waited for, a device read for ever.
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        let (path, bytes) = (path.display(), metadata.len());
        return Err(format!(
            "{path} has {bytes} bytes, wanted at most {MAX_FILE_BYTES}"
        ));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    let file = fs_err::File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}
