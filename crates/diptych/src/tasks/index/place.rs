//! Where a file is: one place, however many names lead there.
//!
//! An index holds canonical paths, so that a folder and a link to it are one. Links that lead out of the folders that are
//! indexed are noted beside it: what is asked of a folder is asked of what its links lead to, too.

use std::collections::BTreeMap;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use index::{Store, is_within};

use super::walk::Found;
use crate::{Error, Result};

/// Name of the note that holds the links.
const NOTE: &str = "links";

/// Links that lead out of the folders that were indexed: their own places, and where they lead.
pub(super) type Links = BTreeMap<String, String>;

/// Path as an index holds it: absolute, without links, `.` and `..`. What is not there is named from the nearest folder that is.
///
/// # Errors
/// If a folder on the way can't be looked into, or `..` leads out of one that is not there.
pub fn canonical(path: &Path) -> std::io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut there = whole.as_path();
    loop {
        match dunce::canonicalize(there) {
            Ok(mut found) => {
                found.extend(missing.iter().rev());
                return Ok(found);
            }
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                let (Some(name), Some(above)) = (there.file_name(), there.parent()) else {
                    return Err(error);
                };
                missing.push(name);
                there = above;
            }
            Err(error) => return Err(error),
        }
    }
}

/// All places that a path stands for in an index: its own, and those that links below it lead to. Where it is relative, the
/// path as it is typed, too: an index of a set that is not on this machine may hold such.
///
/// # Errors
/// As [`canonical`], and if the index can't be read.
pub fn places(store: &dyn Store, path: &Path) -> Result<Vec<String>> {
    let own = canonical(path).map_err(|e| Error::io(path, e))?;
    let mut places = vec![own.to_string_lossy().into_owned()];
    let typed: PathBuf = path.components().collect();
    if typed.is_relative() {
        places.push(typed.to_string_lossy().into_owned());
    }
    let links = links(store)?;
    let mut at = 0;
    while at < places.len() {
        let below = links
            .iter()
            .filter(|(link, _)| is_within(link, &places[at]));
        let targets: Vec<&String> = below.map(|(_, target)| target).collect();
        for target in targets {
            if !places.iter().any(|place| is_within(target, place)) {
                places.push(target.clone());
            }
        }
        at += 1;
    }
    Ok(places)
}

/// Identity of a file or folder: device and inode, or where there are none its place.
#[cfg(unix)]
pub type FileId = (u64, u64);
/// Identity of a file or folder: device and inode, or where there are none its place.
#[cfg(not(unix))]
pub type FileId = PathBuf;

/// The identity of a file or folder that is there.
pub fn file_id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = fs_err::metadata(path).ok()?;
        Some((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    canonical(path).ok()
}

/// Whether two names are of one file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a == b || file_id(a).is_some_and(|a| file_id(b) == Some(a))
}

/// The links that are noted beside an index.
fn links(store: &dyn Store) -> Result<Links> {
    let note = store.note(NOTE)?.unwrap_or_default();
    // One that can't be read is like one that is missing: the next run notes it anew.
    Ok(serde_json::from_slice(&note).unwrap_or_default())
}

/// Notes the links that were found; those of folders that were not, or could not be, looked into stay as they were.
pub(super) fn follow_links(store: &mut dyn Store, roots: &[PathBuf], found: &Found) -> Result<()> {
    let before = links(store)?;
    let is_looked_at = |link: &str| {
        let mut unreadable = found.unreadable.iter();
        roots.iter().any(|root| Path::new(link).starts_with(root))
            && !unreadable.any(|(place, _)| is_within(link, place))
    };
    let mut after = before.clone();
    after.retain(|link, _| !is_looked_at(link));
    after.extend(found.links.clone());
    if after == before {
        return Ok(());
    }
    let note = serde_json::to_vec(&after).map_err(Error::json)?;
    Ok(store.set_note(NOTE, &note)?)
}
