//! The one that writes: changes within one transaction, and what is searched made like it before
//! anybody sees them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::lock::Lock;
use super::rows::Rows;
use super::{Local, read, schema, seal, upkeep};
use crate::{Change, Error, Result};

/// Pages of the log from which it is written into the database: 16 megabytes.
const LOG: i32 = 1000;

/// The one that writes.
pub(super) struct Writer {
    db: Connection,
    /// The generation of the columns in the file beside the database, as this process knows it.
    pub(super) kept: Option<i64>,
    /// Whether the seal was taken off, since something was or will be written.
    is_unsealed: bool,
    /// Pages in the log after the last change.
    logged: Arc<AtomicI32>,
    /// Held as long as this process may write.
    _lock: Lock,
}

impl Writer {
    pub(super) fn new(
        mut db: Connection,
        lock: Lock,
        kept: Option<i64>,
        is_unsealed: bool,
    ) -> rusqlite::Result<Self> {
        // SQLite would shorten its log within a change that can be seen already, but not be
        // searched yet.
        let logged = Arc::new(AtomicI32::new(0));
        let count = logged.clone();
        db.wal_hook(Some(move |_: &mut Wal, pages| {
            count.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            db,
            kept,
            is_unsealed,
            logged,
            _lock: lock,
        })
    }

    /// The database, to read.
    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    /// The database, for one that is about to write.
    pub(super) fn unseal(&mut self, path: &Path) -> Result<&mut Connection> {
        if !self.is_unsealed {
            seal::remove(path)?;
            self.is_unsealed = true;
        }
        Ok(&mut self.db)
    }

    /// Removes contents that were begun and are not finished.
    pub(super) fn sweep(&mut self, path: &Path) -> Result<()> {
        let at = |e| Error::database(path, e);
        if read::count(&self.db, "pending").map_err(at)? == 0 {
            return Ok(());
        }
        let sql = "DELETE FROM vectors WHERE item IN (SELECT item FROM pending);
                   DELETE FROM items WHERE item IN (SELECT item FROM pending)";
        let change = self.unseal(path)?.transaction().map_err(at)?;
        change.execute_batch(sql).map_err(at)?;
        change.commit().map_err(at)
    }

    /// Seals what was written.
    pub(super) fn seal(&mut self, path: &Path) {
        if self.is_unsealed {
            // Without one, damage to a row is still noticed.
            let _ = seal::set(path, &self.db);
        }
    }
}

impl Local {
    /// Makes changes within one transaction, and what is searched like it.
    pub(super) fn write(&self, writer: &mut Writer, changes: &[Change]) -> Result<()> {
        let at = |e| self.at(e);
        let db = writer.unseal(&self.path)?;
        let immediate = TransactionBehavior::Immediate;
        let transaction = db.transaction_with_behavior(immediate).map_err(at)?;
        let generation = apply(&transaction, &self.path, self.model.dim, changes)?;
        // Read before others can see the changes, so that no search has to.
        let held = self.searched.held();
        let next = if held.generation + 1 == generation {
            self.followed(&held, &transaction).ok()
        } else {
            None
        };
        let following = self.searched.following();
        transaction.commit().map_err(at)?;
        if let Some(next) = next {
            following.publish(Arc::new(next));
        }
        drop(following);
        if writer.logged.load(Ordering::Relaxed) > LOG {
            // The changes are made, and the log has them: if this fails, it is tried again after
            // the next ones.
            let _ = upkeep::empty_log(&writer.db);
        }
        Ok(())
    }
}

/// Makes changes within a transaction, whose generation is returned.
fn apply(db: &Transaction, path: &Path, dim: usize, changes: &[Change]) -> Result<i64> {
    let at = |e| Error::database(path, e);
    let generation = schema::number(db, "generation").map_err(at)? + 1;
    let rows = Rows { db, generation };
    for change in changes {
        match change {
            Change::Put(item) => {
                crate::check_item(item, dim)?;
                rows.put(item).map_err(at)?;
            }
            Change::Begin(item) => {
                crate::check_moments(item.id, &item.moments, dim)?;
                rows.begin(item).map_err(at)?;
            }
            Change::Extend(id, moments) => {
                crate::check_moments(*id, moments, dim)?;
                let begun = rows.pending(*id).map_err(at)?;
                let begun = begun.ok_or_else(|| crate::not_begun(*id))?;
                rows.add(begun, moments).map_err(at)?;
            }
            Change::Finish(id) => {
                let begun = rows.pending(*id).map_err(at)?;
                let begun = begun.ok_or_else(|| crate::not_begun(*id))?;
                if !rows.has_vector(begun).map_err(at)? {
                    return Err(crate::without_vector(*id));
                }
                rows.finish(*id, begun).map_err(at)?;
            }
            Change::Abandon(id) => rows.abandon(*id).map_err(at)?,
            Change::Link(file, id) => {
                let found = rows.link(file, *id).map_err(at)?;
                if !found {
                    let what = format!("{}: content {id} is not in the index", file.path);
                    return Err(Error::Change { what });
                }
            }
            Change::Unlink(path) => rows.unlink(path).map_err(at)?,
            Change::Refuse(file, reason) => rows.refuse(file, reason).map_err(at)?,
        }
    }
    schema::set_number(db, "generation", generation).map_err(at)?;
    Ok(generation)
}
