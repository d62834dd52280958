//! The snapshot that searches share, and how it follows the tables.
//!
//! Whoever finds that it is older than the tables follows; those who need that wait, all others
//! search on. A writer follows by itself, before its changes can be seen.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, Transaction};

use super::follow::Failed;
use super::snapshot::Snapshot;
use super::{Local, file, schema, sibling};
use crate::{Error, Result};

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
        let (moment, generation) = self.begin(db)?;
        let held = self.searched.held();
        if held.generation == generation {
            return Ok((moment, held));
        }
        drop(moment);
        // From here on nobody puts another snapshot in its place, so that none is later than a
        // transaction that begins now.
        let following = self.searched.following();
        let mut held = self.searched.held();
        loop {
            let (moment, generation) = self.begin(db)?;
            if held.generation < generation
                && let Some(filed) = self.filed(&moment, &held, generation)?
            {
                held = filed;
                if held.generation > generation {
                    // Another process has written since; a transaction that begins now sees that.
                    continue;
                }
            }
            let next = match held.generation.cmp(&generation) {
                Ordering::Equal => held,
                Ordering::Less => Arc::new(self.followed(&held, &moment)?),
                // Later than there are: the database was put back.
                Ordering::Greater => Arc::new(self.followed(&Snapshot::default(), &moment)?),
            };
            following.publish(next.clone());
            return Ok((moment, next));
        }
    }

    /// A transaction that reads, and the generation that it sees.
    fn begin<'a>(&self, db: &'a Connection) -> Result<(Transaction<'a>, i64)> {
        let at = |e| self.at(e);
        let moment = db.unchecked_transaction().map_err(at)?;
        let generation = schema::number(&moment, "generation").map_err(at)?;
        Ok((moment, generation))
    }

    pub(super) fn followed(&self, snapshot: &Snapshot, db: &Connection) -> Result<Snapshot> {
        let followed = snapshot.follow(db, self.model.dim);
        followed.map_err(|failed| self.failed(failed))
    }

    /// Reads the snapshot that another process has written beside the database, if it helps: where
    /// the list of changes since the held one is gone, or where the held one has become slow to
    /// search and the file's has not.
    fn filed(
        &self,
        db: &Connection,
        held: &Snapshot,
        generation: i64,
    ) -> Result<Option<Arc<Snapshot>>> {
        let kept_from = schema::number(db, "kept_from").map_err(|e| self.at(e))?;
        let path = sibling(&self.path, "scan");
        let is_listed = held.generation >= kept_from;
        if is_listed {
            let (is_sparse, is_loose) = (held.is_sparse(), held.needs_regrouping());
            if !is_sparse && !is_loose {
                return Ok(None);
            }
            let Some(head) = file::head(&path, self.identity, self.model.dim) else {
                return Ok(None);
            };
            let is_newer = head.generation > held.made && head.generation <= generation;
            let has_cells = head.cells > 0 || held.n_cells() > 0;
            if !is_newer || !(is_sparse || has_cells) {
                return Ok(None);
            }
        }
        let file = file::read(&path, self.identity, self.model.dim);
        let file = file.filter(|(of, _)| *of >= kept_from && (!is_listed || *of <= generation));
        Ok(file.map(|(of, columns)| Arc::new(Snapshot::of(of, Arc::new(columns)))))
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
