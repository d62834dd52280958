//! `--sort-into`: a picture and its label → the picture in the folder of that label.
//!
//! Invariant: nothing that is there is changed or removed, and a picture whose content is there by
//! its name is not put there again, so that a run may be repeated. What is copied appears whole or
//! not at all.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Result as Io};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use diptych_files::Replacement;

use crate::args::Placing;
use crate::output::{error, hinted, quoted};

/// Puts pictures into folders.
pub(super) struct Sorter {
    into: PathBuf,
    placing: Placing,
    /// The folder of each label.
    folders: BTreeMap<String, PathBuf>,
    put: usize,
    there: usize,
}

impl Sorter {
    /// A folder below `into` for each of `labels`, made when a picture comes into it.
    pub(super) fn new(into: PathBuf, placing: Placing, labels: &[String]) -> Result<Self> {
        let mut folders = BTreeMap::new();
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        for label in labels {
            let name = folder_name(label);
            // Some systems know no case.
            match owners.insert(name.to_lowercase(), label) {
                Some(other) if other.to_lowercase() != label.to_lowercase() => bail!(
                    "labels `{other}` and `{label}` would both have the folder `{name}`; `--sort-into` wants names that differ"
                ),
                _ => folders.insert(label.clone(), into.join(name)),
            };
        }
        Ok(Self {
            into,
            placing,
            folders,
            put: 0,
            there: 0,
        })
    }

    /// Puts a picture into its label's folder, or reports why it can't be; the place where it is
    /// then.
    pub(super) fn put(&mut self, picture: &Path, label: &str) -> Option<PathBuf> {
        match self.try_put(picture, label) {
            Ok(place) => Some(place),
            Err(failure) => {
                error(&failure);
                None
            }
        }
    }

    fn try_put(&mut self, picture: &Path, label: &str) -> Result<PathBuf> {
        let folder = self
            .folders
            .get(label)
            .with_context(|| format!("label `{label}` has no folder"))?;
        fs_err::create_dir_all(folder)?;
        let mut n = 0;
        loop {
            n += 1;
            let place = folder.join(numbered(picture, n)?);
            match self.place(picture, &place) {
                Ok(()) => {
                    self.put += 1;
                    return Ok(place);
                }
                Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {
                    if same_content(picture, &place)? {
                        self.there += 1;
                        return Ok(place);
                    }
                }
                Err(failed) => {
                    let failed = anyhow!(failed).context(format!(
                        "cannot put {} into {}",
                        quoted(picture),
                        quoted(folder)
                    ));
                    return Err(match self.placing {
                        Placing::HardLink => hinted(
                            failed,
                            "a second name is of one disk; `--sort-with symlink` or `copy` leads to others",
                        ),
                        Placing::Copy | Placing::SymbolicLink => failed,
                    });
                }
            }
        }
    }

    /// Puts a picture at a place.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is anything.
    fn place(&self, picture: &Path, place: &Path) -> Io<()> {
        match self.placing {
            Placing::Copy => copy(picture, place),
            Placing::HardLink => fs_err::hard_link(fs_err::canonicalize(picture)?, place),
            Placing::SymbolicLink => symlink(&fs_err::canonicalize(picture)?, place),
        }
    }
}

impl fmt::Display for Sorter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            into, put, there, ..
        } = self;
        let what = match self.placing {
            Placing::Copy => "copied",
            Placing::HardLink | Placing::SymbolicLink => "linked",
        };
        write!(
            f,
            "{put} {what} into {}, {there} there already",
            quoted(into)
        )
    }
}

/// A label as the name of one folder.
fn folder_name(label: &str) -> String {
    /// Characters that names can't have: `/` on any system, the others on Windows.
    const FORBIDDEN: &str = "/\\:*?\"<>|";
    let of = |c: char| {
        if c.is_control() || FORBIDDEN.contains(c) {
            '_'
        } else {
            c
        }
    };
    let name: String = label.chars().map(of).collect();
    // `.` and `..` are other folders, a dot in front hides a name, and Windows cuts a dot at the
    // end.
    match name.trim_matches(|c: char| c == '.' || c.is_whitespace()) {
        "" => "_".to_owned(),
        name => name.to_owned(),
    }
}

/// The picture's name; from the second on `NAME-2.jpg`.
fn numbered(picture: &Path, n: usize) -> Result<PathBuf> {
    let name = picture
        .file_name()
        .with_context(|| format!("{} has no name", quoted(picture)))?;
    if n == 1 {
        return Ok(name.into());
    }
    let mut numbered = picture.file_stem().unwrap_or(name).to_owned();
    numbered.push(format!("-{n}"));
    if let Some(extension) = picture.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    Ok(numbered.into())
}

/// Copies bytes and the time of the last change, which may be all that tells when a picture was
/// taken.
fn copy(picture: &Path, place: &Path) -> Io<()> {
    if fs_err::symlink_metadata(place).is_ok() {
        return Err(ErrorKind::AlreadyExists.into()); // before all is copied for nothing
    }
    let mut from = fs_err::File::open(picture)?;
    let modified = from.metadata()?.modified();
    let mut to = Replacement::create(place)?;
    std::io::copy(&mut from, &mut to)?;
    if let Ok(modified) = modified {
        to.set_modified(modified)?;
    }
    to.commit_new()
}

#[cfg(unix)]
fn symlink(target: &Path, place: &Path) -> Io<()> {
    fs_err::os::unix::fs::symlink(target, place)
}

#[cfg(windows)]
fn symlink(target: &Path, place: &Path) -> Io<()> {
    fs_err::os::windows::fs::symlink_file(target, place)
}

/// Whether two files have the same bytes; what is no file, as a link that leads nowhere, is none's
/// content.
fn same_content(a: &Path, b: &Path) -> Io<bool> {
    let (Ok(of_a), Ok(of_b)) = (diptych_files::metadata(a), diptych_files::metadata(b)) else {
        return Ok(false);
    };
    if !of_b.is_file() || of_a.len() != of_b.len() {
        return Ok(false);
    }
    let open =
        |path: &Path| fs_err::File::open(path).map(|file| BufReader::with_capacity(1 << 16, file));
    let (mut a, mut b) = (open(a)?, open(b)?);
    loop {
        let (of_a, of_b) = (a.fill_buf()?, b.fill_buf()?);
        let n = of_a.len().min(of_b.len());
        if n == 0 || of_a[..n] != of_b[..n] {
            return Ok(of_a.is_empty() && of_b.is_empty());
        }
        a.consume(n);
        b.consume(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_name_of_one_folder() {
        for (label, want) in [
            ("sailing ship", "sailing ship"),
            ("a/b", "a_b"),
            ("..", "_"),
            ("../../etc", "_.._etc"),
            (" .hidden. ", "hidden"),
            ("C:\\x\n", "C__x_"),
            ("猫", "猫"),
        ] {
            assert_eq!(folder_name(label), want);
        }
        let labels = ["a/b", "A_B", "c"].map(str::to_owned);
        let refused = Sorter::new("out".into(), Placing::Copy, &labels)
            .err()
            .unwrap();
        assert!(refused.to_string().contains("`a/b` and `A_B`"), "{refused}");
    }

    #[test]
    fn names_are_numbered_before_their_extension() {
        let name = |path: &str| numbered(Path::new(path), 2).unwrap();
        assert_eq!(name("x/a.b.jpg"), Path::new("a.b-2.jpg"));
        assert_eq!(name("x/a"), Path::new("a-2"));
    }
}
