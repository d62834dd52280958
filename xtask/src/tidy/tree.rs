//! Rules on the tree of files: data must be readable, explained and small.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Violation;
use super::repo::Repo;

/// The most bytes a file may have without a place in [`LARGE_FILES`].
const MAX_BYTES: usize = 1 << 20;

/// Files that may be larger: the end of the path, most bytes, and why git holds it at all.
const LARGE_FILES: &[(&str, usize, &str)] = &[
    (
        "crates/default-model/model/open_clip_model.safetensors",
        24_000_000,
        "the default model, embedded so that the binary works without a download",
    ),
    (
        "crates/default-model/legs/1/open_clip_model.safetensors",
        9_500_000,
        "the next default model as far as it is trained, from which its training goes on",
    ),
];

/// Every `models/*.json` is JSON; the library's own tests read what is in it.
pub(super) fn model_configs(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repo.texts(&["json"]) {
        if path.split('/').rev().nth(1) != Some("models") {
            continue;
        }
        if let Err(error) = serde_json::from_str::<Value>(text) {
            violations.push(Violation::new(path, error.line(), error.to_string()));
        }
    }
    violations
}

/// Every folder in a crate's `tests/golden` holds the `versions.json` of what made it.
pub(super) fn golden_versions(repo: &Repo) -> Vec<Violation> {
    let paths: BTreeSet<&str> = repo.files.iter().map(|file| file.path.as_str()).collect();
    let folders: BTreeSet<String> = paths
        .iter()
        .filter_map(|path| golden_folder(path))
        .collect();
    folders
        .iter()
        .filter(|folder| !paths.contains(format!("{folder}/versions.json").as_str()))
        .map(|folder| Violation::new(folder, 0, "has no versions.json to say what made it"))
        .collect()
}

/// `crates/a/tests/golden/b` for any file below it.
fn golden_folder(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["crates", name, "tests", "golden", folder, _, ..] => {
            Some(format!("crates/{name}/tests/golden/{folder}"))
        }
        _ => None,
    }
}

/// No file is larger than [`MAX_BYTES`], or than its own limit in [`LARGE_FILES`].
pub(super) fn large_files(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &repo.files {
        let listed = LARGE_FILES
            .iter()
            .find(|(path, ..)| file.path.ends_with(path));
        let limit = listed.map_or(MAX_BYTES, |(_, limit, _)| *limit);
        if file.bytes > limit {
            let message = format!(
                "{} bytes, more than {limit}; if it must be in git, list it with its reason in \
                 xtask/src/tidy/tree.rs",
                file.bytes
            );
            violations.push(Violation::new(&file.path, 0, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::repo::tests::repo;
    use super::*;

    #[test]
    fn a_model_config_that_is_not_json_is_found_with_its_line() {
        let found = model_configs(&repo(&[("models/a.json", "{\n  \"width\": ,\n}")]));
        assert_eq!((found.len(), found[0].line), (1, 2));
        let fine = [
            ("crates/diptych/models/a.json", "{}"),
            ("tests/broken.json", "{"),
        ];
        assert!(model_configs(&repo(&fine)).is_empty());
    }

    #[test]
    fn a_golden_folder_without_versions_is_found() {
        let golden = [
            ("crates/a/tests/golden/README.md", ""),
            ("crates/a/tests/golden/vit/deep/x.npy", ""),
            ("crates/a/tests/golden/resnet/x.npy", ""),
            ("crates/a/tests/golden/resnet/versions.json", "{}"),
        ];
        let found = golden_versions(&repo(&golden));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/a/tests/golden/vit");
    }

    #[test]
    fn a_large_file_is_found_unless_it_is_listed() {
        let large = "x".repeat(MAX_BYTES + 1);
        let (listed, ..) = LARGE_FILES[0];
        let found = large_files(&repo(&[("a.bin", &large), (listed, &large)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "a.bin");
    }
}
