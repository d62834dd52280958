//! Files as they are on the disk now: there, unchanged, and each once whatever names it has.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::Path;

use diptych_files::unspell;
use diptych_index::{File, FileId, Store, file_id};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::Member;
use super::groups::Compared;
use crate::Result;
use crate::index::{known_roots, state};

/// A file, compared with what the index says of it.
enum Now {
    /// As it was.
    Here(FileId),
    /// Another, or one that can't be looked at.
    Changed,
    Missing,
}

/// Leaves each content the files that are there as they were, of one with several names the first,
/// and drops contents that have none. Returns the number of files that are not as they were.
///
/// Where neither a file is there nor a folder that one was in or that was named to the index, the
/// index is of another machine or a disc is away: all are kept, as [`Member::gone`].
pub(super) fn keep_present(store: &dyn Store, of: [&mut Vec<Compared>; 2]) -> Result<usize> {
    let states = |contents: &[Compared]| -> Vec<Vec<Now>> {
        let states = |content: &Compared| content.members.iter().map(now).collect();
        contents.par_iter().map(states).collect()
    };
    let of = of.map(|contents| (states(contents), contents));
    let mut all = of.iter().flat_map(|(states, _)| states).flatten();
    let is_here = all.any(|now| !matches!(now, Now::Missing))
        || known_roots(store)?.iter().any(|root| root.exists())
        || of.iter().any(|(_, contents)| has_folder(contents));
    let mut stale = 0;
    for (states, contents) in of {
        for (content, states) in contents.iter_mut().zip(states) {
            let mut seen = FxHashSet::default();
            let mut states = states.into_iter();
            content.members.retain_mut(|member| match states.next() {
                Some(Now::Here(id)) => seen.insert(id),
                _ if !is_here => {
                    member.gone = true;
                    true
                }
                _ => {
                    stale += 1;
                    false
                }
            });
        }
        contents.retain(|content| !content.members.is_empty());
    }
    Ok(stale)
}

/// Whether a folder of these files is there; those of a set that was never on this machine have
/// relative names.
fn has_folder(contents: &[Compared]) -> bool {
    let mut seen = FxHashSet::default();
    let members = contents.iter().flat_map(|content| &content.members);
    let mut folders = members.filter_map(|member| Path::new(&member.path).parent());
    folders.any(|folder| {
        // The topmost is on every machine.
        let is_told = folder.is_absolute() && folder.parent().is_some();
        let spelled = folder.to_str().filter(|_| is_told);
        seen.insert(folder) && spelled.is_some_and(|folder| unspell(folder).is_dir())
    })
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
