//! Run files that say only how they differ from another one.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Error, Result};

/// The key that names the other file.
const EXTENDS: &str = "extends";

/// Reads the TOML file at `path`. What it does not say is taken from the file that its key
/// `extends` names, which may extend another in turn. Tables are joined key by key, lists are
/// replaced whole.
///
/// The other file lies beside this one, so relative paths of both mean the same.
///
/// # Errors
/// [`Error::Io`] if a file can't be read, [`Error::RunFile`] if it is no TOML or no `T`, or extends
/// what it can't.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs_err::read_to_string(path).map_err(Error::Io)?;
    let mut joined = table(path, &text)?;
    if !joined.contains_key(EXTENDS) {
        // Unlike a joined table's, the error of a text shows its line.
        return toml::from_str(&text).map_err(|e| refuse(path, e.to_string()));
    }
    let mut names = vec![path.file_name().unwrap_or_default().to_owned()];
    while let Some(extended) = joined.remove(EXTENDS) {
        let name = extended.as_str().map(Path::new).unwrap_or(Path::new(""));
        if name.file_name() != Some(name.as_os_str()) {
            let reason = format!("`{EXTENDS}` is {extended}, wanted the name of a file beside it");
            return Err(refuse(path, reason));
        }
        let other = path.with_file_name(name);
        if names.iter().any(|known| known == name.as_os_str()) {
            let reason = format!("by `{EXTENDS}`, {} comes again", other.display());
            return Err(refuse(path, reason));
        }
        names.push(name.as_os_str().to_owned());
        let text = fs_err::read_to_string(&other).map_err(Error::Io)?;
        let mut base = table(&other, &text)?;
        join(&mut base, joined);
        joined = base;
    }
    joined
        .try_into()
        .map_err(|e: toml::de::Error| refuse(path, e.to_string()))
}

fn table(path: &Path, text: &str) -> Result<Table> {
    toml::from_str(text).map_err(|e| refuse(path, e.to_string()))
}

fn refuse(path: &Path, reason: String) -> Error {
    Error::RunFile {
        origin: path.display().to_string(),
        reason,
    }
}

/// Puts what `over` says in the place of what `base` says.
fn join(base: &mut Table, over: Table) {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(mut old)), Value::Table(new)) => {
                join(&mut old, new);
                Value::Table(old)
            }
            (_, new) => new,
        };
        base.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of these names and texts in a new folder.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs_err::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn a_file_says_how_it_differs() {
        let dir = folder(&[
            ("1.toml", "a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 2\n"),
            ("2.toml", "extends = \"1.toml\"\nlist = [3]\n[t]\ny = 3\n"),
            ("3.toml", "extends = \"2.toml\"\nb = 4\n"),
        ]);
        let read: Table = read(&dir.path().join("3.toml")).unwrap();
        let wanted = "a = 1\nb = 4\nlist = [3]\n[t]\nx = 1\ny = 3\n";
        assert_eq!(read, toml::from_str(wanted).unwrap());
    }

    #[test]
    fn what_cannot_be_extended_is_refused() {
        let dir = folder(&[
            ("number.toml", "extends = 3"),
            ("elsewhere.toml", "extends = \"../1.toml\""),
            ("parent.toml", "extends = \"..\""),
            ("itself.toml", "extends = \"itself.toml\""),
            ("ring-1.toml", "extends = \"ring-2.toml\""),
            ("ring-2.toml", "extends = \"ring-1.toml\""),
            ("broken.toml", "a = "),
            ("of-broken.toml", "extends = \"broken.toml\""),
            ("missing.toml", "extends = \"nowhere.toml\""),
        ]);
        for (name, wanted) in [
            ("number.toml", "`extends` is 3, wanted the name of a file"),
            ("elsewhere.toml", "wanted the name of a file beside it"),
            ("parent.toml", "wanted the name of a file beside it"),
            ("itself.toml", "itself.toml comes again"),
            ("ring-1.toml", "ring-1.toml comes again"),
            ("of-broken.toml", "broken.toml: "),
            ("missing.toml", "nowhere.toml"),
        ] {
            let error = read::<Table>(&dir.path().join(name)).unwrap_err();
            let message = format!("{error:#?} {error}");
            assert!(message.contains(wanted), "{name}: {message}");
        }
    }
}
