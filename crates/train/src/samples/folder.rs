//! A folder per class: `cat/1.jpg`, `cat/day1/2.jpg`, `sea_lion/1.jpg`, as torchvision's
//! `ImageFolder`.
//!
//! A class is called as its folder, with spaces for underscores; commas separate several names.
//! What lies deeper is of the class of the first folder. Folders and pictures come in alphabetical
//! order, so that a set is the same on every machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};

use super::Found;
use super::passed_over::Reason;
use super::sample::Sample;
use crate::{Error, Result};
use diptych::image::is_picture_name;

/// Names of files that a system leaves in folders of pictures, as little a part of a set as hidden
/// ones.
const OF_THE_SYSTEM: &[&str] = &["Thumbs.db", "desktop.ini"];

/// Finds the pictures of every class.
///
/// # Errors
/// [`Error::Io`] if the folder can't be read, [`Error::Data`] if there is no picture.
pub(super) fn read(root: &Path) -> Result<Found> {
    let mut classes = Classes {
        root,
        origin: root.into(),
        found: Found::default(),
    };
    for path in list(root)? {
        if path.is_dir() {
            classes.add(&path);
        } else if is_picture_name(&path) {
            classes.pass_over(Reason::Outside, &path, "it is in no class's folder");
        } else {
            classes.pass_over(Reason::OtherFile, &path, "it is in no class's folder");
        }
    }
    classes.found.or_none(root)
}

/// A folder of classes while it is read.
struct Classes<'a> {
    root: &'a Path,
    origin: Arc<Path>,
    found: Found,
}

impl Classes<'_> {
    /// Adds the pictures of a class, at any depth.
    fn add(&mut self, folder: &Path) {
        let name = folder.file_name().unwrap_or_default();
        let Some(class) = name.to_str().map(|name| name.replace('_', " ")) else {
            return self.pass_over(Reason::Class, folder, "its name is not UTF-8");
        };
        if class.trim().is_empty() {
            return self.pass_over(
                Reason::Class,
                folder,
                "its name has nothing but `_` and blanks",
            );
        }
        let entries = WalkBuilder::new(folder)
            .standard_filters(false)
            .hidden(true)
            .follow_links(true)
            .sort_by_file_path(Path::cmp)
            .build();
        for entry in entries {
            match entry {
                Ok(entry) => self.add_entry(&entry, class.trim()),
                Err(error) => self.pass_over_error(&error, folder),
            }
        }
    }

    fn add_entry(&mut self, entry: &DirEntry, class: &str) {
        let path = entry.path();
        let kind = entry.file_type();
        let is_folder = kind.is_some_and(|kind| kind.is_dir());
        if is_folder || OF_THE_SYSTEM.iter().any(|name| entry.file_name() == *name) {
            return;
        }
        if !is_picture_name(path) {
            return self.pass_over(Reason::OtherFile, path, "its name is no picture's");
        }
        if !kind.is_some_and(|kind| kind.is_file()) {
            return self.pass_over(Reason::Unreadable, path, "it is not a file");
        }
        let key = self.key(path);
        self.found.samples.push(Sample::in_file(
            self.origin.clone(),
            key,
            vec![class.to_owned()],
            path.to_owned(),
        ));
    }

    /// Notes what a walk could not go into. A folder that is linked into itself is there once, and
    /// no loss.
    fn pass_over_error(&mut self, error: &ignore::Error, path: &Path) {
        match error {
            ignore::Error::Loop { .. } => {}
            ignore::Error::WithDepth { err, .. } => self.pass_over_error(err, path),
            ignore::Error::WithPath { path, err } => self.pass_over_error(err, path),
            error if path.is_symlink() => self.pass_over(Reason::Link, path, error),
            error => self.pass_over(Reason::Folder, path, error),
        }
    }

    fn pass_over(&mut self, reason: Reason, path: &Path, what: impl std::fmt::Display) {
        let (root, key) = (self.root.display(), self.key(path));
        let example = format_args!("{root}: {key}: {what}");
        self.found.passed_over.add(reason, example);
    }

    fn key(&self, path: &Path) -> String {
        let key = path.strip_prefix(self.root).unwrap_or(path);
        key.display().to_string()
    }
}

/// Paths of a folder that are neither hidden nor the system's, in alphabetical order.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let entry = entry.map_err(Error::Io)?;
        let name = entry.file_name();
        let is_of_system = OF_THE_SYSTEM.iter().any(|of| name == *of);
        if !is_of_system && !name.to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
