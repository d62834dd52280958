//! A query → hits: which way to look, the rows that could be nearest, and these compared in full.

use std::collections::BinaryHeap;
use std::slice::from_ref;
use std::sync::Arc;

use kernels::{Vectors, dots};
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Columns, floats};
use super::scan::{self, Found};
use super::select::Selection;
use super::{Local, SCAN_UP_TO, read, schema, sibling};
use crate::{Error, Filter, Hit, Method, Query, Result, Status};

/// The share of the rows that a filter lets through which is looked at in cells, and the least of them.
const LOOK_AT: (usize, usize) = (32, 16_384);

/// Rows outside of all cells that are too many for a search by cells, as a share of all.
const OUTSIDE: usize = 4;

/// A vector that is nearest so far; the worst is the greatest.
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
    /// What is searched, like the tables are now.
    pub(super) fn columns(&self, db: &Connection) -> Result<Arc<Columns>> {
        let mut held = self.held();
        let generation = schema::number(db, "generation").map_err(|e| self.at(e))?;
        if held.generation != generation {
            let followed = Arc::make_mut(&mut held).follow(db, self.model.dim);
            followed.map_err(|failed| self.failed(failed))?;
        }
        Ok(held.clone())
    }

    pub(super) fn nearest(&self, query: &Query) -> Result<Vec<Hit>> {
        let at = |e| self.at(e);
        let db = self.db();
        let columns = self.columns(&db)?;
        let selection = Selection::new(&db, &columns, query.filter).map_err(at)?;
        if query.k == 0 {
            return Ok(Vec::new());
        }
        let method = match query.method {
            Method::Auto => choose(&columns, &selection).0,
            Method::Cells if columns.cells.len() == 0 => {
                return Err(Error::Change {
                    what: format!(
                        "{}: the index has no cells; it gets them where it is large, or when they are asked for",
                        self.path.display()
                    ),
                });
            }
            forced => forced,
        };
        let found = match method {
            Method::Cells => by_cells(query, &columns, &selection),
            Method::Auto | Method::Scan => scan::scan(
                query.vector,
                &columns.codes,
                from_ref(&(0..columns.len())),
                query.k,
                &selection,
            ),
        };
        let near = compare(&db, &columns, query, found).map_err(at)?;
        let mut hits = Hits::new(&db).map_err(at)?;
        let hits: rusqlite::Result<Vec<Option<Hit>>> = near
            .iter()
            .map(|near| hits.read(near, query.filter))
            .collect();
        Ok(hits.map_err(at)?.into_iter().flatten().collect())
    }

    pub(super) fn read_status(&self) -> Result<Status> {
        let at = |e| self.at(e);
        let db = self.db();
        let columns = self.columns(&db)?;
        let all = Selection::new(&db, &columns, &Filter::default()).map_err(at)?;
        let (method, reason) = choose(&columns, &all);
        let count = |table| read::count(&db, table).map_err(at);
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        let files = [self.path.clone(), log.into(), sibling(&self.path, "scan")];
        let bytes = files.iter().filter_map(|file| fs_err::metadata(file).ok());
        Ok(Status {
            place: self.path.display().to_string(),
            model: self.model.clone(),
            format: schema::FORMAT,
            files: count("files")?,
            contents: count("items")?,
            vectors: columns.len() as u64,
            refused: count("refused")?,
            bytes: bytes.map(|file| file.len()).sum(),
            method,
            reason,
        })
    }
}

/// How what a filter lets through is searched fastest, and why.
fn choose(columns: &Columns, selection: &Selection) -> (Method, String) {
    let (rows, allowed) = (columns.len(), selection.estimate());
    let outside = rows - columns.cells.end();
    let (method, why) = if allowed <= SCAN_UP_TO {
        (
            Method::Scan,
            format!("up to {SCAN_UP_TO} every one is compared"),
        )
    } else if columns.cells.len() == 0 {
        (Method::Scan, "there are no cells yet".into())
    } else if outside > rows / OUTSIDE {
        (
            Method::Scan,
            format!("{outside} of them came since there were cells"),
        )
    } else {
        (
            Method::Cells,
            format!("more than {SCAN_UP_TO}, in {} cells", columns.cells.len()),
        )
    };
    (method, format!("{allowed} vectors: {why}"))
}

/// Looks at the cells nearest to the query until a share of what may be found has been seen.
fn by_cells(query: &Query, columns: &Columns, selection: &Selection) -> Found {
    let cells = &columns.cells;
    let (share, least) = LOOK_AT;
    let enough = (selection.estimate() / share).max(least).max(query.k);
    let mut nearest = cells.nearest(query.vector).into_iter();
    let outside = cells.end()..columns.len();
    let mut found = scan::scan(
        query.vector,
        &columns.codes,
        from_ref(&outside),
        query.k,
        selection,
    );
    let mut seen = 0;
    while seen < enough {
        // As many cells as would do if the filter let everything through, then as many again.
        let mut rows = 0;
        let next = nearest.by_ref().map(|cell| cells.rows(cell));
        let next: Vec<_> = next
            .take_while(|cell| {
                let is_enough = rows >= enough - seen;
                rows += cell.len();
                !is_enough
            })
            .collect();
        if next.is_empty() {
            break;
        }
        let more = scan::scan(query.vector, &columns.codes, &next, query.k, selection);
        seen += more.seen;
        found = found.merge(more);
    }
    found
}

/// Compares in full what was found, until nothing is left that could be nearer; the nearest first.
fn compare(
    db: &Connection,
    columns: &Columns,
    query: &Query,
    found: Found,
) -> rusqlite::Result<Vec<Near>> {
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
        let vector = columns.vectors[candidate.row];
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
        let sql = "SELECT item, id, taken, payload, span_start, span_end
                   FROM vectors JOIN items USING (item) WHERE vector = ?";
        Ok(Self {
            items: db.prepare_cached(sql)?,
            files: read::FilesOf::new(db)?,
        })
    }

    fn read(&mut self, near: &Near, filter: &Filter) -> rusqlite::Result<Option<Hit>> {
        let hit = |row: &rusqlite::Row| {
            let hit = Hit {
                id: read::id(row, 1)?,
                score: near.score,
                span: read::span(row, 4)?,
                files: Vec::new(),
                taken: row.get(2)?,
                payload: read::payload(row, 3)?,
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
