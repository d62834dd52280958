//! A query → hits: which way to look, the rows that could be nearest, and these compared in full.

use std::collections::BinaryHeap;

use diptych_kernels::{Vectors, dots};
use rusqlite::{Connection, OptionalExtension};

use super::columns::floats;
use super::probe;
use super::scan::{Found, Look, Piece};
use super::select::Selection;
use super::snapshot::Snapshot;
use super::turns::Threads;
use super::{Local, SCAN_UP_TO, log_of, read, schema, sibling};
use crate::{Error, Filter, Hit, Method, Query, Result, Status};

/// If a filter lets through at most this many rows, all of them are compared, even where there are
/// cells: a scan of so few takes no longer.
const FEW: usize = 32_768;

/// If more than one row in this many lies outside all cells, a search compares with every row.
const OUTSIDE: usize = 4;

/// One of the nearest vectors so far. In their order the worst is the greatest, so a heap has it on
/// top.
#[derive(Clone, Copy, PartialEq)]
struct Near {
    score: f32,
    vector: i64,
}

impl Eq for Near {}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let scores = other.score.total_cmp(&self.score);
        scores.then(self.vector.cmp(&other.vector))
    }
}

impl Local {
    pub(super) fn nearest(
        &self,
        db: &Connection,
        query: &Query,
        threads: Threads,
    ) -> Result<Vec<Hit>> {
        if query.k == 0 {
            return Ok(Vec::new());
        }
        let at = |e| self.at(e);
        // One moment for all that is read.
        let (db, snapshot) = self.moment(db)?;
        let selection = Selection::new(&db, query.filter).map_err(at)?;
        let query = &Query {
            k: query.k.min(snapshot.len()),
            ..query.clone()
        };
        let method = match query.method {
            Method::Auto => choose(&snapshot, &selection).0,
            forced => forced,
        };
        let look = Look {
            query: query.vector,
            k: query.k,
            selection: &selection,
            margin: 1.0,
            threads,
        };
        let found = match (method, snapshot.grouped()) {
            (Method::Cells, None) => {
                return Err(Error::Change {
                    what: format!(
                        "{}: the index has no cells; it gets them where it is large, or when they are asked for",
                        self.path.display()
                    ),
                });
            }
            _ if query.k == 0 => return Ok(Vec::new()),
            (Method::Cells, Some(grouped)) => probe::probe(look, &snapshot, grouped),
            (Method::Auto | Method::Scan, _) => {
                let all: Vec<Piece> = snapshot.segments().iter().map(Piece::all).collect();
                look.scan(&all)
            }
        };
        let near = compare(&db, query, found).map_err(at)?;
        let mut hits = Hits::new(&db).map_err(at)?;
        let hits: rusqlite::Result<Vec<Option<Hit>>> = near
            .iter()
            .map(|near| hits.read(near, query.filter))
            .collect();
        Ok(hits.map_err(at)?.into_iter().flatten().collect())
    }

    pub(super) fn read_status(&self, db: &Connection) -> Result<Status> {
        let at = |e| self.at(e);
        let (db, snapshot) = self.moment(db)?;
        let all = Selection::new(&db, &Filter::default()).map_err(at)?;
        let (method, reason) = choose(&snapshot, &all);
        let count = |table| read::count(&db, table).map_err(at);
        let path = &self.path;
        let files = [
            path.clone(),
            log_of(path),
            sibling(path, "scan"),
            sibling(path, "seal"),
        ];
        let bytes = files
            .iter()
            .filter_map(|file| diptych_files::metadata(file).ok());
        Ok(Status {
            place: diptych_files::spell(&self.path).into_owned(),
            model: self.model.clone(),
            format: schema::format(&db).map_err(at)?,
            files: count("files")?,
            contents: read::count_contents(&db).map_err(at)?,
            vectors: snapshot.len() as u64,
            refused: count("refused")?,
            bytes: bytes.map(|file| file.len()).sum(),
            method,
            reason,
        })
    }
}

/// Chooses the fastest way to search the rows that a filter lets through, and says why.
fn choose(snapshot: &Snapshot, selection: &Selection) -> (Method, String) {
    let (rows, allowed) = (snapshot.len(), selection.estimate(snapshot));
    let (cells, outside) = (snapshot.n_cells(), snapshot.outside());
    let (method, why) = if cells == 0 {
        let why = if rows <= SCAN_UP_TO {
            format!("up to {SCAN_UP_TO} every one is compared")
        } else {
            "there are no cells yet".into()
        };
        (Method::Scan, why)
    } else if allowed <= FEW {
        (Method::Scan, format!("up to {FEW} every one is compared"))
    } else if outside > rows / OUTSIDE {
        let why = format!("{outside} of them came since there were cells");
        (Method::Scan, why)
    } else {
        let why = format!("more than {FEW}, in {cells} cells");
        (Method::Cells, why)
    };
    (method, format!("{allowed} vectors: {why}"))
}

/// Compares in full what was found, until nothing is left that could be nearer; the nearest first.
fn compare(db: &Connection, query: &Query, found: Found) -> rusqlite::Result<Vec<Near>> {
    let mut select = db.prepare_cached("SELECT embedding FROM vectors WHERE vector = ?")?;
    // The worst of the best is on top.
    let mut best: BinaryHeap<Near> = BinaryHeap::new();
    for candidate in found.into_candidates() {
        let is_full = best.len() == query.k;
        if is_full
            && best
                .peek()
                .is_some_and(|worst| worst.score > candidate.at_most)
        {
            break;
        }
        let vector = candidate.vector;
        let values = |row: &rusqlite::Row| Ok(floats(row.get_ref(0)?.as_blob()?));
        // It may have gone since.
        let values = select.query_row([vector], values).optional()?;
        if let Some(values) = values.filter(|values| values.len() == query.vector.len()) {
            let mut score = [0f32];
            dots(query.vector, Vectors::F32(&values), &mut score);
            best.push(Near {
                score: score[0],
                vector,
            });
        }
        if best.len() > query.k {
            best.pop();
        }
    }
    Ok(best.into_sorted_vec())
}

/// Reads what is told of hits.
struct Hits<'a> {
    items: rusqlite::CachedStatement<'a>,
    files: read::FilesOf<'a>,
}

impl<'a> Hits<'a> {
    fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        let sql = format!(
            "SELECT item, id, taken, taken_from, payload, {}
             FROM vectors JOIN items USING (item) LEFT JOIN regions USING (vector) WHERE vector = ?",
            read::PART
        );
        Ok(Self {
            items: db.prepare_cached(&sql)?,
            files: read::FilesOf::new(db)?,
        })
    }

    fn read(&mut self, near: &Near, filter: &Filter) -> rusqlite::Result<Option<Hit>> {
        let hit = |row: &rusqlite::Row| {
            let hit = Hit {
                id: read::id(row, 1)?,
                score: near.score,
                part: read::part(row, 5)?,
                files: Vec::new(),
                taken: read::taken(row, 2)?,
                payload: read::payload(row, 4)?,
            };
            Ok((row.get(0)?, hit))
        };
        let found = self.items.query_row([near.vector], hit).optional()?;
        let Some((item, mut hit)) = found else {
            return Ok(None);
        };
        let files = self.files.read(item)?.into_iter().map(|file| file.path);
        hit.files = files.filter(|path| filter.holds(path)).collect();
        // They came by their folders.
        hit.files.sort_unstable();
        Ok(Some(hit))
    }
}
