//! A folder per class: `cat/1.jpg`, `cat/2.jpg`, `sea_lion/1.jpg`, as torchvision's `ImageFolder`.
//!
//! A class is called as its folder, with spaces for underscores; commas separate several names. Folders and pictures come in
//! alphabetical order, so that a set is the same on every machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Found;
use super::sample::{Place, Sample};
use crate::image::is_picture_extension;
use crate::{Error, Result};

/// Finds the pictures of every class.
///
/// # Errors
/// [`Error::Io`] if a folder can't be read, [`Error::Shard`] if there is no picture.
pub(super) fn read(root: &Path) -> Result<Found> {
    let mut found = Found::default();
    let origin: Arc<Path> = root.into();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap_or_default();
        let class = name.to_str().map(|name| name.replace('_', " "));
        let class = class.filter(|class| !class.trim().is_empty());
        let Some(class) = class else {
            let error = Error::Shard {
                path: root.to_owned(),
                reason: format!(
                    "folder {}: the name is no class's, in UTF-8",
                    name.display()
                ),
            };
            found.skipped.push(error.to_string());
            continue;
        };
        let is_ours = |path: &PathBuf| {
            let extension = path.extension().and_then(|e| e.to_str());
            extension.is_some_and(is_picture_extension) && path.is_file()
        };
        for path in list(&folder)?.into_iter().filter(is_ours) {
            let key = path.strip_prefix(root).unwrap_or(&path);
            found.samples.push(Sample {
                origin: origin.clone(),
                key: key.display().to_string(),
                texts: vec![class.trim().to_owned()],
                place: Place::File(path),
            });
        }
    }
    found.or_none(root)
}

/// What lies in a folder and is not hidden, in alphabetical order.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(Error::Io)? {
        let entry = entry.map_err(Error::Io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
