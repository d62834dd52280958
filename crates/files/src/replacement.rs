//! Writing files and directories so that one appears under its name when it is whole, or not at
//! all.

use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::{Builder, NamedTempFile, PathPersistError, TempPath};

type Result<T, E = Error> = std::result::Result<T, E>;

/// Beginning of the name of what is not whole yet: whoever finds it, and nobody at work, may remove
/// it.
pub const TEMPORARY: &str = ".diptych-";

/// A file that takes the place of the one at its path, if there is one, when it is whole. Dropped
/// before that, it leaves no trace.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    file: BufWriter<File>,
    /// Where it is written until it is whole; none if `path` is a device or a pipe.
    temporary: Option<TempPath>,
}

impl Replacement {
    /// Begins a file beside `path`, with the permissions of any new file.
    ///
    /// # Errors
    /// If there can be none.
    pub fn create(path: &Path) -> Result<Self> {
        let (file, temporary) = beside(path)
            .map_err(|e| cannot_write(path, e))?
            .into_parts();
        Ok(Self::new(path.to_owned(), file, Some(temporary)))
    }

    /// [`Replacement::create`] for a path that a person named: what a link leads to is replaced,
    /// and not the link; a device or a pipe is written to as it is.
    ///
    /// # Errors
    /// As [`Replacement::create`], and if there is a directory.
    pub fn create_named(path: &Path) -> Result<Self> {
        let at = |e| cannot_write(path, e);
        let target = fs_err::canonicalize(path).unwrap_or_else(|_| led_to(path));
        match crate::metadata(&target) {
            Ok(found) if found.is_dir() => Err(at(Error::other("it is a directory"))),
            Ok(found) if !found.is_file() => {
                let mut options = fs_err::OpenOptions::new();
                let device = options.write(true).open(&target).map_err(at)?;
                Ok(Self::new(target, device.into_parts().0, None))
            }
            _ => Self::create(&target),
        }
    }

    fn new(path: PathBuf, file: File, temporary: Option<TempPath>) -> Self {
        Self {
            path,
            file: BufWriter::with_capacity(1 << 16, file),
            temporary,
        }
    }

    /// The path that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file another time of its last change.
    ///
    /// # Errors
    /// If it can't be.
    pub fn set_modified(&mut self, time: SystemTime) -> Result<()> {
        self.flush()?; // what is written later would change it again
        let set = self.file.get_ref().set_modified(time);
        set.map_err(|e| cannot_write(&self.path, e))
    }

    /// Gives the whole file its name, once it is on the disk.
    ///
    /// # Errors
    /// If it can't be written, or can't take its place.
    pub fn commit(self) -> Result<()> {
        self.commit_by(|temporary, path| temporary.persist(path))
    }

    /// [`Replacement::commit`], if nothing has that name.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](std::io::ErrorKind) if something has, which stays as it is;
    /// else as there.
    pub fn commit_new(self) -> Result<()> {
        self.commit_by(|temporary, path| temporary.persist_noclobber(path))
    }

    fn commit_by(
        self,
        persist: impl FnOnce(TempPath, &Path) -> Result<(), PathPersistError>,
    ) -> Result<()> {
        let at = |e| cannot_write(&self.path, e);
        let file = self.file.into_inner().map_err(|e| at(e.into_error()))?;
        let Some(temporary) = self.temporary else {
            return Ok(());
        };
        file.sync_all().map_err(at)?;
        persist(temporary, &self.path).map_err(|e| at(e.error))
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file
            .write(bytes)
            .map_err(|e| cannot_write(&self.path, e))
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|e| cannot_write(&self.path, e))
    }
}

impl Seek for Replacement {
    fn seek(&mut self, place: SeekFrom) -> Result<u64> {
        self.file
            .seek(place)
            .map_err(|e| cannot_write(&self.path, e))
    }
}

/// Writes a whole file, in the place of an older one if there is one.
///
/// # Errors
/// If it can't be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, |file| file.write_all(bytes))
}

/// [`replace`] of a file that a user named, which may be a link or a device: neither is taken away.
///
/// # Errors
/// If it can't be written.
pub fn replace_named(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Replacement::create_named(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// [`replace`] by what `fill` writes.
///
/// # Errors
/// If it can't be written, and those of `fill`.
pub fn replace_with<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&mut Replacement) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut file = Replacement::create(path)?;
    fill(&mut file)?;
    Ok(file.commit()?)
}

/// Makes the directory `place` out of what `fill` writes into a new one; whoever opens it finds all
/// of that, or what was there before.
///
/// # Errors
/// If it can't be written, and those of `fill`.
pub fn replace_directory<E: From<Error>>(
    place: &Path,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let parent = parent(place);
    fs_err::create_dir_all(parent)?;
    let new_directory = || {
        let mut builder = Builder::new();
        builder.prefix(TEMPORARY);
        // Temporary directories are private; what we write is as readable as any other.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        builder
            .tempdir_in(parent)
            .map_err(|e| cannot_write(place, e))
    };
    let new = new_directory()?;
    fill(new.path())?;
    if exchange(new.path(), place) {
        return Ok(()); // what was there goes with `new`
    }
    // Where the system can't exchange two directories, there is a moment without either.
    let mut old = None; // kept until the end
    if place.exists() {
        let aside = new_directory()?;
        fs_err::rename(place, aside.path().join("old"))?;
        old = Some(aside);
    }
    let new = new.keep();
    if let Err(error) = fs_err::rename(&new, place) {
        // What was there must not go with its temporary name.
        if let Some(old) = &old {
            let _ = fs_err::rename(old.path().join("old"), place);
        }
        let _ = fs_err::remove_dir_all(new);
        return Err(error.into());
    }
    Ok(())
}

/// Contents of a place that [`replace_directory`] must not replace: a file, or a directory that has
/// something in it and is none of `is_ours`.
///
/// # Errors
/// If the directory can't be looked into.
pub fn occupied(place: &Path, is_ours: impl FnOnce(&Path) -> bool) -> Result<Option<&'static str>> {
    if !place.is_dir() {
        return Ok(place.exists().then_some("a file"));
    }
    let is_occupied = !is_ours(place) && fs_err::read_dir(place)?.next().is_some();
    Ok(is_occupied.then_some("a directory"))
}

/// Exchanges two directories at one stroke; false, if the second is not there or the system can't.
fn exchange(new: &Path, place: &Path) -> bool {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE).is_ok()
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (new, place);
        false
    }
}

/// The place that a link which leads nowhere yet leads to; a path that is no link, as it is.
fn led_to(path: &Path) -> PathBuf {
    let target = fs_err::read_link(path).map(|target| parent(path).join(target));
    target.unwrap_or_else(|_| path.to_owned())
}

/// A temporary file in the directory of `path`.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    // Temporary files are private; what we write is as readable as any other file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(parent(path))
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// The system's error of a file that is written, told of the name that it is to have: its temporary
/// one means nothing to who named it.
fn cannot_write(path: &Path, error: Error) -> Error {
    let kind = error.kind();
    let folder = parent(path);
    let reason = if kind == ErrorKind::NotFound && !folder.exists() {
        format!("there is no folder {}", folder.display())
    } else {
        // `tempfile` tells its own path behind the system's words.
        let words = error.to_string();
        let end = words.find(" at path \"").unwrap_or(words.len());
        words[..end].to_owned()
    };
    Error::new(kind, format!("cannot write {}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).unwrap();
        let name = |entry: std::io::Result<fs_err::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"old").unwrap();
        let failed = replace_with(&path, |file| {
            file.write_all(b"ne")?;
            Err(Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        replace(&path, b"new").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"], "nothing is left beside it");
    }

    #[test]
    fn errors_name_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        replace(&file, b"").unwrap();
        for (place, reason) in [
            (folder.path().join("nowhere/a"), "there is no folder "),
            (file.join("a"), "directory"),
            (folder.path().join("n".repeat(300)).join("a"), "long"),
        ] {
            let empty = |_: &Path| Ok::<_, Error>(());
            let written = [
                replace(&place, b""),
                Replacement::create_named(&place).map(drop),
            ];
            for error in written {
                let message = error.unwrap_err().to_string();
                assert!(message.contains(reason) || cfg!(windows), "{message}");
                assert!(!message.contains(TEMPORARY), "{message}");
            }
            if let Err(error) = replace_directory(&place, empty) {
                assert!(!error.to_string().contains(TEMPORARY), "{error}");
            }
        }
    }

    #[test]
    fn a_new_file_takes_nobodys_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let write = |bytes: &[u8]| {
            let mut file = Replacement::create(&path).unwrap();
            file.write_all(bytes).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            file.commit_new()
        };
        write(b"first").unwrap();
        let refused = write(b"second").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(fs_err::read(&path).unwrap(), b"first");
        let modified = crate::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(modified, SystemTime::UNIX_EPOCH);
        assert_eq!(names(folder.path()), ["a"], "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_named_file_may_be_a_link_or_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        replace(&file, b"old").unwrap();
        fs_err::os::unix::fs::symlink(&file, &link).unwrap();
        let mut named = Replacement::create_named(&link).unwrap();
        named.write_all(b"new").unwrap();
        named.commit().unwrap();
        assert_eq!(fs_err::read(&file).unwrap(), b"new");
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        fs_err::remove_file(&file).unwrap();
        Replacement::create_named(&link).unwrap().commit().unwrap();
        assert!(file.is_file() && link.is_symlink(), "it led nowhere");
        let mut null = Replacement::create_named(Path::new("/dev/null")).unwrap();
        null.write_all(b"gone").unwrap();
        null.commit().unwrap();
        replace_named(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!crate::metadata("/dev/null").unwrap().is_file());
        let message = Replacement::create_named(folder.path())
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("it is a directory"), "{message}");
    }

    #[test]
    fn a_directory_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        let with = |name: &'static str| move |dir: &Path| replace(&dir.join(name), b"");
        replace_directory(&place, with("one")).unwrap();
        assert_eq!(names(&place), ["one"]);
        let failed = replace_directory(&place, |dir| {
            with("half")(dir)?;
            Err(Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(names(&place), ["one"]);
        replace_directory(&place, with("two")).unwrap();
        assert_eq!(names(&place), ["two"]);
        assert_eq!(names(&folder.path().join("a")), ["b"]);
    }
}
