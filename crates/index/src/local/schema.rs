//! The tables of a local index, how one is made, and how an older one is opened.
//!
//! SQLite is the truth; all else can be thrown away. `changes` tells what was touched since which
//! generation, so that caches follow without reading everything.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::sums;
use crate::{Error, Id, Model, Result};

/// The version of the format that is written. 1: the first; its times are in UTC, and its rows have
/// no checksums. 2: without regions, and every content is whole.
pub(super) const FORMAT: u32 = 3;

/// Value of `PRAGMA application_id` in our files: the bytes "dipt".
const APPLICATION: i32 = i32::from_be_bytes(*b"dipt");

/// Bytes of a page. A row with a vector of 512 values has 2 kB, of which a page of SQLite's usual 4
/// kB holds one.
const PAGE: u32 = 16_384;

/// The tables of format 2. `vector` numbers are never used again. `sum` is of [`sums`].
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE items (
        item INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        taken INTEGER,
        taken_from TEXT,
        phash BLOB,
        payload TEXT NOT NULL,
        sum INTEGER NOT NULL
    );
    CREATE TABLE vectors (
        vector INTEGER PRIMARY KEY AUTOINCREMENT,
        item INTEGER NOT NULL REFERENCES items,
        span_start REAL,
        span_end REAL,
        embedding BLOB NOT NULL,
        sum INTEGER NOT NULL
    );
    CREATE INDEX vectors_of ON vectors (item);
    CREATE TABLE folders (
        folder INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        sum INTEGER NOT NULL
    );
    CREATE TABLE files (
        folder INTEGER NOT NULL REFERENCES folders,
        name TEXT NOT NULL,
        item INTEGER NOT NULL REFERENCES items,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        sum INTEGER NOT NULL,
        PRIMARY KEY (folder, name)
    ) WITHOUT ROWID;
    CREATE INDEX files_of ON files (item);
    CREATE TABLE refused (
        path TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        reason TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notes (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL,
        sum INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE changes (vector INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
    CREATE INDEX changes_by ON changes (generation);
";

/// The tables that format 3 has, too, so that an index of format 2 needs no copy. A content that is
/// not whole yet is in `pending`, and has in `items` another id than its own ([`pending_id`]).
const TABLES_3: &str = "
    CREATE TABLE regions (
        vector INTEGER PRIMARY KEY REFERENCES vectors ON DELETE CASCADE,
        region_left REAL NOT NULL,
        region_top REAL NOT NULL,
        region_right REAL NOT NULL,
        region_bottom REAL NOT NULL,
        sum INTEGER NOT NULL
    );
    CREATE TABLE pending (
        item INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
        sum INTEGER NOT NULL
    );
";

/// The bytes that a content is known by until it is whole: one more than an id has, so nobody asks
/// for them.
pub(super) fn pending_id(id: Id) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&id.0);
    bytes
}

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
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Somebody else may have been faster.
    if is_new(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(TABLES_3)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        let model = serde_json::to_string(model).unwrap_or_default();
        let insert = "INSERT INTO meta VALUES ('model', ?1, row_sum('model', ?1))";
        transaction.execute(insert, [model])?;
        let identity = transaction.query_row("SELECT random()", [], |row| row.get(0))?;
        set_number(&transaction, "identity", identity)?;
        set_number(&transaction, "generation", 0)?;
        set_number(&transaction, "kept_from", 0)?;
    }
    transaction.commit()
}

/// Makes the tables of an older format those of today, in one stroke.
pub(super) fn upgrade(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(before) = older(&transaction)? else {
        return Ok(()); // somebody else was faster
    };
    if before == 1 {
        copy_of_format_1(&transaction)?;
    }
    transaction.execute_batch(TABLES_3)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    if before == 1 {
        // The tables were copied.
        db.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// Makes the tables of format 1 those of format 2.
///
/// They are copied, so that an index has the same tables whatever its age.
fn copy_of_format_1(db: &Connection) -> rusqlite::Result<()> {
    for index in ["vectors_of", "files_of", "changes_by"] {
        db.execute_batch(&format!("DROP INDEX {index}"))?;
    }
    let is_old = |rows: &&sums::Rows| !matches!(rows.table, "regions" | "pending");
    let tables = sums::ROWS.iter().filter(is_old);
    let tables = tables.map(|rows| (rows.table, rows.columns));
    let tables: Vec<(&str, &str)> = tables.chain([("changes", "")]).collect();
    for (table, _) in &tables {
        db.execute_batch(&format!("ALTER TABLE {table} RENAME TO old_{table}"))?;
    }
    db.execute_batch(TABLES)?;
    for (table, columns) in &tables {
        let sql = match *table {
            "items" => "INSERT INTO items
                        SELECT item, id, taken, NULL, NULL, payload, row_sum(id, taken, NULL, NULL, payload)
                        FROM old_items"
                .to_owned(),
            "changes" => "INSERT INTO changes SELECT * FROM old_changes".to_owned(),
            _ => format!("INSERT INTO {table} SELECT *, row_sum({columns}) FROM old_{table}"),
        };
        db.execute(&sql, [])?;
    }
    // Numbers that were used once are not used again.
    db.execute_batch(
        "DELETE FROM sqlite_sequence WHERE name NOT LIKE 'old%';
         UPDATE sqlite_sequence SET name = substr(name, 5);",
    )?;
    for (table, _) in tables.iter().rev() {
        db.execute_batch(&format!("DROP TABLE old_{table}"))?;
    }
    Ok(())
}

/// Lets an index of format 2 be read where it can't be written: what it has not is empty, and only
/// this connection's.
pub(super) fn stand_in(db: &Connection) -> rusqlite::Result<()> {
    if older(db)? == Some(2) {
        db.execute_batch(&TABLES_3.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
    }
    Ok(())
}

/// Whether a connection was given tables by [`stand_in`].
pub(super) fn has_stand_ins(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_temp_schema WHERE type = 'table')";
    db.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// An index of format 1 that can't be brought up to date.
pub(super) fn old(path: &Path) -> Error {
    Error::Format {
        path: path.to_owned(),
        found: 1,
        wanted: FORMAT,
        advice: "it is brought up to date where it can be written, so copy it there and open the copy",
    }
}

/// The version of a database's format.
pub(super) fn format(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The format of a database that is ours, if that can be brought up to date.
pub(super) fn older(db: &Connection) -> rusqlite::Result<Option<u32>> {
    let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let is_ours = number("application_id")? == i64::from(APPLICATION);
    let version = u32::try_from(number("user_version")?).ok();
    Ok(version.filter(|version| is_ours && (1..FORMAT).contains(version)))
}

/// A sentence for each table or index that is not as it was made.
pub(super) fn differences(db: &Connection) -> rusqlite::Result<Vec<String>> {
    const ALL: &str = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL
                       AND name NOT LIKE 'sqlite%' ORDER BY name";
    let read = |db: &Connection| {
        let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
        let rows: rusqlite::Result<Vec<(String, String)>> =
            db.prepare(ALL)?.query_map([], row)?.collect();
        rows
    };
    let model = Connection::open_in_memory()?;
    model.execute_batch(TABLES)?;
    if format(db)? == FORMAT {
        model.execute_batch(TABLES_3)?;
    }
    let (wanted, found) = (read(&model)?, read(db)?);
    let missing = wanted.iter().filter(|table| !found.contains(table));
    let missing = missing.map(|(name, _)| format!("`{name}` is not defined as it was"));
    let foreign = found
        .iter()
        .filter(|(name, _)| wanted.iter().all(|(n, _)| n != name));
    let foreign = foreign.map(|(name, _)| format!("`{name}` is none of an index's tables"));
    Ok(missing.chain(foreign).collect())
}

/// The model of an index that is ours and of a format we read.
pub(super) fn check(db: &Connection, path: &Path) -> Result<Model> {
    let at = |e| Error::database(path, e);
    let number = |name| {
        db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(at)
    };
    if number("application_id")? != i64::from(APPLICATION) {
        return Err(Error::NoIndex {
            path: path.to_owned(),
            found: "a database of another program",
        });
    }
    let found = u32::try_from(number("user_version")?).unwrap_or(0);
    if !(2..=FORMAT).contains(&found) {
        return Err(Error::Format {
            path: path.to_owned(),
            found,
            wanted: FORMAT,
            advice: if found > FORMAT {
                "a newer version of the program reads it"
            } else {
                "index the pictures again into a new file"
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
        .filter(|model| crate::check_model(model).is_ok())
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
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2, row_sum(?1, ?2))")?
        .execute(params![name, value])
        .map(|_| ())
}
