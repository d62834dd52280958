//! A filter, made ready to be asked for each row.

use rusqlite::Connection;
use rustc_hash::FxHashSet;

use super::columns::{Columns, When};
use super::snapshot::Snapshot;
use crate::Filter;

/// Rows that are looked at to tell how many a filter lets through.
const SAMPLE: usize = 1024;

/// Which rows may be found.
pub(super) struct Selection {
    /// The folders that are wanted; none if all are.
    folders: Option<Folders>,
    /// Vectors of files that are wanted by their own names, ascending.
    named: Vec<i64>,
    after: i64,
    before: i64,
    dated: bool,
    any_time: bool,
}

impl Selection {
    pub(super) fn new(db: &Connection, filter: &Filter) -> rusqlite::Result<Self> {
        Ok(Self {
            folders: if filter.within.is_empty() {
                None
            } else {
                Some(wanted(db, &filter.within)?)
            },
            named: named(db, &filter.within)?,
            after: filter.after.unwrap_or(i64::MIN),
            before: filter.before.unwrap_or(i64::MAX),
            dated: filter.dated,
            any_time: filter.after.is_none() && filter.before.is_none() && !filter.dated,
        })
    }

    /// Whether it lets everything through.
    pub(super) fn is_all(&self) -> bool {
        self.folders.is_none() && self.any_time
    }

    /// Whether a row may be found. It is asked for every row, most of which are in one folder: a
    /// look at a table.
    #[inline]
    pub(super) fn allows(&self, columns: &Columns, row: usize) -> bool {
        let in_folder = match (&self.folders, columns.only_folder(row)) {
            (None, _) => true,
            (Some(wanted), Some(folder)) if self.named.is_empty() => wanted.has(folder),
            (Some(wanted), _) => self.is_in_any(columns, row, wanted),
        };
        in_folder && (self.any_time || self.is_in_time(columns.taken[row]))
    }

    /// Whether a date is within the filter's; none is in no span of time.
    fn is_in_time(&self, taken: When) -> bool {
        let is_in_span = |at| (self.after..self.before).contains(&at);
        taken.at().is_some_and(is_in_span) && (!self.dated || taken.is_dated())
    }

    #[cold]
    fn is_in_any(&self, columns: &Columns, row: usize, wanted: &Folders) -> bool {
        columns.any_folder(row, |folder| wanted.has(folder))
            || self.named.binary_search(&columns.vectors[row]).is_ok()
    }

    /// About how many rows of a snapshot it lets through.
    pub(super) fn estimate(&self, snapshot: &Snapshot) -> usize {
        let rows = snapshot.len();
        if self.is_all() || rows == 0 {
            return rows;
        }
        let all: usize = snapshot.segments().iter().map(|s| s.columns.len()).sum();
        let sample = all.min(SAMPLE);
        // Evenly spread, so that neither a folder nor a month is looked at alone.
        let mut places = (0..sample).map(|i| i * all / sample).peekable();
        let (mut first, mut allowed) = (0, 0);
        for segment in snapshot.segments() {
            let columns = &segment.columns;
            while let Some(place) = places.next_if(|place| *place < first + columns.len()) {
                let row = place - first;
                allowed += usize::from(segment.has(row) && self.allows(columns, row));
            }
            first += columns.len();
        }
        (allowed * all).div_ceil(sample)
    }
}

/// Numbers of folders.
#[derive(Default)]
struct Folders {
    /// Whether each is one of them, by its number.
    table: Vec<bool>,
    /// Numbers beyond the table.
    others: FxHashSet<u32>,
}

impl Folders {
    /// Numbers in the table at the most. SQLite counts them from 1; a damaged index may have any.
    const TABLE: usize = 1 << 20;

    fn insert(&mut self, folder: u32) {
        let place = folder as usize;
        if place >= Self::TABLE {
            self.others.insert(folder);
            return;
        }
        if place >= self.table.len() {
            self.table.resize(place + 1, false);
        }
        self.table[place] = true;
    }

    #[inline]
    fn has(&self, folder: u32) -> bool {
        match self.table.get(folder as usize) {
            Some(is_one) => *is_one,
            None => self.others.contains(&folder),
        }
    }
}

/// The folders that are one of these or below one.
fn wanted(db: &Connection, within: &[String]) -> rusqlite::Result<Folders> {
    let mut wanted = Folders::default();
    for folder in within {
        for number in folders(db, folder)? {
            wanted.insert(number);
        }
    }
    Ok(wanted)
}

/// The vectors of files that are named like folders.
fn named(db: &Connection, within: &[String]) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT vector FROM folders JOIN files USING (folder) JOIN vectors USING (item)
               WHERE path = ? AND name = ?";
    let mut select = db.prepare_cached(sql)?;
    let mut all = Vec::new();
    for path in within {
        let (folder, name) = super::rows::split(path);
        let vectors = select.query_map([folder, name], |row| row.get::<_, i64>(0))?;
        all.extend(vectors.collect::<rusqlite::Result<Vec<i64>>>()?);
    }
    all.sort_unstable();
    Ok(all)
}

/// The numbers of a folder and of those below it.
pub(super) fn folders(db: &Connection, folder: &str) -> rusqlite::Result<Vec<u32>> {
    let trimmed = folder.trim_end_matches(std::path::is_separator);
    let separator = std::path::MAIN_SEPARATOR;
    // Paths that begin with `folder/` sort from there up to `folder0`: `0` comes next after `/` (on
    // Windows `]` after `\`).
    let next = char::from_u32(u32::from(separator) + 1).unwrap_or(char::MAX);
    let sql =
        "SELECT folder FROM folders WHERE path = ?1 OR path = ?2 OR (path >= ?2 AND path < ?3)";
    let values = [
        trimmed.to_owned(),
        format!("{trimmed}{separator}"),
        format!("{trimmed}{next}"),
    ];
    db.prepare_cached(sql)?
        .query_map(values, |row| row.get(0))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_far_out_takes_no_memory_for_those_before_it() {
        let mut folders = Folders::default();
        for folder in [7, 3, u32::MAX >> 1] {
            folders.insert(folder);
        }
        assert_eq!(folders.table.len(), 8);
        let wanted = [0, 3, 4, 7, 8, 1 << 20, u32::MAX >> 1, u32::MAX];
        let has: Vec<u32> = wanted
            .into_iter()
            .filter(|&folder| folders.has(folder))
            .collect();
        assert_eq!(has, [3, 7, u32::MAX >> 1]);
    }
}
