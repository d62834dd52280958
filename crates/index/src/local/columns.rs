//! What a search reads of every vector, in memory: a column for each thing that filters ask for, and the vectors in eight bits.
//!
//! A cache: it follows the tables by their list of changes, and is kept in a file so that the next process need not read
//! them. Invariant: each row has at least one file, and rows are in any order, but that those of a cell lie together.
//!
//! `N` rows, `D` width.

use diptych_kernels::Vectors;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::cells::Partition;
use super::{read, schema};
use crate::{Taken, TakenFrom};

/// When a content was made, and in the last bit whether somebody else than itself says so: one number for two questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct When(pub(super) i64);

impl When {
    /// Of a content of which it isn't known.
    pub(super) const UNKNOWN: Self = Self(i64::MIN);

    pub(super) fn new(taken: Option<Taken>) -> Self {
        taken.map_or(Self::UNKNOWN, |Taken { at, from }| {
            let at = at.clamp(i64::MIN / 2 + 1, i64::MAX / 2);
            Self(at * 2 + i64::from(from != TakenFrom::Exif))
        })
    }

    /// The second, as in [`Taken::at`].
    pub(super) fn at(self) -> Option<i64> {
        (self != Self::UNKNOWN).then_some(self.0 >> 1)
    }

    /// Whether the content says so itself.
    pub(super) fn is_dated(self) -> bool {
        self != Self::UNKNOWN && self.0 & 1 == 0
    }
}

/// What marks the folder of a content that has files in others, too.
const MORE: u32 = 1 << 31;

/// A row for each vector that can be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// The generation of the tables that this is like.
    pub(super) generation: i64,
    /// The highest number of a vector that there has been.
    pub(super) newest: i64,
    /// `[N]`, their numbers.
    pub(super) vectors: Vec<i64>,
    /// `[N]`.
    pub(super) taken: Vec<When>,
    /// `[N]`, the folder of the content's first file, perhaps with [`MORE`].
    pub(super) folders: Vec<u32>,
    /// The folders of its other files, in the order of vectors.
    pub(super) more: Vec<(i64, u32)>,
    /// `[N, D]`.
    pub(super) codes: Codes,
    /// Which rows lie near each other.
    pub(super) cells: Partition,
}

/// Vectors in eight bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Codes {
    /// `[N, D]`.
    pub(super) codes: Vec<i8>,
    /// `[N]`.
    pub(super) scales: Vec<f32>,
    /// `[N]`: the length of what rounding took off, which bounds the error of any product with a vector of length 1.
    pub(super) errors: Vec<f32>,
}

impl Codes {
    pub(super) fn push(&mut self, vector: &[f32]) {
        let (codes, scales) = diptych_kernels::to_int8(vector, vector.len());
        let scale = f64::from(scales[0]);
        let lost = |(x, &code): (&f32, &i8)| (f64::from(*x) - scale * f64::from(code)).powi(2);
        let error = vector.iter().zip(&codes).map(lost).sum::<f64>().sqrt();
        self.codes.extend(codes);
        self.scales.extend(scales);
        self.errors.push((error as f32).next_up());
    }

    /// Appends the values of rows, `[n, D]`.
    pub(super) fn values(&self, rows: std::ops::Range<usize>, dim: usize, out: &mut Vec<f32>) {
        for row in rows {
            let codes = &self.codes[row * dim..(row + 1) * dim];
            out.extend(codes.iter().map(|&code| self.scales[row] * f32::from(code)));
        }
    }

    /// The rows as the kernels take them.
    pub(super) fn all(&self) -> Vectors<'_> {
        Vectors::Int8 {
            codes: &self.codes,
            scales: &self.scales,
        }
    }

    /// Some of the rows, as the kernels take them.
    pub(super) fn part(&self, rows: std::ops::Range<usize>, dim: usize) -> Vectors<'_> {
        Vectors::Int8 {
            codes: &self.codes[rows.start * dim..rows.end * dim],
            scales: &self.scales[rows],
        }
    }

    /// The rows in another order.
    pub(super) fn permuted(&self, order: &[usize], dim: usize) -> Self {
        let mut codes = Vec::with_capacity(self.codes.len());
        for &row in order {
            codes.extend_from_slice(&self.codes[row * dim..(row + 1) * dim]);
        }
        Self {
            codes,
            scales: order.iter().map(|&row| self.scales[row]).collect(),
            errors: order.iter().map(|&row| self.errors[row]).collect(),
        }
    }
}

/// A vector as the tables have it.
struct Fresh {
    vector: i64,
    taken: When,
    /// At least one.
    folders: Vec<u32>,
    values: Vec<f32>,
}

/// Why columns could not follow the tables.
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

impl Columns {
    /// Number of rows, `N`.
    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// The folder of a row's content, if all its files are in one.
    pub(super) fn only_folder(&self, row: usize) -> Option<u32> {
        let folder = self.folders[row];
        (folder & MORE == 0).then_some(folder)
    }

    /// Whether any of a row's folders is wanted.
    pub(super) fn any_folder(&self, row: usize, wanted: impl Fn(u32) -> bool) -> bool {
        let folder = self.folders[row];
        wanted(folder & !MORE)
            || (folder & MORE != 0
                && self
                    .others(self.vectors[row])
                    .any(|&(_, folder)| wanted(folder)))
    }

    /// The other folders of a vector.
    fn others(&self, vector: i64) -> impl Iterator<Item = &(i64, u32)> {
        let first = self.more.partition_point(|(v, _)| *v < vector);
        self.more[first..]
            .iter()
            .take_while(move |(v, _)| *v == vector)
    }

    /// All folders of a row, ascending.
    pub(super) fn folders_of(&self, row: usize) -> Vec<u32> {
        let others = self.others(self.vectors[row]).map(|(_, folder)| *folder);
        let mut folders: Vec<u32> = others.chain([self.folders[row] & !MORE]).collect();
        folders.sort_unstable();
        folders
    }

    /// Follows the tables, as they are in a transaction.
    pub(super) fn follow(&mut self, db: &Transaction, dim: usize) -> Result<(), Failed> {
        let generation = schema::number(db, "generation")?;
        if generation == self.generation {
            return Ok(());
        }
        if self.generation < schema::number(db, "kept_from")? {
            *self = Self::default();
        }
        let touched = touched(db, (self.len() > 0).then_some(self.generation))?;
        self.drop_rows(&touched, dim);
        let mut reader = Reader::new(db)?;
        for vector in touched {
            if let Some(fresh) = reader.read(vector)? {
                self.push(fresh, dim)?;
            }
        }
        self.more.sort_unstable();
        self.generation = generation;
        Ok(())
    }

    /// Takes out the rows of vectors, which are given in ascending order.
    fn drop_rows(&mut self, vectors: &[i64], dim: usize) {
        if vectors.first().is_none_or(|first| *first > self.newest) {
            return;
        }
        let is_kept = |vector: i64| vectors.binary_search(&vector).is_err();
        let kept: Vec<usize> = (0..self.len())
            .filter(|&row| is_kept(self.vectors[row]))
            .collect();
        if kept.len() == self.len() {
            return;
        }
        self.cells.keep(&kept);
        for (to, &from) in kept.iter().enumerate() {
            self.vectors[to] = self.vectors[from];
            self.taken[to] = self.taken[from];
            self.folders[to] = self.folders[from];
            self.codes.scales[to] = self.codes.scales[from];
            self.codes.errors[to] = self.codes.errors[from];
            self.codes
                .codes
                .copy_within(from * dim..(from + 1) * dim, to * dim);
        }
        self.vectors.truncate(kept.len());
        self.taken.truncate(kept.len());
        self.folders.truncate(kept.len());
        self.codes.scales.truncate(kept.len());
        self.codes.errors.truncate(kept.len());
        self.codes.codes.truncate(kept.len() * dim);
        self.more.retain(|(vector, _)| is_kept(*vector));
    }

    fn push(&mut self, fresh: Fresh, dim: usize) -> Result<(), Failed> {
        if fresh.values.len() != dim {
            return Err(Failed::Vector(fresh.vector, fresh.values.len()));
        }
        let (first, others) = (fresh.folders[0], &fresh.folders[1..]);
        self.newest = self.newest.max(fresh.vector);
        self.vectors.push(fresh.vector);
        self.taken.push(fresh.taken);
        self.folders.push(if others.is_empty() {
            first
        } else {
            first | MORE
        });
        self.more
            .extend(others.iter().map(|folder| (fresh.vector, *folder)));
        self.codes.push(&fresh.values);
        Ok(())
    }

    /// Puts the rows in another order.
    pub(super) fn permute(&mut self, order: &[usize], dim: usize) {
        self.vectors = order.iter().map(|&row| self.vectors[row]).collect();
        self.taken = order.iter().map(|&row| self.taken[row]).collect();
        self.folders = order.iter().map(|&row| self.folders[row]).collect();
        self.codes = self.codes.permuted(order, dim);
    }
}

/// The vectors that were touched after a generation, or all there are, in ascending order.
fn touched(db: &Connection, since: Option<i64>) -> rusqlite::Result<Vec<i64>> {
    let number = |row: &rusqlite::Row| row.get(0);
    match since {
        Some(since) => {
            let sql = "SELECT vector FROM changes WHERE generation > ? ORDER BY vector";
            db.prepare_cached(sql)?
                .query_map([since], number)?
                .collect()
        }
        // By the index, which is small; the table has all embeddings.
        None => {
            let sql = "SELECT vector FROM vectors INDEXED BY vectors_of ORDER BY item, vector";
            let all = db
                .prepare(sql)?
                .query_map([], number)?
                .collect::<Result<Vec<i64>, _>>();
            all.map(|mut all| {
                all.sort_unstable();
                all
            })
        }
    }
}

/// Reads vectors with what filters ask for.
struct Reader<'a> {
    vectors: rusqlite::CachedStatement<'a>,
    folders: rusqlite::CachedStatement<'a>,
}

impl<'a> Reader<'a> {
    fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            vectors: db.prepare_cached(
                "SELECT item, taken, taken_from, embedding
                 FROM vectors JOIN items USING (item) WHERE vector = ?",
            )?,
            folders: db.prepare_cached("SELECT DISTINCT folder FROM files WHERE item = ?")?,
        })
    }

    /// A vector, if it is there and has a file.
    fn read(&mut self, vector: i64) -> rusqlite::Result<Option<Fresh>> {
        let row = |row: &rusqlite::Row| {
            let values = floats(row.get_ref(3)?.as_blob()?);
            Ok((row.get::<_, i64>(0)?, read::taken(row, 1)?, values))
        };
        let found = self.vectors.query_row(params![vector], row).optional()?;
        let Some((item, taken, values)) = found else {
            return Ok(None);
        };
        let folders = self.folders.query_map([item], |row| row.get(0))?;
        let folders = folders.collect::<Result<Vec<u32>, _>>()?;
        Ok((!folders.is_empty()).then_some(Fresh {
            vector,
            taken: When::new(taken),
            folders,
            values,
        }))
    }
}

/// The numbers in an embedding's bytes.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    let chunks = bytes.as_chunks::<4>().0;
    chunks
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect()
}
