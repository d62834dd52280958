//! A folder → the files in it, for whoever takes folders without keeping an index: by the rules of
//! an index's walk, but under the names that they were found by.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::{DirEntry, Error, WalkBuilder};
use rustc_hash::FxHashSet;

use super::place::canonical;
use super::walk::looking_through;

/// The files below `folder` that `is_wanted` by their names, in the order of their paths, and what
/// could not be looked into. Names that begin with a dot and those in
/// [`IGNORE_FILE`](super::IGNORE_FILE) are left out, links are followed, each folder once. What is
/// below `except` is left out, too.
pub fn find_files(
    folder: &Path,
    is_wanted: impl Fn(&Path) -> bool,
    except: Option<&Path>,
) -> Vec<Result<PathBuf, Error>> {
    let mut seen: FxHashSet<PathBuf> = FxHashSet::default();
    seen.extend(canonical(folder));
    seen.extend(except.and_then(|except| canonical(except).ok()));
    let seen = Arc::new(Mutex::new(seen));
    // A folder that is nowhere is entered, so that the walk says why.
    let is_new = move |entry: &DirEntry| match canonical(entry.path()) {
        Ok(place) => seen.lock().unwrap_or_else(|e| e.into_inner()).insert(place),
        Err(_) => true,
    };
    let is_folder = |entry: &DirEntry| entry.file_type().is_some_and(|kind| kind.is_dir());
    let mut walk: WalkBuilder = looking_through(folder, false);
    walk.filter_entry(move |entry| !is_folder(entry) || is_new(entry))
        .sort_by_file_name(|a, b| a.cmp(b));
    walk.build()
        .filter_map(|entry| match entry {
            Ok(entry) => {
                let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
                (is_file && is_wanted(entry.path())).then(|| Ok(entry.into_path()))
            }
            Err(error) if is_loop(&error) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

/// Whether it is only a link to a folder above, which was looked into.
fn is_loop(error: &Error) -> bool {
    match error {
        Error::Loop { .. } => true,
        Error::WithPath { err, .. }
        | Error::WithDepth { err, .. }
        | Error::WithLineNumber { err, .. } => is_loop(err),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_names_of_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["b/deep", ".hidden", "out", "left"] {
            fs_err::create_dir_all(at(folder)).unwrap();
        }
        for file in [
            "c.png",
            "a.png",
            "a.txt",
            ".a.png",
            "b/1.png",
            "b/deep/2.png",
            ".hidden/3.png",
            "out/4.png",
            "left/5.png",
        ] {
            fs_err::write(at(file), "").unwrap();
        }
        fs_err::write(at(".diptychignore"), "left\n").unwrap();
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::symlink;
            symlink(dir.path(), at("b/up")).unwrap();
            symlink(at("b/deep"), at("z")).unwrap();
        }
        let is_png = |path: &Path| path.extension().is_some_and(|e| e == "png");
        let found = find_files(dir.path(), is_png, Some(&at("out")));
        let found: Vec<PathBuf> = found.into_iter().map(Result::unwrap).collect();
        assert_eq!(found, ["a.png", "b/1.png", "b/deep/2.png", "c.png"].map(at));
        assert_eq!(find_files(&at("gone"), is_png, None).len(), 1);
    }
}
