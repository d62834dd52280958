//! Rows of the tables → records.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::columns::floats;
use super::rows::join;
use super::schema::pending_id;
use super::select;
use crate::{
    Begun, File, Id, Item, Moment, Part, Payload, Region, Span, Taken, TakenFrom, is_within,
};

/// Calls `each` with files and their contents, the refused ones last.
pub(super) fn files(
    db: &Connection,
    within: &[String],
    each: &mut dyn FnMut(File, Option<Id>),
) -> rusqlite::Result<()> {
    const FILES: &str = "SELECT path, name, size, modified, id
                         FROM files JOIN folders USING (folder) JOIN items USING (item)";
    let mut tell = |rows: &mut rusqlite::Rows| {
        while let Some(row) = rows.next()? {
            each(file(row)?, Some(id(row, 4)?));
        }
        Ok::<_, rusqlite::Error>(())
    };
    if within.is_empty() {
        tell(&mut db.prepare_cached(FILES)?.query([])?)?;
    }
    // What lies below two of them is told once.
    let plain = |folder: &str| folder.trim_end_matches(std::path::is_separator).to_owned();
    let all: BTreeSet<String> = within.iter().map(|folder| plain(folder)).collect();
    let is_outer = |folder: &&String| {
        let is_below = |other: &String| other != *folder && is_within(folder, other);
        !all.iter().any(is_below)
    };
    let outer: Vec<&String> = all.iter().filter(is_outer).collect();
    for folder in outer {
        let mut of_folder = db.prepare_cached(&format!("{FILES} WHERE folder = ?"))?;
        for number in select::folders(db, folder)? {
            tell(&mut of_folder.query([number])?)?;
        }
        // It may be a file itself.
        let sql = format!("{FILES} WHERE path = ? AND name = ?");
        let mut named = db.prepare_cached(&sql)?;
        tell(&mut named.query(<[&str; 2]>::from(super::rows::split(folder)))?)?;
    }
    for (file, _) in refused(db)? {
        if within.is_empty() || within.iter().any(|folder| is_within(&file.path, folder)) {
            each(file, None);
        }
    }
    Ok(())
}

/// A file, from the first four columns.
fn file(row: &Row) -> rusqlite::Result<File> {
    let text = |i| row.get_ref(i)?.as_str().map_err(rusqlite::Error::from);
    Ok(File {
        path: join(text(0)?, text(1)?),
        size: row.get::<_, i64>(2)? as u64,
        modified: row.get(3)?,
    })
}

/// A content's id, in column `i`.
pub(super) fn id(row: &Row, i: usize) -> rusqlite::Result<Id> {
    row.get(i).map(Id)
}

/// When a content was made, in columns `i` and `i + 1`.
pub(super) fn taken(row: &Row, i: usize) -> rusqlite::Result<Option<Taken>> {
    let at: Option<i64> = row.get(i)?;
    let from: Option<String> = row.get(i + 1)?;
    let from = TakenFrom::named(&from.unwrap_or_default());
    Ok(at.map(|at| Taken { at, from }))
}

/// A content's payload, in column `i`; what can't be read of it is left out.
pub(super) fn payload(row: &Row, i: usize) -> rusqlite::Result<Payload> {
    Ok(serde_json::from_str(row.get_ref(i)?.as_str()?).unwrap_or_default())
}

/// The columns of a moment's part, in the order that [`part`] reads them; `regions` is joined.
pub(super) const PART: &str =
    "span_start, span_end, region_left, region_top, region_right, region_bottom";

/// A part of a content, in [`PART`], which begins with column `i`.
pub(super) fn part(row: &Row, i: usize) -> rusqlite::Result<Part> {
    let number = |at: usize| row.get::<_, Option<f64>>(i + at);
    let region = match (number(2)?, number(3)?, number(4)?, number(5)?) {
        (Some(left), Some(top), Some(right), Some(bottom)) => Some(Region {
            left,
            top,
            right,
            bottom,
        }),
        _ => None,
    };
    let span = number(0)?.zip(number(1)?);
    Ok(Part {
        span: span.map(|(start, end)| Span { start, end }),
        region,
    })
}

pub(super) fn refused(db: &Connection) -> rusqlite::Result<Vec<(File, String)>> {
    let sql = "SELECT path, size, modified, reason FROM refused ORDER BY path";
    let row = |row: &Row| {
        let file = File {
            path: row.get(0)?,
            size: row.get::<_, i64>(1)? as u64,
            modified: row.get(2)?,
        };
        Ok((file, row.get(3)?))
    };
    db.prepare_cached(sql)?.query_map([], row)?.collect()
}

const ITEMS: &str = "SELECT item, id, taken, taken_from, phash, payload FROM items";

/// A content's number, and all of it but its vectors.
fn bare(row: &Row) -> rusqlite::Result<(i64, Item)> {
    let item = Item {
        id: id(row, 1)?,
        taken: taken(row, 2)?,
        phash: row.get(4)?,
        payload: payload(row, 5)?,
        moments: Vec::new(),
    };
    Ok((row.get(0)?, item))
}

fn moments(db: &Connection, item: i64) -> rusqlite::Result<Vec<Moment>> {
    let sql = format!(
        "SELECT {PART}, embedding FROM vectors LEFT JOIN regions USING (vector)
         WHERE item = ? ORDER BY vector"
    );
    let moment = |row: &Row| {
        Ok(Moment {
            part: part(row, 0)?,
            vector: floats(row.get_ref(6)?.as_blob()?),
        })
    };
    db.prepare_cached(&sql)?
        .query_map([item], moment)?
        .collect()
}

pub(super) fn item(db: &Connection, id: Id) -> rusqlite::Result<Option<Item>> {
    let mut select = db.prepare_cached(&format!("{ITEMS} WHERE id = ?"))?;
    let found = select.query_row([&id.0[..]], bare).optional()?;
    let Some((number, mut item)) = found else {
        return Ok(None);
    };
    item.moments = moments(db, number)?;
    Ok(Some(item))
}

/// A content that was begun.
pub(super) fn begun(db: &Connection, id: Id) -> rusqlite::Result<Option<Begun>> {
    // It is known by one byte more than its id.
    let sql = "SELECT item, substr(id, 1, 16), taken, taken_from, phash, payload FROM items
               JOIN pending USING (item) WHERE id = ?";
    let mut select = db.prepare_cached(sql)?;
    let found = select.query_row([&pending_id(id)[..]], bare).optional()?;
    let Some((number, item)) = found else {
        return Ok(None);
    };
    let sql = "SELECT count(*) FROM vectors WHERE item = ?";
    let moments: i64 = db
        .prepare_cached(sql)?
        .query_row([number], |row| row.get(0))?;
    let sql = format!(
        "SELECT {PART} FROM vectors LEFT JOIN regions USING (vector)
         WHERE item = ? ORDER BY vector DESC LIMIT 1"
    );
    let mut select = db.prepare_cached(&sql)?;
    let last = select.query_row([number], |row| part(row, 0)).optional()?;
    Ok(Some(Begun {
        item,
        moments: moments as u64,
        last,
    }))
}

pub(super) fn vector(db: &Connection, id: Id, part: &Part) -> rusqlite::Result<Option<Vec<f32>>> {
    // `IS`, since a part without a span or a region has none to be equal to.
    let sql =
        "SELECT embedding FROM vectors JOIN items USING (item) LEFT JOIN regions USING (vector)
               WHERE id = ? AND span_start IS ? AND span_end IS ?
               AND region_left IS ? AND region_top IS ? AND region_right IS ? AND region_bottom IS ?
               ORDER BY vector LIMIT 1";
    let (span, region) = (part.span, part.region);
    let values = params![
        &id.0[..],
        span.map(|s| s.start),
        span.map(|s| s.end),
        region.map(|r| r.left),
        region.map(|r| r.top),
        region.map(|r| r.right),
        region.map(|r| r.bottom),
    ];
    let row = |row: &Row| Ok(floats(row.get_ref(0)?.as_blob()?));
    db.prepare_cached(sql)?.query_row(values, row).optional()
}

pub(super) fn has(db: &Connection, ids: &[Id]) -> rusqlite::Result<Vec<bool>> {
    let mut select = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM items WHERE id = ?)")?;
    let mut has = |id: &Id| select.query_row([&id.0[..]], |row| row.get(0));
    ids.iter().map(&mut has).collect()
}

/// The files of a content.
pub(super) struct FilesOf<'a>(CachedStatement<'a>);

impl<'a> FilesOf<'a> {
    pub(super) fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT path, name, size, modified FROM files JOIN folders USING (folder)
                   WHERE item = ? ORDER BY path, name";
        Ok(Self(db.prepare_cached(sql)?))
    }

    pub(super) fn read(&mut self, item: i64) -> rusqlite::Result<Vec<File>> {
        self.0.query_map([item], file)?.collect()
    }
}

pub(super) fn each(
    db: &Connection,
    each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut files = FilesOf::new(db)?;
    let whole = "WHERE item NOT IN (SELECT item FROM pending) ORDER BY item";
    let mut items = db.prepare(&format!("{ITEMS} {whole}"))?;
    let mut rows = items.query([])?;
    while let Some(row) = rows.next()? {
        let (number, mut item) = bare(row)?;
        item.moments = moments(db, number)?;
        if each(item, files.read(number)?).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn note(db: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = db.prepare_cached("SELECT value FROM notes WHERE name = ?")?;
    select.query_row([name], |row| row.get(0)).optional()
}

/// Contents that are whole.
pub(super) fn count_contents(db: &Connection) -> rusqlite::Result<u64> {
    Ok(count(db, "items")?.saturating_sub(count(db, "pending")?))
}

/// Rows of a table.
pub(super) fn count(db: &Connection, table: &str) -> rusqlite::Result<u64> {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
        row.get::<_, i64>(0)
    })
    .map(|n| n as u64)
}
