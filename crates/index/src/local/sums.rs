//! A checksum in every row, so that a damaged disk is noticed, and what it cost can be named.
//!
//! `row_sum(…)` is a function of SQL: CRC-32 of its arguments, each with its kind. It finds every
//! change of up to 32 neighbouring bits, and all but one of four thousand million others.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// The columns of each table that are summed, and how a row is called. `item` is its content, where
/// it has one.
pub(super) const ROWS: &[Rows] = &[
    Rows {
        table: "items",
        columns: "id, taken, taken_from, phash, payload",
        called: "'content ' || item",
        item: "item",
    },
    Rows {
        table: "vectors",
        columns: "item, span_start, span_end, embedding",
        called: "'vector ' || vector",
        item: "item",
    },
    Rows {
        table: "regions",
        columns: "vector, region_left, region_top, region_right, region_bottom",
        called: "'region of vector ' || vector",
        item: "(SELECT item FROM vectors WHERE vectors.vector = regions.vector)",
    },
    Rows {
        table: "pending",
        columns: "item",
        called: "'pending content ' || item",
        item: "NULL",
    },
    Rows {
        table: "folders",
        columns: "path",
        called: "'folder ' || path",
        item: "NULL",
    },
    Rows {
        table: "files",
        columns: "folder, name, item, size, modified",
        called: "'file ' || name",
        item: "item",
    },
    Rows {
        table: "refused",
        columns: "path, size, modified, reason",
        called: "'refused file ' || path",
        item: "NULL",
    },
    Rows {
        table: "notes",
        columns: "name, value",
        called: "'note ' || name",
        item: "NULL",
    },
    Rows {
        table: "meta",
        columns: "name, value",
        called: "'value ' || name",
        item: "NULL",
    },
];

/// The rows of a table.
pub(super) struct Rows {
    pub(super) table: &'static str,
    /// The columns that its `sum` is of, in this order.
    pub(super) columns: &'static str,
    pub(super) called: &'static str,
    pub(super) item: &'static str,
}

/// Makes `row_sum` known to a connection.
pub(super) fn register(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("row_sum", -1, flags, |values| {
        let mut sum = crc32fast::Hasher::new();
        let mut add = |kind: u8, bytes: &[u8]| {
            sum.update(&[kind]);
            sum.update(&(bytes.len() as u64).to_le_bytes());
            sum.update(bytes);
        };
        for i in 0..values.len() {
            match values.get_raw(i) {
                ValueRef::Null => add(0, &[]),
                ValueRef::Integer(value) => add(1, &value.to_le_bytes()),
                ValueRef::Real(value) => add(2, &value.to_le_bytes()),
                ValueRef::Text(value) => add(3, value),
                ValueRef::Blob(value) => add(4, value),
            }
        }
        Ok(i64::from(sum.finalize()))
    })
}

/// Calls `tell` with what each row is called whose sum is not that of its values, and its content's
/// number.
pub(super) fn check(
    db: &Connection,
    tell: &mut dyn FnMut(String, Option<i64>),
) -> rusqlite::Result<()> {
    for Rows {
        table,
        columns,
        called,
        item,
    } in ROWS
    {
        let sql =
            format!("SELECT {called}, {item} FROM {table} WHERE sum IS NOT row_sum({columns})");
        let mut select = db.prepare(&sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            // A damaged name need not be text.
            let called = match row.get_ref(0)? {
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => format!("a row of {table}"),
            };
            tell(called, row.get(1).unwrap_or(None));
        }
    }
    Ok(())
}
