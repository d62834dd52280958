//! A file → what it is known by, and its content as its source opens it. On many threads.

use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard};

use diptych::image::{ImageError, Preprocess};
use diptych_files::{MAX_FILE_BYTES, unspell};
use diptych_index::{File, Id, Store};
use rustc_hash::FxHashSet;
use sha2::{Digest, Sha256};

use crate::source::{Content, Input, Reading, START_BYTES, Source, SourceError, source_of};

/// Bytes of a streamed file that are hashed at a time.
const PIECE: usize = 1 << 20;

/// Why a file is not encoded.
pub(super) enum Skipped {
    /// It can't be read now, which says nothing of its content.
    Unreadable(String),
    /// Its content is in the index, or will be.
    Known(Id),
    /// Nothing of it can be indexed; with its content's id, if all of it was read.
    Bad(Option<Id>, Refusal),
}

/// Why nothing of a content can be indexed.
#[derive(Clone)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// The feature that a build needs to read it.
    pub(super) needs: Option<&'static str>,
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        let needs = None;
        Self { reason, needs }
    }
}

impl From<io::Error> for Skipped {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Reads files, each content once.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a [&'a dyn Source],
    pub(super) preprocess: &'a Preprocess,
    /// Where contents may wait that were begun.
    pub(super) store: &'a dyn Store,
    /// Contents that need not be encoded: the index has them, or another file's turn has come.
    pub(super) known: Mutex<FxHashSet<Id>>,
}

/// A file that was opened.
pub(super) struct Opened<'a> {
    pub(super) id: Id,
    pub(super) reading: Reading,
    pub(super) content: Content<'a>,
    /// Whether its first moments are stored already.
    pub(super) is_resumed: bool,
}

impl<'a> Reader<'a> {
    /// Opens a file whose content is not known yet.
    pub(super) fn open(&self, file: &'a File) -> Result<Opened<'a>, Skipped> {
        let path = unspell(&file.path);
        let mut from = fs_err::File::open(&*path)?;
        let mut bytes = Vec::with_capacity(START_BYTES);
        from.by_ref()
            .take(START_BYTES as u64)
            .read_to_end(&mut bytes)?;
        let source = source_of(self.sources, &path, &bytes);
        let is_streamed = source.is_some_and(|source| source.reading() == Reading::Streamed);
        let id = if is_streamed {
            streamed_id(&mut from, &std::mem::take(&mut bytes))?
        } else {
            let too_long = || {
                let limit = MAX_FILE_BYTES;
                let reason = ImageError::FileTooLong { limit }.to_string();
                Skipped::Bad(None, reason.into())
            };
            if file.size > MAX_FILE_BYTES {
                return Err(too_long());
            }
            // One that is as it was needs no second allocation; it may have grown since.
            bytes.reserve_exact((file.size as usize + 1).saturating_sub(bytes.len()));
            // One byte above the limit tells a file that is too long from one that is not.
            let rest = MAX_FILE_BYTES + 1 - bytes.len() as u64;
            from.take(rest).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > MAX_FILE_BYTES {
                return Err(too_long());
            }
            id(&bytes)
        };
        if !lock(&self.known).insert(id) {
            return Err(Skipped::Known(id));
        }
        let Some(source) = source else {
            return Err(Skipped::Bad(
                Some(id),
                String::from("no kind of content is known").into(),
            ));
        };
        let reading = source.reading();
        let input = Input { path, bytes };
        let resumed = if reading == Reading::Streamed {
            self.resumed(source, id, &input)?
        } else {
            None
        };
        let is_resumed = resumed.is_some();
        let content = match resumed {
            Some(content) => content,
            None => {
                let opened = source.open(input, self.preprocess);
                opened.map_err(|error| skipped(id, &error))?
            }
        };
        Ok(Opened {
            id,
            reading,
            content,
            is_resumed,
        })
    }

    /// The rest of a content of which another run has stored the first moments.
    fn resumed(
        &self,
        source: &'a dyn Source,
        id: Id,
        input: &Input<'a>,
    ) -> Result<Option<Content<'a>>, Skipped> {
        let begun = self.store.begun(id);
        let begun = begun.map_err(|error| Skipped::Unreadable(error.to_string()))?;
        let Some(begun) = begun.filter(|begun| begun.moments > 0) else {
            return Ok(None);
        };
        let resumed = source.resume(input, &begun, self.preprocess);
        resumed.map_err(|error| skipped(id, &error))
    }

    /// Lets contents be encoded that were known.
    pub(super) fn forget(&self, ids: impl Iterator<Item = Id>) {
        let mut known = lock(&self.known);
        ids.for_each(|id| {
            known.remove(&id);
        });
    }
}

/// Consequence of a source's error for the content that it was opening.
pub(super) fn skipped(id: Id, error: &SourceError) -> Skipped {
    match error {
        SourceError::Unreadable(error) => Skipped::Unreadable(error.to_string()),
        error => {
            let needs = match error {
                SourceError::NotBuilt { feature, .. } => Some(*feature),
                _ => None,
            };
            let reason = error.to_string();
            Skipped::Bad(Some(id), Refusal { reason, needs })
        }
    }
}

/// The id of a file that is read to its end in pieces, after its first bytes.
fn streamed_id(from: &mut impl Read, start: &[u8]) -> io::Result<Id> {
    let mut hash = Sha256::new_with_prefix(start);
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(id_of(hash)),
            Ok(n) => hash.update(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Id of a content: the first half of its SHA-256.
pub(super) fn id(bytes: &[u8]) -> Id {
    id_of(Sha256::new_with_prefix(bytes))
}

fn id_of(hash: Sha256) -> Id {
    let mut id = Id([0; 16]);
    id.0.copy_from_slice(&hash.finalize()[..16]);
    id
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_what_they_are() {
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223";
        assert_eq!(id(b"abc").to_string(), abc);
        let streamed = streamed_id(&mut &b"bc"[..], b"a").unwrap();
        assert_eq!(streamed.to_string(), abc);
    }
}
