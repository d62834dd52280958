//! The tables of a local index, how one is made, and how an older one is opened.
//!
//! SQLite is the truth; all else can be thrown away. `changes` tells what was touched since which generation, so that caches
//! follow without reading everything.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{Error, Model, Result};

/// The version of the format that is written. 1: the first.
pub(super) const FORMAT: u32 = 1;

/// What `PRAGMA application_id` says of our files: "dipt".
const APPLICATION: i32 = i32::from_be_bytes(*b"dipt");

/// Bytes of a page. A row with a vector of 512 values has 2 kB, of which a page of SQLite's usual 4 kB holds one.
const PAGE: u32 = 16_384;

/// `vector` numbers are never used again, so that a cache knows those that came after it.
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE items (
        item INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        taken INTEGER,
        payload TEXT NOT NULL
    );
    CREATE TABLE vectors (
        vector INTEGER PRIMARY KEY AUTOINCREMENT,
        item INTEGER NOT NULL REFERENCES items,
        span_start REAL,
        span_end REAL,
        embedding BLOB NOT NULL
    );
    CREATE INDEX vectors_of ON vectors (item);
    CREATE TABLE folders (folder INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
    CREATE TABLE files (
        folder INTEGER NOT NULL REFERENCES folders,
        name TEXT NOT NULL,
        item INTEGER NOT NULL REFERENCES items,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        PRIMARY KEY (folder, name)
    ) WITHOUT ROWID;
    CREATE INDEX files_of ON files (item);
    CREATE TABLE refused (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE changes (vector INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
    CREATE INDEX changes_by ON changes (generation);
";

/// Whether a database has no tables yet.
pub(super) fn is_new(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })
    .map(|tables| tables == 0)
}

/// Makes the tables for a model's vectors, in one stroke.
pub(super) fn create(db: &mut Connection, model: &Model) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", PAGE)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Somebody else may have been faster.
    if is_new(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        let model = serde_json::to_string(model).unwrap_or_default();
        transaction.execute("INSERT INTO meta VALUES ('model', ?)", [model])?;
        transaction.execute("INSERT INTO meta VALUES ('identity', random())", [])?;
        set_number(&transaction, "generation", 0)?;
        set_number(&transaction, "kept_from", 0)?;
    }
    transaction.commit()
}

/// The model of an index that is ours and of a format we read.
pub(super) fn check(db: &Connection, path: &Path) -> Result<Model> {
    let at = |e| Error::database(path, e);
    let number = |name| {
        db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(at)
    };
    if number("application_id")? != i64::from(APPLICATION) {
        return Err(Error::Damaged {
            path: path.to_owned(),
            reason: "a database of another program, not an index".into(),
        });
    }
    let found = u32::try_from(number("user_version")?).unwrap_or(0);
    if found != FORMAT {
        return Err(Error::Format {
            path: path.to_owned(),
            found,
            wanted: FORMAT,
            advice: match found > FORMAT {
                true => "a newer version of the program reads it",
                false => "index the pictures again into a new file",
            },
        });
    }
    let model: Option<String> = db
        .query_row("SELECT value FROM meta WHERE name = 'model'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(at)?;
    let model = model.and_then(|model| serde_json::from_str::<Model>(&model).ok());
    model
        .filter(|model| model.dim > 0)
        .ok_or_else(|| Error::Damaged {
            path: path.to_owned(),
            reason: "the index does not say what model its vectors are of".into(),
        })
}

/// A number among the index's own values.
pub(super) fn number(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([name], |row| row.get(0))
}

/// Sets a number among the index's own values.
pub(super) fn set_number(db: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?
        .execute(params![name, value])
        .map(|_| ())
}
