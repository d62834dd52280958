//! Connections that only read: as many as ever read at a time, each with the statements that it has
//! prepared.
//!
//! In SQLite's log mode a reader sees the moment at which it began, and waits for nobody.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::open::to_read;
use super::schema;
use crate::{Error, Result};

/// Idle connections that are kept; each has up to two megabytes of pages.
const KEPT: usize = 16;

pub(super) struct Readers {
    path: PathBuf,
    /// The index that is read, whatever lies at its path later.
    identity: i64,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path, identity: i64, idle: Vec<Connection>) -> Self {
        Self {
            path: path.to_owned(),
            identity,
            idle: Mutex::new(idle),
        }
    }

    /// Held for as long as it takes to take or to put one.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Reads by a connection that nobody else uses meanwhile.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle().pop();
        let db = match idle {
            Some(db) if !self.is_outdated(&db)? => db,
            _ => self.open()?,
        };
        let result = read(&db);
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(db);
        }
        result
    }

    /// Whether a connection has stand-ins for tables that are there by now: they would hide them.
    fn is_outdated(&self, db: &Connection) -> Result<bool> {
        let at = |e| Error::database(&self.path, e);
        Ok(schema::has_stand_ins(db).map_err(at)? && schema::older(db).map_err(at)?.is_none())
    }

    fn open(&self) -> Result<Connection> {
        let db = to_read(&self.path)?;
        let identity = schema::number(&db, "identity");
        if identity.map_err(|e| Error::database(&self.path, e))? == self.identity {
            return Ok(db);
        }
        Err(Error::Database {
            path: self.path.clone(),
            reason: "another index lies there now; open it anew".into(),
        })
    }

    /// Closes those that are idle.
    pub(super) fn close(&self) {
        self.idle().clear();
    }
}
