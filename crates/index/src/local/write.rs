//! Changes → rows of the tables, and the list of vectors that caches have to look at again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::lock::Lock;
use super::{Local, schema, seal, upkeep};
use crate::{Change, Error, File, Id, Item, Result};

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
        // SQLite would shorten its log within a change that can be seen already, but not be searched yet.
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
            writer.logged.store(0, Ordering::Relaxed);
            upkeep::empty_log(&writer.db).map_err(at)?;
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

/// The tables, as changes write to them.
struct Rows<'a> {
    db: &'a Connection,
    generation: i64,
}

impl Rows<'_> {
    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    /// The number of a content.
    fn item(&self, id: Id) -> rusqlite::Result<Option<i64>> {
        let mut select = self
            .db
            .prepare_cached("SELECT item FROM items WHERE id = ?")?;
        select.query_row([&id.0[..]], |row| row.get(0)).optional()
    }

    /// Lets caches look at a content's vectors again.
    fn touch(&self, item: i64) -> rusqlite::Result<usize> {
        let sql = "INSERT OR REPLACE INTO changes SELECT vector, ?2 FROM vectors WHERE item = ?1";
        self.run(sql, params![item, self.generation])
    }

    fn put(&self, item: &Item) -> rusqlite::Result<()> {
        let payload = serde_json::to_string(&item.payload).unwrap_or_else(|_| "{}".into());
        let (at, from) = (item.taken.map(|t| t.at), item.taken.map(|t| t.from.name()));
        let number = match self.item(item.id)? {
            Some(number) => {
                self.touch(number)?;
                self.run("DELETE FROM vectors WHERE item = ?", [number])?;
                let sql = "UPDATE items SET taken = ?2, taken_from = ?3, phash = ?4, payload = ?5,
                           sum = row_sum(id, ?2, ?3, ?4, ?5) WHERE item = ?1";
                self.run(sql, params![number, at, from, item.phash, payload])?;
                number
            }
            None => {
                let sql = "INSERT INTO items (id, taken, taken_from, phash, payload, sum)
                           VALUES (?1, ?2, ?3, ?4, ?5, row_sum(?1, ?2, ?3, ?4, ?5))";
                self.run(sql, params![&item.id.0[..], at, from, item.phash, payload])?;
                self.db.last_insert_rowid()
            }
        };
        for moment in &item.moments {
            let (start, end) = (moment.span.map(|s| s.start), moment.span.map(|s| s.end));
            let bytes: Vec<u8> = moment.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
            let sql = "INSERT INTO vectors (item, span_start, span_end, embedding, sum)
                       VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))";
            self.run(sql, params![number, start, end, bytes])?;
        }
        self.touch(number)?;
        Ok(())
    }

    /// Whether the content is there, so that the file could be noted.
    fn link(&self, file: &File, id: Id) -> rusqlite::Result<bool> {
        let Some(item) = self.item(id)? else {
            return Ok(false);
        };
        let (folder, name) = split(&file.path);
        let sql = "INSERT INTO folders (path, sum) VALUES (?1, row_sum(?1)) ON CONFLICT DO NOTHING";
        self.run(sql, [folder])?;
        let before = self.linked(folder, name)?;
        let sql = "INSERT OR REPLACE INTO files
                   SELECT folder, ?2, ?3, ?4, ?5, row_sum(folder, ?2, ?3, ?4, ?5)
                   FROM folders WHERE path = ?1";
        let (size, modified) = (file.size as i64, file.modified);
        self.run(sql, params![folder, name, item, size, modified])?;
        self.run("DELETE FROM refused WHERE path = ?", [&file.path])?;
        match before {
            // The same content, so caches know it already.
            Some(old) if old == item => {}
            Some(old) => {
                self.touch(item)?;
                self.leave(old)?;
            }
            None => {
                self.touch(item)?;
            }
        }
        Ok(true)
    }

    /// The content that a file has.
    fn linked(&self, folder: &str, name: &str) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT item FROM files JOIN folders USING (folder) WHERE path = ? AND name = ?";
        let mut select = self.db.prepare_cached(sql)?;
        select
            .query_row([folder, name], |row| row.get(0))
            .optional()
    }

    fn unlink(&self, path: &str) -> rusqlite::Result<()> {
        self.run("DELETE FROM refused WHERE path = ?", [path])?;
        let (folder, name) = split(path);
        if let Some(item) = self.linked(folder, name)? {
            let sql = "DELETE FROM files WHERE name = ?2
                       AND folder = (SELECT folder FROM folders WHERE path = ?1)";
            self.run(sql, [folder, name])?;
            self.leave(item)?;
        }
        Ok(())
    }

    fn refuse(&self, file: &File, reason: &str) -> rusqlite::Result<()> {
        self.unlink(&file.path)?;
        let sql = "INSERT OR REPLACE INTO refused VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))";
        let (size, modified) = (file.size as i64, file.modified);
        self.run(sql, params![file.path, size, modified, reason])?;
        Ok(())
    }

    /// A file has a content no longer; the last one takes it along.
    fn leave(&self, item: i64) -> rusqlite::Result<()> {
        self.touch(item)?;
        let mut select = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM files WHERE item = ?)")?;
        if !select.query_row([item], |row| row.get::<_, bool>(0))? {
            self.run("DELETE FROM vectors WHERE item = ?", [item])?;
            self.run("DELETE FROM items WHERE item = ?", [item])?;
        }
        Ok(())
    }
}

/// A path's folder, and its name there.
pub(super) fn split(path: &str) -> (&str, &str) {
    match path.rfind(std::path::is_separator) {
        // The root's own separator stays with it.
        Some(0) => path.split_at(1),
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    }
}

/// A folder's path and a name in it, put together again.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        _ if folder.ends_with(std::path::is_separator) => format!("{folder}{name}"),
        _ => format!("{folder}{}{name}", std::path::MAIN_SEPARATOR),
    }
}
