//! Files as they are on the disk now: there, unchanged, and each once whatever names it has.

use std::io::ErrorKind::{NotADirectory, NotFound};

use diptych_files::unspell;
use diptych_index::{File, FileId, file_id};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::Member;
use super::groups::Compared;
use crate::index::state;

/// A file, compared with what the index says of it.
enum Now {
    /// As it was.
    Here(FileId),
    /// Another, or one that can't be looked at.
    Changed,
    Missing,
}

/// Leaves each content the files that are there as they were, of one with several names the first, and drops contents that
/// have none. Returns the number of files that are not as they were.
///
/// Where no file of the index is there, it is of another machine, and all are taken at their word.
pub(super) fn keep_present(contents: &mut Vec<Compared>) -> usize {
    let now: Vec<Vec<Now>> = contents
        .par_iter()
        .map(|content| content.members.iter().map(now).collect())
        .collect();
    if now.iter().flatten().all(|now| matches!(now, Now::Missing)) {
        return 0;
    }
    let mut stale = 0;
    for (content, now) in contents.iter_mut().zip(now) {
        let mut seen = FxHashSet::default();
        let mut now = now.into_iter();
        content.members.retain(|_| match now.next() {
            Some(Now::Here(id)) => seen.insert(id),
            _ => {
                stale += 1;
                false
            }
        });
    }
    contents.retain(|content| !content.members.is_empty());
    stale
}

fn now(member: &Member) -> Now {
    let was = File {
        path: member.path.clone(),
        size: member.size,
        modified: member.modified,
    };
    match state(&member.path) {
        Ok(is) if is == was => file_id(&unspell(&member.path)).map_or(Now::Changed, Now::Here),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Now::Missing,
        _ => Now::Changed,
    }
}
