//! Files as they are on the disk now: there, unchanged, and each once whatever names it has.

use index::File;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::tasks::index::{FileId, file_id, state};

/// What was found out about files.
#[derive(Default)]
pub(super) struct Present {
    /// By path; none, if it is not there as it was.
    known: FxHashMap<String, Option<FileId>>,
    /// Files that were left out.
    stale: FxHashSet<String>,
}

impl Present {
    /// The paths of files that are there, as they were when they were indexed; of a file with several names the first.
    ///
    /// Where none of them is there, the index is of another machine, and all are taken at their word.
    pub(super) fn of<'a>(&mut self, files: &[&'a File]) -> impl Iterator<Item = &'a str> + use<'a> {
        let identities: Vec<Option<FileId>> = files.iter().map(|f| self.identity(f)).collect();
        let is_elsewhere = identities.iter().all(Option::is_none);
        let mut seen = FxHashSet::default();
        let mut there = Vec::new();
        for (file, identity) in files.iter().zip(identities) {
            match identity {
                Some(identity) => {
                    if seen.insert(identity) {
                        there.push(file.path.as_str());
                    }
                }
                None if is_elsewhere => there.push(&file.path),
                None => {
                    self.stale.insert(file.path.clone());
                }
            }
        }
        there.into_iter()
    }

    /// Number of files that were left out, since they are not as they were.
    pub(super) fn stale(&self) -> usize {
        self.stale.len()
    }

    fn identity(&mut self, file: &File) -> Option<FileId> {
        if let Some(known) = self.known.get(&file.path) {
            return known.clone();
        }
        let is_as_it_was = state(&file.path).is_ok_and(|now| now == *file);
        let identity = if is_as_it_was {
            file_id(file.path.as_ref())
        } else {
            None
        };
        self.known.insert(file.path.clone(), identity.clone());
        identity
    }
}
