//! Resolves a model's name. Nothing else decides what a name stands for.
//!
//! Order: the embedded model; a file or directory on the disk; a known architecture or a published
//! model. OpenAI's `ViT-B/32` is both of the last two: a caller that needs weights takes the
//! published model, one that needs only a description takes the architecture.

use std::path::{Path, PathBuf};

use super::describe::{architecture, architectures};
use super::names::{Published, published, published_as};
use super::{DEFAULT_MODEL, has_config};
use crate::{Error, Result};

/// The meaning of a model's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The model that is part of the program.
    Embedded,
    /// A checkpoint's directory, or a file of weights.
    Checkpoint(PathBuf),
    /// An architecture's JSON file.
    ArchitectureFile(PathBuf),
    /// No file on this disk. At least one of the two fields is set.
    Known {
        /// Name and JSON of a file of `models/`.
        architecture: Option<(&'static str, &'static str)>,
        /// Where its weights are published.
        published: Option<Published>,
    },
}

/// Finds out what `name` stands for.
///
/// # Errors
/// [`Error::Model`] if it is nothing.
pub(super) fn resolve(name: &Path) -> Result<Named> {
    if name == Path::new(DEFAULT_MODEL) {
        return Ok(Named::Embedded);
    }
    if name.is_dir() || is_weights(name) {
        return Ok(Named::Checkpoint(name.to_owned()));
    }
    if name.is_file() {
        return Ok(Named::ArchitectureFile(name.to_owned()));
    }
    let name = name.display().to_string();
    match (architecture(&name), published(&name)?) {
        (None, None) => Err(Error::Model {
            reason: format!(
                "is neither `{DEFAULT_MODEL}`, nor a checkpoint's directory or file, nor the name of a model like \
                 ViT-B/32, ViT-B-32:laion2b_s34b_b79k or google/siglip2-base-patch16-224, nor one of the \
                 architectures {}",
                architectures().collect::<Vec<_>>().join(", ")
            ),
            name,
        }),
        (architecture, published) => Ok(Named::Known {
            architecture,
            published,
        }),
    }
}

/// The error of an architecture where weights are needed.
pub(super) fn no_weights(name: String, architecture: Option<(&str, &str)>) -> Error {
    let published = architecture.map_or_else(Vec::new, |(name, _)| published_as(name));
    let reason = if published.is_empty() {
        "is an architecture, and this needs weights".to_owned()
    } else {
        let names = published.join(", ");
        format!("is an architecture; its weights are {names}")
    };
    Error::NoWeights { name, reason }
}

/// Whether `name` is an architecture's: a known one, in open_clip's spelling or OpenAI's, or a JSON
/// file like those.
pub fn is_architecture(name: &str) -> bool {
    match resolve(Path::new(name)) {
        Ok(Named::ArchitectureFile(_)) => true,
        Ok(Named::Known { architecture, .. }) => architecture.is_some(),
        _ => false,
    }
}

/// Resolves a model's name that is written in a file in `folder`: to the path of a file or of a
/// checkpoint's directory there, else to the name itself if it is known, else to the path where
/// something was expected. `default` always stays itself.
#[must_use]
pub fn named_in(folder: &Path, name: &str) -> String {
    let place = folder.join(name);
    // A run's own folder may bear its architecture's name.
    let is_there = place.is_file() || has_config(&place);
    // `runs/best` is no repository of the hub where there is a folder `runs`.
    let is_path = || {
        let first = name.split_once('/').map(|(first, _)| folder.join(first));
        first.is_some_and(|first| first.is_dir())
    };
    let is_known = || {
        architecture(name).is_some() || published(name).is_ok_and(|published| published.is_some())
    };
    if name == DEFAULT_MODEL || (!is_there && !is_path() && is_known()) {
        name.to_owned()
    } else {
        place.display().to_string()
    }
}

/// Whether there is a file here that could have weights: any but an architecture's JSON.
fn is_weights(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_file() && (!name.ends_with(".json") || name.ends_with(".index.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::CONFIG_FILE;

    #[test]
    fn what_lies_on_the_disk_goes_before_names_and_the_embedded_model_before_all() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::create_dir(at("default")).unwrap();
        fs_err::create_dir_all(at("ViT-B/32")).unwrap();
        fs_err::write(at("RN50"), "").unwrap();
        fs_err::write(at("a.json"), "").unwrap();
        fs_err::write(at("a.safetensors.index.json"), "").unwrap();
        let of = |name: &str| resolve(&at(name)).unwrap();
        for name in ["ViT-B/32", "RN50", "a.safetensors.index.json"] {
            assert_eq!(of(name), Named::Checkpoint(at(name)));
        }
        assert_eq!(of("a.json"), Named::ArchitectureFile(at("a.json")));
        assert_eq!(resolve(Path::new("default")).unwrap(), Named::Embedded);
        assert_eq!(named_in(folder.path(), "default"), "default");
        assert_eq!(
            named_in(folder.path(), "RN50"),
            at("RN50").display().to_string()
        );
        assert_eq!(named_in(folder.path(), "RN101"), "RN101");
        // A run's folder that bears its architecture's name is no checkpoint.
        fs_err::create_dir(at("RN50x4")).unwrap();
        assert_eq!(named_in(folder.path(), "RN50x4"), "RN50x4");
        fs_err::write(at("RN50x4").join(CONFIG_FILE), "{}").unwrap();
        let there = |name: &str| at(name).display().to_string();
        assert_eq!(named_in(folder.path(), "RN50x4"), there("RN50x4"));
        // What is missing is looked for beside the file, and nowhere else.
        fs_err::create_dir(at("runs")).unwrap();
        for missing in ["best", "runs/best", "gone.json"] {
            assert_eq!(named_in(folder.path(), missing), there(missing));
        }
        assert_eq!(named_in(folder.path(), "ViT-L/14"), "ViT-L/14");
    }

    #[test]
    fn a_name_may_be_an_architecture_and_published() {
        let kinds = |name: &str| match resolve(Path::new(name)).unwrap() {
            Named::Known {
                architecture,
                published,
            } => (architecture.map(|(name, _)| name), published.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(kinds("ViT-B/32"), (Some("ViT-B-32"), true));
        assert_eq!(kinds("ViT-B-32"), (Some("ViT-B-32"), false));
        assert_eq!(kinds("google/siglip2-base-patch16-224"), (None, true));
        assert!(is_architecture("ViT-L/14@336px") && !is_architecture("google/siglip"));
        let error = resolve(Path::new("nothing")).unwrap_err().to_string();
        assert!(error.starts_with("model `nothing` is neither"), "{error}");
    }
}
