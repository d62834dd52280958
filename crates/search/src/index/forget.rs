//! Files and folders taken out of an index by hand, from the folders that it looks through, too.

use std::path::PathBuf;

use diptych_files::unspell;
use diptych_index::{Change, Store, is_within};

use super::place::names;
use super::reach::Reach;
use crate::{Error, Result};

/// Changes that are made at a time.
const BATCH: usize = 1024;

/// Outcome of [`forget`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Files with a content that were taken out.
    pub files: usize,
    /// Files that could not be indexed, and are no longer noted as such.
    pub refused: usize,
    /// Folders and files that the index no longer looks through.
    pub roots: Vec<PathBuf>,
    /// Paths that are there and that the index still reaches, so that the next run takes them in
    /// again; and the folder by which it does.
    pub reached: Vec<(PathBuf, PathBuf)>,
}

/// Takes files, and folders with all that is below them, out of an index. What was named to it, and
/// lies there, is no longer among its [known roots](super::known_roots); what links there lead to
/// stays.
///
/// # Errors
/// [`Error::File`] for a path that can't be looked at, and [`Error::Index`] if the index can't be
/// read or written.
pub fn forget(store: &dyn Store, paths: &[PathBuf]) -> Result<Forgotten> {
    let mut within = Vec::new();
    for path in paths {
        within.extend(names(path).map_err(|e| Error::file(path, e))?);
    }
    let mut forgotten = Forgotten::default();
    let before = Reach::of(store)?;
    let (reach, roots) = before.without(&within);
    forgotten.roots = roots.iter().map(|root| unspell(root).into()).collect();
    if reach != before {
        reach.note(store)?;
    }
    for path in &within {
        let reached = reach.roots.iter().chain(reach.links.values());
        let by = reached
            .filter(|by| is_within(path, by))
            .max_by_key(|by| by.len());
        let path = unspell(path);
        if let Some(by) = by
            && path.exists()
        {
            let by = unspell(by).into_owned();
            forgotten.reached.push((path.into_owned(), by));
        }
    }
    let mut changes = Vec::new();
    store.files(&within, &mut |file, id| {
        match id {
            Some(_) => forgotten.files += 1,
            None => forgotten.refused += 1,
        }
        changes.push(Change::Unlink(file.path));
    })?;
    for changes in changes.chunks(BATCH) {
        store.apply(changes)?;
    }
    store.settle()?;
    Ok(forgotten)
}
