//! Whether an index is whole: the database in itself, and the caches like the database.

use std::sync::Arc;

use rusqlite::{Connection, Transaction};
use serde::Serialize;

use super::columns::{Columns, When};
use super::read::FilesOf;
use super::snapshot::Snapshot;
use super::{Local, file, schema, seal, sibling, sums};
use crate::Result;

/// Counts of what was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files that were looked up.
    pub files: u64,
    /// Contents.
    pub contents: u64,
    /// Vectors that were compared with what they are searched by.
    pub vectors: u64,
    /// A sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// Largest difference of a vector's length from 1.
const LENGTH: f64 = 1e-3;

impl Local {
    /// Reads all of the index and looks for what can't be.
    ///
    /// # Errors
    /// If it can't be read at all.
    pub fn verify(&self) -> Result<Verified> {
        self.readers.read(|db| self.verify_by(db))
    }

    fn verify_by(&self, db: &Connection) -> Result<Verified> {
        let at = |e| self.at(e);
        // Of one moment, though another thread or process writes.
        let db = db.unchecked_transaction().map_err(at)?;
        let mut verified = Verified::default();
        verified.problems.extend(seal::check(&self.path, &db)?);
        rows(&db, &mut verified.problems).map_err(at)?;
        if let Err(error) = database(&db, &mut verified.problems) {
            verified.problems.push(at(error).to_string());
        }
        let count = |table| super::read::count(&db, table).unwrap_or(0);
        verified.files = count("files");
        verified.contents = super::read::count_contents(&db).unwrap_or(0);
        if !verified.problems.is_empty() {
            // Of a database that is damaged nothing else can be trusted.
            verified.vectors = count("vectors");
            return Ok(verified);
        }
        let snapshot = self.followed(&Snapshot::default(), &db)?;
        verified.vectors = snapshot.len() as u64;
        self.lengths(&db, &mut verified.problems)?;
        self.cache(&db, &snapshot, &mut verified.problems)?;
        Ok(verified)
    }

    fn lengths(&self, db: &Connection, problems: &mut Vec<String>) -> Result<()> {
        let at = |e| self.at(e);
        let mut select = db
            .prepare("SELECT vector, embedding FROM vectors")
            .map_err(at)?;
        let mut rows = select.query([]).map_err(at)?;
        while let Some(row) = rows.next().map_err(at)? {
            let bytes = row.get_ref(1).map_err(at)?.as_blob().unwrap_or_default();
            let values = super::columns::floats(bytes);
            let length = values
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            if (length - 1.0).abs().is_nan() || (length - 1.0).abs() > LENGTH {
                let vector: i64 = row.get(0).map_err(at)?;
                problems.push(format!("vector {vector} has length {length}, wanted 1"));
            }
        }
        Ok(())
    }

    /// Compares what is searched, which may lag behind, with the tables.
    fn cache(&self, db: &Transaction, truth: &Snapshot, problems: &mut Vec<String>) -> Result<()> {
        let path = sibling(&self.path, "scan");
        if !path.exists() {
            return Ok(());
        }
        let kept = file::read(&path, self.identity, self.model.dim);
        if kept.is_none() || !file::is_whole(&path)? {
            let path = path.display();
            problems.push(format!(
                "{path} is damaged, or another index's; `compact` makes it anew"
            ));
            return Ok(());
        }
        // Later ones are not used, as when a database was put back.
        let Some((generation, columns)) = kept.filter(|(of, _)| *of <= truth.generation) else {
            return Ok(());
        };
        let kept = Snapshot::of(generation, Arc::new(columns));
        let kept = self.followed(&kept, db)?;
        let dim = self.model.dim;
        let (kept, truth) = (rows_of(&kept, dim), rows_of(truth, dim));
        let is_like =
            kept.len() == truth.len() && kept.zip(truth).all(|(kept, truth)| kept == truth);
        if !is_like {
            let path = path.display();
            problems.push(format!(
                "{path} is not like the index; `compact` makes it anew"
            ));
        }
        Ok(())
    }
}

/// The rows of a snapshot in the order of their vectors: number, date, folders and values.
fn rows_of(
    snapshot: &Snapshot,
    dim: usize,
) -> impl ExactSizeIterator<Item = (i64, When, Vec<u32>, Vec<f32>)> + '_ {
    let segments = snapshot.segments().iter();
    let rows = segments.flat_map(|segment| {
        let rows = 0..segment.columns.len();
        let rows = rows.filter(|&row| segment.has(row));
        rows.map(|row| (&segment.columns, row))
    });
    let mut rows: Vec<(&Arc<Columns>, usize)> = rows.collect();
    rows.sort_unstable_by_key(|(columns, row)| columns.vectors[*row]);
    rows.into_iter().map(move |(columns, row)| {
        let mut values = Vec::new();
        columns.codes.values(row..row + 1, dim, &mut values);
        let (vector, taken) = (columns.vectors[row], columns.taken[row]);
        (vector, taken, columns.folders_of(row), values)
    })
}

/// Rows that are not as they were written, each with a file that it is about.
fn rows(db: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut files = FilesOf::new(db)?;
    let checked = sums::check(db, &mut |called, item| {
        let of = item.and_then(|item| files.read(item).ok()?.into_iter().next());
        let of = of.map_or(String::new(), |file| format!(" (of {})", file.path));
        problems.push(format!(
            "{called}{of}: its checksum is not that of its values"
        ));
    });
    // A table that can't be read to its end is told of, too, and what was found until then.
    if let Err(error) = checked {
        problems.push(format!("the rows can't be read: {error}"));
    }
    Ok(())
}

/// Problems that SQLite itself finds, and references that lead nowhere.
fn database(db: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    problems.extend(schema::differences(db)?);
    db.pragma_update(None, "cell_size_check", true)?;
    let mut check = db.prepare("PRAGMA integrity_check(8)")?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?;
    for sentence in found {
        let sentence = sentence?;
        if sentence != "ok" {
            problems.push(sentence);
        }
    }
    if !problems.is_empty() {
        return Ok(());
    }
    const WANTED: &[(&str, &str)] = &[
        (
            "files of an unknown content",
            "SELECT count(*) FROM files WHERE item NOT IN (SELECT item FROM items)",
        ),
        (
            "files in an unknown folder",
            "SELECT count(*) FROM files WHERE folder NOT IN (SELECT folder FROM folders)",
        ),
        (
            "vectors of an unknown content",
            "SELECT count(*) FROM vectors WHERE item NOT IN (SELECT item FROM items)",
        ),
        (
            "regions of an unknown vector",
            "SELECT count(*) FROM regions WHERE vector NOT IN (SELECT vector FROM vectors)",
        ),
        (
            "pending contents that are unknown",
            "SELECT count(*) FROM pending WHERE item NOT IN (SELECT item FROM items)",
        ),
        (
            "contents without a vector",
            "SELECT count(*) FROM items WHERE item NOT IN (SELECT item FROM vectors)
             AND item NOT IN (SELECT item FROM pending)",
        ),
        (
            "contents without a file",
            "SELECT count(*) FROM items WHERE item NOT IN (SELECT item FROM files)
             AND item NOT IN (SELECT item FROM pending)",
        ),
    ];
    for (what, sql) in WANTED {
        let n: i64 = db.query_row(sql, [], |row| row.get(0))?;
        if n > 0 {
            problems.push(format!("{n} {what}"));
        }
    }
    Ok(())
}
