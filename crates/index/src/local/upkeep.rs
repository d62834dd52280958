//! Keeping what is searched like the tables, and throwing away what nobody needs.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::columns::Columns;
use super::snapshot::Snapshot;
use super::write::Writer;
use super::{Cells, Local, SCAN_UP_TO, file, open, read, schema, sibling, turns};
use crate::{Result, Store};

/// Longest wait for those that read the log, when it is to be made short.
const PATIENCE: Duration = Duration::from_millis(200);

/// The list of changes is dropped once it is longer than the number of vectors divided by this. A
/// short list is kept: other processes follow it, and need not read the whole file for a few
/// changes.
const LISTED: usize = 16;

/// The note that says whether there are to be cells.
const CELLS: &str = "cells";

impl Local {
    /// Says whether this index has cells, from the next [`Store::settle`] on.
    ///
    /// # Errors
    /// Any error that keeps the index from being written.
    pub fn set_cells(&self, cells: Cells) -> Result<()> {
        let value: &[u8] = match cells {
            Cells::Auto => b"auto",
            Cells::Always => b"always",
            Cells::Never => b"never",
        };
        self.set_note(CELLS, value)
    }

    fn wants_cells(&self, rows: usize) -> Result<bool> {
        Ok(match self.note(CELLS)?.as_deref() {
            Some(b"always") => rows > 0,
            Some(b"never") => false,
            _ => rows > SCAN_UP_TO,
        })
    }

    /// Joins all that is searched into one segment that is like the tables, and writes it to its
    /// file. A long list of changes is then no longer needed.
    ///
    /// Searches go on with what they had meanwhile.
    pub(super) fn bring_up_to_date(&self, writer: &mut Writer) -> Result<()> {
        let at = |e| self.at(e);
        let dim = self.model.dim;
        let (moment, snapshot) = self.moment(writer.db())?;
        drop(moment);
        let generation = snapshot.generation;
        let path = sibling(&self.path, "scan");
        let is_kept = writer.kept == Some(generation) && path.exists();
        let rows = snapshot.len();
        let wants_cells = self.wants_cells(rows)?;
        let regroup = wants_cells && snapshot.needs_regrouping();
        let ungroup = !wants_cells && snapshot.n_cells() > 0;
        if !is_kept || regroup || ungroup {
            let mut columns = snapshot.joined(dim);
            // The memory of what it was joined from is free, unless it is searched just now.
            drop(snapshot);
            self.publish(generation, &columns);
            if regroup {
                // The writer is locked.
                columns = Arc::new(turns::apart(|| columns.regrouped(dim)));
            } else if ungroup {
                Arc::make_mut(&mut columns).cells = Default::default();
            }
            self.publish(generation, &columns);
            file::write(&path, self.identity, dim, generation, &columns)?;
            writer.kept = Some(generation);
        }
        // Nothing is written where nothing has changed.
        let listed = read::count(writer.db(), "changes").map_err(at)?;
        if listed > (rows / LISTED) as u64 {
            return forget_changes(writer.unseal(&self.path)?, generation).map_err(at);
        }
        if !is_kept {
            shorten_log(writer.db()).map_err(at)?;
        }
        Ok(())
    }

    fn publish(&self, generation: i64, columns: &Arc<Columns>) {
        let snapshot = Snapshot::of(generation, columns.clone());
        self.searched.following().publish(Arc::new(snapshot));
    }

    /// Gives back the room of what was removed, and makes everything anew that the index is
    /// searched by.
    ///
    /// # Errors
    /// Any error that keeps the index from being written.
    pub fn compact(&self) -> Result<()> {
        let mut writer = self.writer()?;
        let at = |e| self.at(e);
        let db = writer.unseal(&self.path)?;
        let unused = "DELETE FROM folders WHERE folder NOT IN (SELECT folder FROM files)";
        db.execute(unused, []).map_err(at)?;
        db.execute_batch("VACUUM").map_err(at)?;
        shorten_log(db).map_err(at)?;
        let moment = db.unchecked_transaction().map_err(at)?;
        let anew = self.followed(&Snapshot::default(), &moment)?;
        drop(moment);
        self.searched.following().publish(Arc::new(anew));
        super::remove(&sibling(&self.path, "scan"))?;
        self.bring_up_to_date(&mut writer)
    }
}

/// Drops the list of changes up to a generation, which the columns' file has followed.
pub(super) fn forget_changes(db: &Connection, generation: i64) -> rusqlite::Result<()> {
    let change = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    change.execute("DELETE FROM changes WHERE generation <= ?", [generation])?;
    schema::set_number(&change, "kept_from", generation)?;
    change.commit()?;
    shorten_log(db)
}

/// Moves what is in the log into the database, and makes it short. Readers may hold up a part of
/// it; then it is done after a later change.
pub(super) fn shorten_log(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    let done = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    db.busy_timeout(open::PATIENCE)?;
    done
}

/// Moves what is in the log into the database, as far as nobody reads it, so that it can be written
/// from its beginning.
pub(super) fn empty_log(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
