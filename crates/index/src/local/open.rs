//! Opening an index: to write, or to read, on media that can't be written, too.

use std::io::ErrorKind::{NotADirectory, NotFound};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::lock::Lock;
use super::readers::Readers;
use super::searched::Searched;
use super::snapshot::Snapshot;
use super::write::Writer;
use super::{Local, file, has_log, remove, schema, seal, sibling, sums};
use crate::error::OTHER_KIND;
use crate::{Error, Model, Result, Store};

/// Longest wait for the database while another has it, for a moment of a transaction.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Local {
    /// Opens an index to read it.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, [`Error::Damaged`] or [`Error::Format`] for one that
    /// can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        look_at(path)?;
        let mut db = to_read(path)?;
        if let Some(format) = schema::older(&db).map_err(|e| Error::database(path, e))? {
            drop(db);
            match Self::change(path) {
                // What is searched, too, or each reader would make it anew.
                Ok(opened) => opened.settle()?,
                Err(locked @ Error::Locked { .. }) if format == 1 => return Err(locked),
                Err(_) if format == 1 => return Err(schema::old(path)),
                // It is read as it is, also while a program of then writes it.
                Err(_) => {}
            }
            db = to_read(path)?;
        }
        let model = schema::check(&db, path)?;
        let (identity, columns) = searched(path, &db, &model)?;
        let snapshot = columns.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            model,
            identity,
            readers: Readers::new(path, identity, vec![db]),
            searched: Searched::new(snapshot),
            writer: None,
        })
    }

    /// Opens an index to write it, as the only process that does; makes one if there is none.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process writes to it, [`Error::Model`] if its vectors are
    /// another model's, and as [`Local::open`].
    pub fn create(path: impl AsRef<Path>, model: &Model) -> Result<Self> {
        let path = path.as_ref();
        crate::check_model(model)?;
        match look_at(path) {
            Err(Error::Missing { .. }) => {
                if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
                    fs_err::create_dir_all(folder)?;
                }
            }
            // It may become an index.
            Err(Error::NoIndex { found: EMPTY, .. }) => {}
            there => there?,
        }
        let lock = Lock::take(path)?;
        let at = |e| Error::database(path, e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(prepared);
        let mut db = opened.map_err(at)?;
        // A file without a byte is no index, but may become one.
        let is_new = schema::is_new(&db).map_err(at)?;
        if is_new {
            schema::create(&mut db, model).map_err(at)?;
        }
        Self::to_write(path, db, lock, is_new)?.of_model(model)
    }

    /// Opens an index that is there, to write it, whatever its model is.
    ///
    /// # Errors
    /// As [`Local::create`], and [`Error::Missing`].
    pub fn change(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        look_at(path)?;
        let lock = Lock::take(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(prepared);
        let db = opened.map_err(|e| Error::database(path, e))?;
        Self::to_write(path, db, lock, false)
    }

    fn to_write(path: &Path, mut db: Connection, lock: Lock, is_new: bool) -> Result<Self> {
        let at = |e| Error::database(path, e);
        let older = schema::older(&db).map_err(at)?;
        if older.is_some() {
            seal::remove(path)?;
            schema::upgrade(&mut db).map_err(at)?;
        }
        if older == Some(1) {
            // It is of that format, too.
            remove(&sibling(path, "scan"))?;
        }
        let model = schema::check(&db, path)?;
        // A process that is killed loses nothing; a power failure may cost the last changes, but
        // never the index.
        db.pragma_update(None, "synchronous", "normal")
            .and_then(|()| db.pragma_update(None, "foreign_keys", true))
            .map_err(at)?;
        let (identity, columns) = searched(path, &db, &model)?;
        let kept = columns.as_ref().map(|columns| columns.generation);
        if kept.is_none() {
            // Or it would be taken for this database's when that has as many changes.
            remove(&sibling(path, "scan"))?;
        }
        let writer = Writer::new(db, lock, kept, older.is_some() || is_new).map_err(at)?;
        Ok(Self {
            path: path.to_owned(),
            model,
            identity,
            readers: Readers::new(path, identity, Vec::new()),
            searched: Searched::new(columns.unwrap_or_default()),
            writer: Some(Mutex::new(writer)),
        })
    }

    fn of_model(self, wanted: &Model) -> Result<Self> {
        if crate::same(&self.model, wanted) {
            return Ok(self);
        }
        Err(Error::Model {
            place: self.path.display().to_string(),
            has: Box::new(self.model.clone()),
            wanted: Box::new(wanted.clone()),
        })
    }
}

/// Description of a file without a byte.
const EMPTY: &str = "an empty file";

/// Whether there is a file that may be an index and can be read: of others SQLite says little.
fn look_at(path: &Path) -> Result<()> {
    let there = match diptych_files::metadata(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
            let path = path.to_owned();
            return Err(Error::Missing { path });
        }
        there => there?,
    };
    let found = if there.is_dir() {
        "a folder"
    } else if !there.is_file() {
        "no plain file"
    } else if there.len() == 0 && !has_log(path) {
        EMPTY
    } else if begins_as_a_database(path)? || has_log(path) {
        // Where there is a log, it may have the beginning.
        return Ok(());
    } else {
        OTHER_KIND
    };
    let path = path.to_owned();
    Err(Error::NoIndex { path, found })
}

/// Whether a file begins as SQLite's do (<https://sqlite.org/fileformat2.html>, 1.3).
fn begins_as_a_database(path: &Path) -> Result<bool> {
    let mut beginning = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(16).read_to_end(&mut beginning)?;
    Ok(beginning == b"SQLite format 3\0")
}

/// The identity of an index, and what is searched, as the file beside it has it.
fn searched(path: &Path, db: &Connection, model: &Model) -> Result<(i64, Option<Snapshot>)> {
    let at = |e| Error::database(path, e);
    let identity = schema::number(db, "identity").map_err(at)?;
    let kept = file::read(&sibling(path, "scan"), identity, model.dim);
    // Read after it, since another process may write. Columns of later changes than there are come
    // of a database that was put back or that a power failure cut.
    let generation = schema::number(db, "generation").map_err(at)?;
    let kept = kept.filter(|(of, _)| *of <= generation);
    let snapshot = kept.map(|(of, columns)| Snapshot::of(of, Arc::new(columns)));
    Ok((identity, snapshot))
}

/// A connection that waits for others, and knows the functions that we use.
fn prepared(db: Connection) -> rusqlite::Result<Connection> {
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(64);
    sums::register(&db)?;
    Ok(db)
}

/// A connection that has been read by: only then does SQLite look at the file.
fn probed(db: Connection) -> rusqlite::Result<Connection> {
    let db = prepared(db)?;
    schema::is_new(&db)?;
    Ok(db)
}

/// A connection that only reads, where nothing can be written, too.
pub(super) fn to_read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match Connection::open_with_flags(path, flags).and_then(probed) {
        Err(error) if cant_be_written(&error) => unchanging(path)?,
        other => other.map_err(|e| Error::database(path, e))?,
    };
    schema::stand_in(&db).map_err(|e| Error::database(path, e))?;
    Ok(db)
}

fn cant_be_written(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | PermissionDenied | ReadOnly)
    )
}

/// Opens an index where nothing can be written, as on a disc: SQLite then takes no locks and looks
/// for no log.
fn unchanging(path: &Path) -> Result<Connection> {
    if has_log(path) {
        return Err(Error::Database {
            path: path.to_owned(),
            reason: "its last changes are in a log beside it, which can't be read where nothing can be written; \
                     copy all files of the index to where they can"
                .into(),
        });
    }
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|c| match c {
            '%' | '?' | '#' => format!("%{:02x}", u32::from(c)),
            _ => c.to_string(),
        })
        .collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags);
    opened
        .and_then(probed)
        .map_err(|e| Error::database(path, e))
}
