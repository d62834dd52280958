//! An index in a file on this machine.
//!
//! `NAME` is a SQLite database, and all there is to keep. Beside it lies what it is searched by, `NAME.scan`: the [`columns`]
//! of every vector, in [`cells`] where they are many. It follows the database by its list of changes, and is made anew
//! where it is missing. `NAME.lock` is held by the one process that writes. Damage is noticed by checksums: each row's
//! ([`sums`]), and each page's in `NAME.seal` ([`seal`]).

mod cells;
mod columns;
mod file;
mod lock;
mod open;
mod probe;
mod read;
mod scan;
mod schema;
mod seal;
mod search;
mod select;
mod sums;
#[cfg(test)]
mod tests;
mod upkeep;
mod verify;
mod write;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::Connection;
use serde::Serialize;

use self::columns::{Columns, Failed};
use self::lock::Lock;
pub use self::verify::Verified;
use crate::{Change, Error, File, Hit, Id, Item, Model, Query, Result, Status, Store};

/// Vectors up to which there are no cells, so that every one is compared: a scan of so many takes less time than people notice
/// (`benchmarks/search`).
pub(crate) const SCAN_UP_TO: usize = 100_000;

/// An index in a file on this machine.
pub struct Local {
    path: PathBuf,
    model: Model,
    /// Tells this index from another one that had the same path.
    identity: i64,
    db: Mutex<Connection>,
    /// What is searched, as far as it has followed the tables.
    columns: Mutex<Arc<Columns>>,
    /// The generation of the columns in the file beside the database, as this process knows it.
    kept: Option<i64>,
    /// Whether the seal was taken off, since something was or will be written.
    unsealed: AtomicBool,
    /// Held while this process may write.
    lock: Option<Lock>,
}

/// Whether an index has cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cells {
    /// Where its vectors are so many that a scan would be slow.
    #[default]
    Auto,
    /// However few they are.
    Always,
    /// However many they are.
    Never,
}

impl Local {
    fn db(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves a transaction undone, and nothing half made.
        self.db.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn held(&self) -> MutexGuard<'_, Arc<Columns>> {
        self.columns.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn at(&self, error: rusqlite::Error) -> Error {
        Error::database(&self.path, error)
    }

    fn failed(&self, failed: Failed) -> Error {
        match failed {
            Failed::Database(error) => self.at(error),
            Failed::Vector(vector, got) => Error::Damaged {
                path: self.path.clone(),
                reason: format!(
                    "vector {vector} has {got} values, wanted {}",
                    self.model.dim
                ),
            },
        }
    }

    /// Whether this process may write.
    fn check_may_write(&self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        let what = format!("{}: the index was opened to be read", self.path.display());
        Err(Error::Change { what })
    }

    /// The database, for one that is about to write.
    fn writing(&self) -> Result<MutexGuard<'_, Connection>> {
        self.check_may_write()?;
        let db = self.db();
        if !self.unsealed.load(Ordering::Relaxed) {
            seal::remove(&self.path)?;
            self.unsealed.store(true, Ordering::Relaxed);
        }
        Ok(db)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.lock.is_some() && self.unsealed.load(Ordering::Relaxed) {
            // Without one, damage to a row is still noticed.
            let _ = seal::set(&self.path, &self.db());
        }
    }
}

impl Store for Local {
    fn model(&self) -> &Model {
        &self.model
    }

    fn status(&self) -> Result<Status> {
        self.read_status()
    }

    fn files(&self, within: &[String], each: &mut dyn FnMut(File, Option<Id>)) -> Result<()> {
        read::files(&self.db(), within, each).map_err(|e| self.at(e))
    }

    fn refused(&self) -> Result<Vec<(File, String)>> {
        read::refused(&self.db()).map_err(|e| self.at(e))
    }

    fn item(&self, id: Id) -> Result<Option<Item>> {
        read::item(&self.db(), id).map_err(|e| self.at(e))
    }

    fn has(&self, ids: &[Id]) -> Result<Vec<bool>> {
        read::has(&self.db(), ids).map_err(|e| self.at(e))
    }

    fn apply(&mut self, changes: &[Change]) -> Result<()> {
        self.check_may_write()?;
        if changes.is_empty() {
            return Ok(());
        }
        let mut db = self.writing()?;
        write::apply(&mut db, &self.path, self.model.dim, changes)
    }

    fn settle(&mut self) -> Result<()> {
        self.bring_up_to_date()
    }

    fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        crate::check_vector(query.vector, self.model.dim)?;
        self.nearest(query)
    }

    fn each(&self, each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>) -> Result<()> {
        read::each(&self.db(), each).map_err(|e| self.at(e))
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        read::note(&self.db(), name).map_err(|e| self.at(e))
    }

    fn set_note(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let db = self.writing()?;
        let sql = "INSERT OR REPLACE INTO notes VALUES (?1, ?2, row_sum(?1, ?2))";
        let set = db.execute(sql, rusqlite::params![name, value]);
        set.map(|_| ()).map_err(|e| self.at(e))
    }
}

/// A file that belongs to the index at `path`.
fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Where SQLite keeps the last changes until it writes them into the database.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Whether a part of the index at `path` is in its log.
fn has_log(path: &Path) -> bool {
    fs_err::metadata(log_of(path)).is_ok_and(|log| log.len() > 0)
}

/// Writes a whole file, in the place of an older one if there is one.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<()> {
    let at = |e: std::io::Error| {
        let reason = format!("cannot write {}: {e}", path.display());
        std::io::Error::new(e.kind(), reason)
    };
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".diptych-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(at)?;
    write(file.as_file_mut()).map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    file.persist(path).map_err(|e| at(e.error))?;
    Ok(())
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
