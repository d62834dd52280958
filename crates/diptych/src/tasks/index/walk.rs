//! Folders and files as asked for → the pictures in them, with sizes and times.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;
use index::File;

use super::Options;
use crate::image::is_picture_name;
use crate::{Error, Result};

/// A file in a folder that says what is not to be indexed, as `.gitignore` does for git.
pub const IGNORE_FILE: &str = ".diptychignore";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of their paths, each once.
    pub(super) files: Vec<File>,
    /// Folders and files that can't be read: nothing is known of what is in them.
    pub(super) unreadable: Vec<(String, String)>,
}

/// Looks for pictures in folders, and takes files as they are named.
pub(super) fn walk(roots: &[PathBuf], options: &Options) -> Result<Found> {
    let mut found = Found::default();
    for root in roots {
        match fs_err::metadata(root) {
            Ok(meta) if meta.is_dir() => folder(root, options, &mut found)?,
            Ok(_) => file(root, &mut found),
            Err(error) => {
                let path = root.to_string_lossy().into_owned();
                found.unreadable.push((path, error.to_string()));
            }
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.files.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn folder(root: &Path, options: &Options, found: &mut Found) -> Result<()> {
    let mut excluded = OverrideBuilder::new(root);
    for pattern in &options.exclude {
        // What `ignore` calls an override is wanted, unless it is negated.
        excluded
            .add(&format!("!{pattern}"))
            .map_err(|e| Error::Config {
                origin: format!("exclude `{pattern}`"),
                reason: e.to_string(),
            })?;
    }
    let excluded = excluded.build().map_err(|e| Error::Config {
        origin: "exclude".into(),
        reason: e.to_string(),
    })?;
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(!options.hidden)
        .add_custom_ignore_filename(IGNORE_FILE)
        .follow_links(true)
        .overrides(excluded)
        .build();
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                if is_picture_name(entry.path()) {
                    file(entry.path(), found);
                }
            }
            Ok(_) => {}
            Err(error) => unreadable(&error, root, found),
        }
    }
    Ok(())
}

/// Notes what can't be read; a link to a folder above it is no fault, and was followed once.
fn unreadable(error: &ignore::Error, root: &Path, found: &mut Found) {
    let mut inner = error;
    let mut path = root.to_owned();
    loop {
        match inner {
            ignore::Error::Loop { .. } => return,
            ignore::Error::WithPath { path: of, err } => {
                path.clone_from(of);
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                inner = err;
            }
            _ => break,
        }
    }
    // A link that leads nowhere hides nothing.
    let is_dangling = path.is_symlink() && !path.exists();
    if !is_dangling {
        let path = path.to_string_lossy().into_owned();
        found.unreadable.push((path, inner.to_string()));
    }
}

fn file(path: &Path, found: &mut Found) {
    let lossy = path.to_string_lossy().into_owned();
    let Some(name) = path.to_str() else {
        let reason = "its name is not UTF-8, and an index holds no others".to_owned();
        found.unreadable.push((lossy, reason));
        return;
    };
    match state(name) {
        Ok(file) => found.files.push(file),
        Err(error) => found.unreadable.push((lossy, error.to_string())),
    }
}

/// A file as it is now.
pub(super) fn state(path: &str) -> std::io::Result<File> {
    let meta = fs_err::metadata(path)?;
    Ok(File {
        path: path.to_owned(),
        size: meta.len(),
        modified: nanoseconds(&meta),
    })
}

/// When a file was changed, since 1970 began.
fn nanoseconds(meta: &std::fs::Metadata) -> i64 {
    let since = meta
        .modified()
        .map(|time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        });
    since.unwrap_or(0)
}
