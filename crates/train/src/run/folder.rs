//! A run's folder: whose it is, who is at work in it, and what else may lie there.

use std::path::Path;

use diptych_files::{TEMPORARY, occupied, replace, replace_directory};

use super::task::{Purpose, Task};
use crate::{Error, Result};

/// The folder of checkpoints in a run's.
pub(super) const CHECKPOINTS: &str = "checkpoints";
const LOCK_FILE: &str = ".lock";
/// Not `run.toml`, which may be the user's own, in a folder whose `out` is that folder.
const ECHO: &str = "run-with-defaults.toml";

/// Refuses a folder in which a run's files would lie among another's. It may hold a run of ours,
/// run files, and what is hidden.
///
/// # Errors
/// [`Error::Occupied`] naming the first file that is not a run's.
pub(super) fn check(out: &Path) -> Result<()> {
    if !out.exists() || out.join(ECHO).exists() {
        return Ok(());
    }
    let mut foreign = Vec::new();
    for entry in fs_err::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_run_file = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if !is_run_file && !name.starts_with('.') {
            foreign.push(name.into_owned());
        }
    }
    match foreign.iter().min() {
        None => Ok(()),
        Some(first) => Err(Error::Occupied {
            path: out.to_owned(),
            reason: format!(
                "`out` holds other files (for example {first}) and no run; wanted a folder that is new or \
                 empty, or a run's"
            ),
        }),
    }
}

/// Takes the run's folder for this process, as long as the file is open, and removes what a killed
/// one left half written.
///
/// # Errors
/// [`Error::Busy`] if another process has it.
pub(crate) fn lock(out: &Path) -> Result<fs_err::File> {
    fs_err::create_dir_all(out)?;
    let path = out.join(LOCK_FILE);
    let file = fs_err::File::create(&path)?;
    match file.file().try_lock() {
        Ok(()) => {
            remove_unfinished(out)?;
            remove_unfinished(&out.join(CHECKPOINTS))?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Busy {
            out: out.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io(&path, error)),
    }
}

fn remove_unfinished(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        if entry.path().is_dir() {
            fs_err::remove_dir_all(entry.path())?;
        } else {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes the run with all its defaults into its folder.
pub(super) fn echo(out: &Path, text: &str) -> Result<()> {
    Ok(replace(&out.join(ECHO), text.as_bytes())?)
}

/// Writes a model's directory, in the place of an older one if there is one.
///
/// # Errors
/// [`Error::Occupied`] if something else lies there; those of the disk.
pub(super) fn replace_model<T: Task>(
    task: &T,
    place: &Path,
    model: &T::Model,
    purpose: Purpose,
) -> Result<()> {
    replace_directory_of::<T>(place, |dir| task.write(dir, model, purpose))
}

/// Makes a directory of the task's model out of what `fill` writes; whoever opens it finds all of
/// that or what was there before.
///
/// # Errors
/// As [`replace_model`].
pub(super) fn replace_directory_of<T: Task>(
    place: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if let Some(what) = occupied(place, |place| place.join(T::MARK).exists())? {
        return Err(Error::Occupied {
            path: place.to_owned(),
            reason: format!("there is {what} here that is not a checkpoint; it stays as it is"),
        });
    }
    replace_directory(place, fill)
}
