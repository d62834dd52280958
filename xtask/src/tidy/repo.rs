//! Input of the rules: the files, and the crates with their direct dependencies.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::cargo;

/// A snapshot of the repository.
#[derive(Debug, Default)]
pub(super) struct Repo {
    pub(super) files: Vec<File>,
    pub(super) crates: Vec<Crate>,
}

/// A file in the working tree.
#[derive(Debug)]
pub(super) struct File {
    /// From the root, with `/` between folders on every system.
    pub(super) path: String,
    pub(super) bytes: usize,
    /// None for a binary file.
    pub(super) text: Option<String>,
}

/// A workspace member.
#[derive(Debug)]
pub(super) struct Crate {
    /// Its folder from the root, such as `crates/diptych`.
    pub(super) folder: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// A direct dependency as the manifest states it.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The package's name, also where the manifest renames it.
    pub(super) name: String,
    /// The folder from the root, for a crate of this workspace.
    pub(super) folder: Option<String>,
    /// Only tests, benches and examples see it.
    pub(super) is_dev: bool,
}

impl Repo {
    /// Reads every file that git knows, and every manifest; none in a tree without git, as an
    /// archive of the source is.
    ///
    /// # Errors
    /// If git fails, or a file or manifest can't be read.
    pub(super) fn open(root: &Path) -> Result<Option<Self>> {
        let Some(files) = git_files(root)? else {
            return Ok(None);
        };
        let files = files
            .into_iter()
            .filter(|path| root.join(path).is_file()) // deleted but not yet committed
            .map(|path| {
                let bytes = fs_err::read(root.join(&path))?;
                Ok(File::new(path, bytes))
            })
            .collect::<Result<_>>()?;
        let crates = read_crates().context("cannot read the workspace's manifests")?;
        Ok(Some(Self { files, crates }))
    }

    /// Text files whose extension is one of `extensions`, as path and content.
    pub(super) fn texts(&self, extensions: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(move |file| {
            let extension = Path::new(&file.path).extension()?.to_str()?;
            let text = file
                .text
                .as_deref()
                .filter(|_| extensions.contains(&extension))?;
            Some((file.path.as_str(), text))
        })
    }
}

impl File {
    fn new(path: String, content: Vec<u8>) -> Self {
        let bytes = content.len();
        let text = String::from_utf8(content)
            .ok()
            .filter(|text| !text.contains('\0'));
        Self { path, bytes, text }
    }
}

/// The files that were added to git, committed or not. What else lies about, a build or a converted
/// model, is no part of the project.
fn git_files(root: &Path) -> Result<Option<Vec<String>>> {
    // Without one of its own the tree may lie in another project's, whose files are not meant.
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let output = Command::new("git")
        // CI may run as another user than the one who cloned.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached"])
        .current_dir(root)
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        output => output.context("cannot start git")?,
    };
    if !output.status.success() {
        bail!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let paths = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
    let paths = paths.split_terminator('\0').map(str::to_owned);
    Ok(Some(paths.collect()))
}

fn read_crates() -> Result<Vec<Crate>> {
    let output = cargo(&["metadata", "--no-deps", "--format-version=1"]).output()?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    parse_crates(&serde_json::from_slice(&output.stdout)?)
}

/// The crates in the answer of `cargo metadata`.
fn parse_crates(metadata: &Value) -> Result<Vec<Crate>> {
    let root = text(metadata, "workspace_root")?;
    let from_root = |path: &str| -> Option<String> {
        let folder = Path::new(path).strip_prefix(root).ok()?.to_str()?;
        Some(folder.replace('\\', "/"))
    };
    let parse_crate = |package: &Value| -> Result<Crate> {
        let manifest = text(package, "manifest_path")?;
        let folder = from_root(manifest.trim_end_matches("Cargo.toml"))
            .with_context(|| format!("{manifest} is outside the workspace"))?;
        let dependencies = list(package, "dependencies")?.iter().map(|dependency| {
            Ok(Dependency {
                name: text(dependency, "name")?.to_owned(),
                folder: dependency["path"].as_str().and_then(from_root),
                is_dev: dependency["kind"] == "dev",
            })
        });
        Ok(Crate {
            folder,
            dependencies: dependencies.collect::<Result<_>>()?,
        })
    };
    list(metadata, "packages")?
        .iter()
        .map(parse_crate)
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("cargo metadata has no text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key]
        .as_array()
        .with_context(|| format!("cargo metadata has no list `{key}`"))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A repository of the given files alone.
    pub(in crate::tidy) fn repo(files: &[(&str, &str)]) -> Repo {
        let file =
            |(path, text): &(&str, &str)| File::new((*path).to_owned(), text.as_bytes().to_vec());
        Repo {
            files: files.iter().map(file).collect(),
            crates: Vec::new(),
        }
    }

    #[test]
    fn files_that_git_does_not_know_are_not_looked_at() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        fs_err::write(root.join("known.rs"), "").unwrap();
        fs_err::create_dir_all(root.join("benchmarks/x/target")).unwrap();
        fs_err::write(root.join("benchmarks/x/target/built.rs"), "").unwrap();
        assert_eq!(git_files(root).unwrap(), None);
        for args in [&["init", "--quiet"][..], &["add", "known.rs"]] {
            let git = Command::new("git").args(args).current_dir(root).status();
            match git {
                Err(error) if error.kind() == ErrorKind::NotFound => return,
                status => assert!(status.unwrap().success()),
            }
        }
        assert_eq!(git_files(root).unwrap(), Some(vec!["known.rs".into()]));
    }

    #[test]
    fn binary_files_have_no_text() {
        assert!(File::new("a".into(), vec![0xff, 0xfe]).text.is_none());
        assert!(File::new("a".into(), b"a\0b".to_vec()).text.is_none());
        assert_eq!(
            File::new("a".into(), b"ab".to_vec()).text.as_deref(),
            Some("ab")
        );
    }

    #[test]
    fn crates_are_named_by_their_folders() {
        let metadata = json!({
            "workspace_root": "/w",
            "packages": [{
                "manifest_path": "/w/crates/cli/Cargo.toml",
                "dependencies": [
                    { "name": "diptych", "path": "/w/crates/diptych", "kind": null },
                    { "name": "tempfile", "kind": "dev" },
                ],
            }],
        });
        let crates = parse_crates(&metadata).unwrap();
        assert_eq!(crates[0].folder, "crates/cli");
        assert_eq!(
            crates[0].dependencies[0].folder.as_deref(),
            Some("crates/diptych")
        );
        assert!(crates[0].dependencies[1].is_dev);
    }
}
