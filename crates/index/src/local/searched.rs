//! The snapshot that searches share, and how it follows the tables.
//!
//! Whoever finds that it is older than the tables follows; those who need that wait, all others search on. A writer
//! follows by itself, before its changes can be seen.

use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, Transaction};

use super::follow::Failed;
use super::snapshot::Snapshot;
use super::{Local, file, schema, sibling};
use crate::{Error, Result};

/// Times that a search begins anew because others have followed later changes than it sees.
const TRIES: usize = 3;

pub(super) struct Searched {
    /// Locked for as long as it takes to copy the pointer.
    held: Mutex<Arc<Snapshot>>,
    /// Held by the one that makes the next snapshot.
    following: Mutex<()>,
}

/// The right to put another snapshot in its place.
pub(super) struct Following<'a> {
    searched: &'a Searched,
    _following: MutexGuard<'a, ()>,
}

impl Searched {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self {
            held: Mutex::new(Arc::new(snapshot)),
            following: Mutex::new(()),
        }
    }

    pub(super) fn held(&self) -> Arc<Snapshot> {
        self.held.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    pub(super) fn following(&self) -> Following<'_> {
        Following {
            searched: self,
            _following: self.following.lock().unwrap_or_else(|e| e.into_inner()),
        }
    }
}

impl Following<'_> {
    pub(super) fn publish(&self, snapshot: Arc<Snapshot>) {
        let held = &self.searched.held;
        let before = std::mem::replace(
            &mut *held.lock().unwrap_or_else(|e| e.into_inner()),
            snapshot,
        );
        // Its memory is given back when the lock is open again.
        drop(before);
    }
}

impl Local {
    /// A transaction that reads, and what is searched as of its moment.
    pub(super) fn moment<'a>(
        &self,
        db: &'a Connection,
    ) -> Result<(Transaction<'a>, Arc<Snapshot>)> {
        let at = |e| self.at(e);
        let mut tries = 0;
        loop {
            let moment = db.unchecked_transaction().map_err(at)?;
            let generation = schema::number(&moment, "generation").map_err(at)?;
            let mut held = self.searched.held();
            if held.generation == generation {
                return Ok((moment, held));
            }
            if held.generation < generation {
                let following = self.searched.following();
                held = self.searched.held();
                if held.generation < generation {
                    held = self.with_file(&moment, held)?;
                }
                if held.generation < generation {
                    held = Arc::new(self.followed(&held, &moment)?);
                }
                following.publish(held.clone());
                if held.generation == generation {
                    return Ok((moment, held));
                }
            }
            // Another one was faster, with later changes than this transaction sees.
            tries += 1;
            if tries > TRIES {
                // Later than there are: the database was put back.
                let following = self.searched.following();
                let anew = Arc::new(self.followed(&Snapshot::default(), &moment)?);
                following.publish(anew.clone());
                return Ok((moment, anew));
            }
        }
    }

    pub(super) fn followed(&self, snapshot: &Snapshot, db: &Connection) -> Result<Snapshot> {
        let followed = snapshot.follow(db, self.model.dim);
        followed.map_err(|failed| self.failed(failed))
    }

    /// A snapshot, or that of the file beside the database where the list of changes since the snapshot is gone:
    /// another process has written it.
    fn with_file(&self, db: &Connection, held: Arc<Snapshot>) -> Result<Arc<Snapshot>> {
        let kept_from = schema::number(db, "kept_from").map_err(|e| self.at(e))?;
        if held.generation >= kept_from {
            return Ok(held);
        }
        let file = file::read(&sibling(&self.path, "scan"), self.identity, self.model.dim);
        Ok(match file {
            Some((generation, columns)) if generation >= kept_from => {
                Arc::new(Snapshot::of(generation, Arc::new(columns)))
            }
            _ => held,
        })
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
}
