//! Effect of each change on the rows of the tables, and on the list of vectors that caches have to
//! look at again.

use rusqlite::{Connection, OptionalExtension, params};

use super::schema;
use crate::{File, Id, Item, Moment};

/// The tables, as changes write to them.
pub(super) struct Rows<'a> {
    pub(super) db: &'a Connection,
    pub(super) generation: i64,
}

impl Rows<'_> {
    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.db.prepare_cached(sql)?.execute(values)
    }

    /// The number of the content that is known by these bytes.
    fn item(&self, id: &[u8]) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT item FROM items WHERE id = ?";
        let mut select = self.db.prepare_cached(sql)?;
        select.query_row([id], |row| row.get(0)).optional()
    }

    /// Lets caches look at a content's vectors again.
    fn touch(&self, item: i64) -> rusqlite::Result<usize> {
        let sql = "INSERT OR REPLACE INTO changes SELECT vector, ?2 FROM vectors WHERE item = ?1";
        self.run(sql, params![item, self.generation])
    }

    /// A content is there, or is replaced, with all its moments.
    pub(super) fn put(&self, item: &Item) -> rusqlite::Result<()> {
        let number = match self.item(&item.id.0)? {
            Some(number) => {
                self.touch(number)?;
                self.run("DELETE FROM vectors WHERE item = ?", [number])?;
                let sql = "UPDATE items SET taken = ?2, taken_from = ?3, phash = ?4, payload = ?5,
                           sum = row_sum(id, ?2, ?3, ?4, ?5) WHERE item = ?1";
                let (at, from) = taken(item);
                self.run(sql, params![number, at, from, item.phash, payload(item)])?;
                number
            }
            None => self.insert(&item.id.0, item)?,
        };
        self.add(number, &item.moments)?;
        self.touch(number)?;
        Ok(())
    }

    /// The number of a new content, which is known by these bytes.
    fn insert(&self, id: &[u8], item: &Item) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO items (id, taken, taken_from, phash, payload, sum)
                   VALUES (?1, ?2, ?3, ?4, ?5, row_sum(?1, ?2, ?3, ?4, ?5))";
        let (at, from) = taken(item);
        self.run(sql, params![id, at, from, item.phash, payload(item)])?;
        Ok(self.db.last_insert_rowid())
    }

    /// Appends moments to a content.
    pub(super) fn add(&self, item: i64, moments: &[Moment]) -> rusqlite::Result<()> {
        for Moment { part, vector } in moments {
            let (start, end) = (part.span.map(|s| s.start), part.span.map(|s| s.end));
            let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
            let sql = "INSERT INTO vectors (item, span_start, span_end, embedding, sum)
                       VALUES (?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, ?4))";
            self.run(sql, params![item, start, end, bytes])?;
            if let Some(region) = part.region {
                let vector = self.db.last_insert_rowid();
                let sql =
                    "INSERT INTO regions VALUES (?1, ?2, ?3, ?4, ?5, row_sum(?1, ?2, ?3, ?4, ?5))";
                let (left, top) = (region.left, region.top);
                self.run(sql, params![vector, left, top, region.right, region.bottom])?;
            }
        }
        Ok(())
    }

    /// The number of a content that was begun.
    pub(super) fn pending(&self, id: Id) -> rusqlite::Result<Option<i64>> {
        self.item(&schema::pending_id(id))
    }

    /// A content is begun: it has another id until it is whole, and no file, so it is not found.
    pub(super) fn begin(&self, item: &Item) -> rusqlite::Result<()> {
        self.abandon(item.id)?;
        let number = self.insert(&schema::pending_id(item.id), item)?;
        self.run("INSERT INTO pending VALUES (?1, row_sum(?1))", [number])?;
        self.add(number, &item.moments)
    }

    /// A content that was begun is not finished.
    pub(super) fn abandon(&self, id: Id) -> rusqlite::Result<()> {
        if let Some(begun) = self.pending(id)? {
            self.run("DELETE FROM vectors WHERE item = ?", [begun])?;
            self.run("DELETE FROM items WHERE item = ?", [begun])?;
        }
        Ok(())
    }

    /// A content that was begun is whole. What it replaces keeps its number, and so its place and
    /// its files.
    pub(super) fn finish(&self, id: Id, begun: i64) -> rusqlite::Result<()> {
        self.run("DELETE FROM pending WHERE item = ?", [begun])?;
        let Some(before) = self.item(&id.0)? else {
            let sql =
                "UPDATE items SET id = ?2, sum = row_sum(?2, taken, taken_from, phash, payload)
                       WHERE item = ?1";
            self.run(sql, params![begun, &id.0[..]])?;
            self.touch(begun)?;
            return Ok(());
        };
        self.touch(before)?;
        self.run("DELETE FROM vectors WHERE item = ?", [before])?;
        let sql = "UPDATE vectors SET item = ?2, sum = row_sum(?2, span_start, span_end, embedding)
                   WHERE item = ?1";
        self.run(sql, [begun, before])?;
        let sql =
            "UPDATE items SET taken = new.taken, taken_from = new.taken_from, phash = new.phash,
                   payload = new.payload,
                   sum = row_sum(items.id, new.taken, new.taken_from, new.phash, new.payload)
                   FROM items AS new WHERE new.item = ?1 AND items.item = ?2";
        self.run(sql, [begun, before])?;
        self.run("DELETE FROM items WHERE item = ?", [begun])?;
        self.touch(before)?;
        Ok(())
    }

    /// Whether a content has a vector.
    pub(super) fn has_vector(&self, item: i64) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM vectors WHERE item = ?)";
        let mut select = self.db.prepare_cached(sql)?;
        select.query_row([item], |row| row.get(0))
    }

    /// Whether the content is there, so that the file could be noted.
    pub(super) fn link(&self, file: &File, id: Id) -> rusqlite::Result<bool> {
        let Some(item) = self.item(&id.0)? else {
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

    pub(super) fn unlink(&self, path: &str) -> rusqlite::Result<()> {
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

    pub(super) fn refuse(&self, file: &File, reason: &str) -> rusqlite::Result<()> {
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

/// When a content was made, and who says so, as columns hold it.
fn taken(item: &Item) -> (Option<i64>, Option<&'static str>) {
    (item.taken.map(|t| t.at), item.taken.map(|t| t.from.name()))
}

/// A content's payload as its column holds it.
fn payload(item: &Item) -> String {
    serde_json::to_string(&item.payload).unwrap_or_else(|_| "{}".into())
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
