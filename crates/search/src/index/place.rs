//! Where a file is: one place, however many names lead there. An index holds canonical paths, so
//! that a folder and a link to it are one.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use diptych_files::spell;
use diptych_index::file_id;

/// Path as an index holds it: absolute, without links, `.` and `..`. What is not there is named
/// from the nearest folder that is.
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

/// Names that a path may have in an index, spelled as there: its place, and if it is relative the
/// path as it is typed, since an index of a set that is not on this machine may hold such.
///
/// # Errors
/// As [`canonical`].
pub fn names(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = vec![spell(&canonical(path)?).into_owned()];
    let typed: PathBuf = path.components().collect();
    if typed.is_relative() {
        names.push(spell(&typed).into_owned());
    }
    Ok(names)
}

/// Whether two names are of one file.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a == b || file_id(a).is_ok_and(|a| file_id(b).is_ok_and(|b| a == b))
}
