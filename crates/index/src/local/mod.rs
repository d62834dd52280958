//! An index in a file on this machine.
//!
//! `NAME` is a SQLite database, and all there is to keep. Beside it lies what it is searched by,
//! `NAME.scan`: the [`columns`] of every vector, in [`cells`] where they are many. It follows the
//! database by its list of changes, and is made anew where it is missing. Searches share a
//! [`snapshot`] of it and read beside each other and beside the writer. `NAME.lock` is held by the
//! one process that writes. Damage is noticed by checksums: each row's ([`sums`]), and each page's
//! in `NAME.seal` ([`seal`]).

mod cells;
mod columns;
mod file;
mod follow;
mod lock;
mod open;
mod probe;
mod read;
mod readers;
mod rows;
mod scan;
mod schema;
mod seal;
mod search;
mod searched;
mod select;
mod snapshot;
mod sums;
#[cfg(test)]
mod tests;
mod turns;
mod upkeep;
mod verify;
mod write;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, Transaction};
use serde::Serialize;

use self::readers::Readers;
use self::searched::Searched;
pub use self::verify::Verified;
use self::write::Writer;
use crate::{Begun, Change, Error, File, Hit, Id, Item, Model, Part, Query, Result, Status, Store};

/// Vectors up to which there are no cells, so that every one is compared: a scan of so many takes
/// less time than people notice (`benchmarks/search`).
pub(crate) const SCAN_UP_TO: usize = 100_000;

/// An index in a file on this machine.
///
/// Any number of threads may read and search it at a time, beside each other and beside one that
/// writes, here or in another process, and none waits for another; but of more searches at a time
/// than there are cores, the others take turns on a thread a core. Threads that write take turns.
pub struct Local {
    path: PathBuf,
    model: Model,
    /// Tells this index from another one that had the same path.
    identity: i64,
    readers: Readers,
    searched: Searched,
    /// None if it was opened to be read.
    writer: Option<Mutex<Writer>>,
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
    fn at(&self, error: rusqlite::Error) -> Error {
        Error::database(&self.path, error)
    }

    /// Reads within one transaction.
    fn read<T>(&self, read: impl FnOnce(&Transaction) -> rusqlite::Result<T>) -> Result<T> {
        let at = |e| self.at(e);
        self.readers.read(|db| {
            let moment = db.unchecked_transaction().map_err(at)?;
            read(&moment).map_err(at)
        })
    }

    /// The one that writes, once no other thread does.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.as_ref().ok_or_else(|| Error::Change {
            what: format!("{}: the index was opened to be read", self.path.display()),
        })?;
        // A panic elsewhere leaves a transaction undone, and nothing half made.
        Ok(writer.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // The last connection that is closed takes the log along, which those that only read can't
        // do.
        self.readers.close();
        if let Some(writer) = &mut self.writer {
            let writer = writer.get_mut().unwrap_or_else(|e| e.into_inner());
            writer.seal(&self.path);
        }
    }
}

impl Store for Local {
    fn model(&self) -> &Model {
        &self.model
    }

    fn status(&self) -> Result<Status> {
        self.readers.read(|db| self.read_status(db))
    }

    fn files(&self, within: &[String], each: &mut dyn FnMut(File, Option<Id>)) -> Result<()> {
        self.read(|db| read::files(db, within, each))
    }

    fn refused(&self) -> Result<Vec<(File, String)>> {
        self.read(|db| read::refused(db))
    }

    fn item(&self, id: Id) -> Result<Option<Item>> {
        self.read(|db| read::item(db, id))
    }

    fn vector(&self, id: Id, part: &Part) -> Result<Option<Vec<f32>>> {
        self.read(|db| read::vector(db, id, part))
    }

    fn has(&self, ids: &[Id]) -> Result<Vec<bool>> {
        self.read(|db| read::has(db, ids))
    }

    fn apply(&self, changes: &[Change]) -> Result<()> {
        let mut writer = self.writer()?;
        if changes.is_empty() {
            return Ok(());
        }
        self.write(&mut writer, changes)
    }

    fn begun(&self, id: Id) -> Result<Option<Begun>> {
        self.read(|db| read::begun(db, id))
    }

    fn sweep(&self) -> Result<()> {
        self.writer()?.sweep(&self.path)
    }

    fn settle(&self) -> Result<()> {
        self.bring_up_to_date(&mut *self.writer()?)
    }

    fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        crate::check_vector(query.vector, self.model.dim)?;
        turns::run(|threads| {
            let nearest = |db: &Connection| self.nearest(db, query, threads);
            self.readers.read(nearest)
        })
    }

    fn each(&self, each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>) -> Result<()> {
        self.read(|db| read::each(db, each))
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(|db| read::note(db, name))
    }

    fn set_note(&self, name: &str, value: &[u8]) -> Result<()> {
        let mut writer = self.writer()?;
        let db = writer.unseal(&self.path)?;
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
    diptych_files::metadata(log_of(path)).is_ok_and(|log| log.len() > 0)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
