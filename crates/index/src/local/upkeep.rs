//! Keeping what is searched like the tables, and throwing away what nobody needs.

use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Cells, Local, SCAN_UP_TO, file, schema, sibling};
use crate::{Result, Store};

/// The note that says whether there are to be cells.
const CELLS: &str = "cells";

impl Local {
    /// Says whether this index has cells, from the next [`Store::settle`] on.
    ///
    /// # Errors
    /// What keeps the index from being written.
    pub fn set_cells(&mut self, cells: Cells) -> Result<()> {
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

    /// Makes the columns like the tables and keeps them; then the list of changes is no longer needed.
    pub(super) fn bring_up_to_date(&mut self) -> Result<()> {
        self.check_may_write()?;
        let mut columns = {
            let db = self.db();
            let moment = db.unchecked_transaction().map_err(|e| self.at(e))?;
            self.columns(&moment)?
        };
        let generation = columns.generation;
        let path = sibling(&self.path, "scan");
        let is_kept = self.kept == Some(generation) && path.exists();
        let wants_cells = self.wants_cells(columns.len())?;
        let regroup = wants_cells && columns.needs_regrouping();
        let ungroup = !wants_cells && columns.cells.len() > 0;
        if regroup || ungroup {
            let mut held = self.held();
            drop(columns);
            let own = Arc::make_mut(&mut held);
            match regroup {
                true => own.regroup(self.model.dim),
                false => own.cells = Default::default(),
            }
            columns = held.clone();
        }
        if !is_kept || regroup || ungroup {
            file::write(&path, self.identity, self.model.dim, &columns)?;
            self.kept = Some(generation);
        }
        // Nothing is written where nothing has changed.
        let kept_from = schema::number(&self.db(), "kept_from").map_err(|e| self.at(e))?;
        if kept_from == generation {
            return Ok(());
        }
        let db = self.writing()?;
        forget_changes(&db, generation).map_err(|e| self.at(e))
    }

    /// Gives back the room of what was removed, and makes everything anew that the index is searched by.
    ///
    /// # Errors
    /// What keeps the index from being written.
    pub fn compact(&mut self) -> Result<()> {
        {
            let db = self.writing()?;
            let at = |e| self.at(e);
            db.execute(
                "DELETE FROM folders WHERE folder NOT IN (SELECT folder FROM files)",
                [],
            )
            .map_err(at)?;
            db.execute_batch("VACUUM").map_err(at)?;
            shorten_log(&db).map_err(at)?;
        }
        *self.held() = Arc::default();
        super::remove(&sibling(&self.path, "scan"))?;
        self.settle()
    }
}

/// Drops the list of changes up to a generation, which the columns' file has followed.
fn forget_changes(db: &Connection, generation: i64) -> rusqlite::Result<()> {
    let change = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    change.execute("DELETE FROM changes WHERE generation <= ?", [generation])?;
    schema::set_number(&change, "kept_from", generation)?;
    change.commit()?;
    shorten_log(db)
}

/// Moves what is in the log into the database. A reader may hold it up; then it is done after the next change.
pub(super) fn shorten_log(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
