//! The tables → rows of a snapshot: those of vectors that were touched since it was made, or all.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::columns::{Columns, When, floats};
use super::snapshot::{SEGMENT, Snapshot};
use super::{read, schema};

/// A vector as the tables have it.
pub(super) struct Fresh {
    pub(super) vector: i64,
    pub(super) taken: When,
    /// Of the content's files.
    pub(super) folders: Vec<u32>,
    pub(super) values: Vec<f32>,
}

/// Why a snapshot could not follow the tables.
pub(super) enum Failed {
    Database(rusqlite::Error),
    /// A vector's number, and the wrong number of values that it has.
    Vector(i64, usize),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Snapshot {
    /// The snapshot of the tables as they are in a transaction, for which only changes since this
    /// one are read.
    pub(super) fn follow(&self, db: &Connection, dim: usize) -> Result<Self, Failed> {
        let generation = schema::number(db, "generation")?;
        let is_listed = self.generation >= schema::number(db, "kept_from")?;
        let is_earlier = self.generation <= generation;
        let (mut next, since) = if is_listed && is_earlier && self.len() > 0 {
            (self.clone(), Some(self.generation))
        } else {
            (Self::default(), None)
        };
        if since.is_none() {
            next.made = generation;
        }
        let touched = touched(db, since)?;
        next.hide(&touched);
        let mut reader = Reader::new(db)?;
        let mut fresh = Columns::default();
        for vector in touched {
            let Some(found) = reader.read(vector)? else {
                continue;
            };
            if found.values.len() != dim {
                return Err(Failed::Vector(vector, found.values.len()));
            }
            fresh.push(found);
            if fresh.len() == SEGMENT {
                next.push(std::mem::take(&mut fresh), dim);
            }
        }
        next.push(fresh, dim);
        next.generation = generation;
        Ok(next)
    }
}

/// The vectors that were touched after a generation, or all there are, in ascending order.
fn touched(db: &Connection, since: Option<i64>) -> rusqlite::Result<Vec<i64>> {
    let number = |row: &rusqlite::Row| row.get(0);
    if let Some(since) = since {
        let sql = "SELECT vector FROM changes WHERE generation > ? ORDER BY vector";
        let mut select = db.prepare_cached(sql)?;
        return select.query_map([since], number)?.collect();
    }
    // By the index, which is small; the table has all embeddings.
    let sql = "SELECT vector FROM vectors INDEXED BY vectors_of
               WHERE item NOT IN (SELECT item FROM pending) ORDER BY item, vector";
    let mut select = db.prepare(sql)?;
    let all: rusqlite::Result<Vec<i64>> = select.query_map([], number)?.collect();
    let mut all = all?;
    all.sort_unstable();
    Ok(all)
}

/// Reads vectors with what filters ask for.
struct Reader<'a> {
    vectors: CachedStatement<'a>,
    folders: CachedStatement<'a>,
    /// The content that was read last, and its folders: a film's moments follow each other.
    last: Option<(i64, Vec<u32>)>,
}

impl<'a> Reader<'a> {
    fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            vectors: db.prepare_cached(
                "SELECT item, taken, taken_from, embedding
                 FROM vectors JOIN items USING (item) WHERE vector = ?",
            )?,
            folders: db.prepare_cached("SELECT DISTINCT folder FROM files WHERE item = ?")?,
            last: None,
        })
    }

    /// A vector, if it is there and has a file.
    fn read(&mut self, vector: i64) -> rusqlite::Result<Option<Fresh>> {
        let row = |row: &rusqlite::Row| {
            let values = floats(row.get_ref(3)?.as_blob()?);
            Ok((row.get::<_, i64>(0)?, read::taken(row, 1)?, values))
        };
        let found = self.vectors.query_row([vector], row).optional()?;
        let Some((item, taken, values)) = found else {
            return Ok(None);
        };
        let folders = self.folders_of(item)?;
        Ok((!folders.is_empty()).then_some(Fresh {
            vector,
            taken: When::new(taken),
            folders,
            values,
        }))
    }

    fn folders_of(&mut self, item: i64) -> rusqlite::Result<Vec<u32>> {
        if let Some((of, folders)) = &self.last
            && *of == item
        {
            return Ok(folders.clone());
        }
        let folders = self.folders.query_map([item], |row| row.get(0))?;
        let folders = folders.collect::<rusqlite::Result<Vec<u32>>>()?;
        self.last = Some((item, folders.clone()));
        Ok(folders)
    }
}
