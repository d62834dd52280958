//! Everything that is searched, as of one generation of the tables: columns that never change, and
//! which of their rows have gone.
//!
//! A snapshot is shared by the searches that use it. The next one shares its segments, so that
//! following a few changes copies a few rows, and no search waits for that. Invariant: a vector has
//! one row at the most that has not gone.

use std::ops::Range;
use std::sync::Arc;

use super::cells::Partition;
use super::columns::Columns;

/// Two segments are joined only if they have at most this many rows together: copying so many takes
/// some milliseconds.
pub(super) const SEGMENT: usize = 1 << 14;

/// A snapshot is sparse if its gone rows, which are still in memory, are more than the rows left
/// divided by this. For example 300,000 gone beside a million left.
const GONE: usize = 4;

/// Everything that can be found in one generation.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) generation: i64,
    /// The generation that its first segment was made of.
    pub(super) made: i64,
    /// Only the first may have cells.
    segments: Vec<Segment>,
}

/// Columns, and which of their rows have gone since they were made.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) columns: Arc<Columns>,
    gone: Option<Arc<Gone>>,
    /// The lowest and the highest number of its vectors.
    numbers: (i64, i64),
}

#[derive(Clone, Debug)]
struct Gone {
    /// A bit for each row.
    bits: Vec<u64>,
    rows: usize,
    /// Of these, rows of cells.
    in_cells: usize,
}

impl Segment {
    fn new(columns: Arc<Columns>) -> Self {
        let lowest = columns.vectors.iter().min().copied().unwrap_or(0);
        let highest = columns.vectors.iter().max().copied().unwrap_or(0);
        Self {
            columns,
            gone: None,
            numbers: (lowest, highest),
        }
    }

    /// Rows that have not gone.
    pub(super) fn len(&self) -> usize {
        self.columns.len() - self.gone.as_ref().map_or(0, |gone| gone.rows)
    }

    /// Whether no row has gone.
    pub(super) fn is_whole(&self) -> bool {
        self.gone.is_none()
    }

    /// Whether a row has not gone.
    #[inline]
    pub(super) fn has(&self, row: usize) -> bool {
        let is_gone = |gone: &Arc<Gone>| gone.bits[row / 64] >> (row % 64) & 1 == 1;
        !self.gone.as_ref().is_some_and(is_gone)
    }

    /// Takes out vectors, which are given in ascending order.
    fn hide(&mut self, vectors: &[i64]) {
        let (lowest, highest) = self.numbers;
        let first = vectors.partition_point(|vector| *vector < lowest);
        let end = vectors.partition_point(|vector| *vector <= highest);
        if first == end {
            return;
        }
        let rows: Vec<usize> = self.columns.find(&vectors[first..end]).collect();
        if rows.is_empty() {
            return;
        }
        let none = || {
            let bits = vec![0; self.columns.len().div_ceil(64)];
            Arc::new(Gone {
                bits,
                rows: 0,
                in_cells: 0,
            })
        };
        let end = self.columns.cells.end();
        let gone = Arc::make_mut(self.gone.get_or_insert_with(none));
        for row in rows {
            let bit = 1 << (row % 64);
            if gone.bits[row / 64] & bit == 0 {
                gone.bits[row / 64] |= bit;
                gone.rows += 1;
                gone.in_cells += usize::from(row < end);
            }
        }
    }

    /// The ranges of rows that have not gone.
    fn runs(&self) -> Vec<Range<usize>> {
        if self.gone.is_none() {
            return std::iter::once(0..self.columns.len()).collect();
        }
        let rows: Vec<usize> = (0..self.columns.len())
            .filter(|&row| self.has(row))
            .collect();
        let runs = rows.chunk_by(|a, b| a + 1 == *b);
        runs.map(|run| run[0]..run[0] + run.len()).collect()
    }
}

impl Snapshot {
    /// A snapshot of these columns alone.
    pub(super) fn of(generation: i64, columns: Arc<Columns>) -> Self {
        let segments = if columns.len() == 0 {
            Vec::new()
        } else {
            vec![Segment::new(columns)]
        };
        Self {
            generation,
            made: generation,
            segments,
        }
    }

    /// Whether many rows that are in memory have gone.
    pub(super) fn is_sparse(&self) -> bool {
        let all: usize = self.segments.iter().map(|s| s.columns.len()).sum();
        all - self.len() > self.len() / GONE
    }

    /// Rows that can be found.
    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(Segment::len).sum()
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment that has cells, if one has.
    pub(super) fn grouped(&self) -> Option<&Segment> {
        let first = self.segments.first()?;
        (first.columns.cells.len() > 0).then_some(first)
    }

    /// Number of cells.
    pub(super) fn n_cells(&self) -> usize {
        self.grouped().map_or(0, |first| first.columns.cells.len())
    }

    /// Rows that are in no cell.
    pub(super) fn outside(&self) -> usize {
        let in_cells = |first: &Segment| {
            let gone = first.gone.as_ref().map_or(0, |gone| gone.in_cells);
            first.columns.cells.end() - gone
        };
        self.len() - self.grouped().map_or(0, in_cells)
    }

    /// Takes out vectors, which are given in ascending order.
    pub(super) fn hide(&mut self, vectors: &[i64]) {
        self.segments
            .iter_mut()
            .for_each(|segment| segment.hide(vectors));
        self.segments.retain(|segment| segment.len() > 0);
    }

    /// Puts in the rows of vectors that it does not have.
    ///
    /// The last segment is joined to them if it has at most twice as many rows, then the one
    /// before, as digits are carried: so there are few segments, and a row is copied only a few
    /// times. For example 60 rows after segments of 512 and 100 make segments of 512 and 160.
    pub(super) fn push(&mut self, mut columns: Columns, dim: usize) {
        if columns.len() == 0 {
            return;
        }
        while let Some(last) = self.segments.last() {
            let (before, new) = (last.len(), columns.len());
            let is_small = before <= 2 * new && before + new <= SEGMENT;
            if !is_small || last.columns.cells.len() > 0 {
                break;
            }
            let new = Segment::new(Arc::new(columns));
            columns = join(&[last.clone(), new], dim);
            self.segments.pop();
        }
        self.segments.push(Segment::new(Arc::new(columns)));
    }

    /// All rows in columns of their own, in the same order, those in cells first.
    pub(super) fn joined(&self, dim: usize) -> Arc<Columns> {
        match &self.segments[..] {
            [only] if only.gone.is_none() => only.columns.clone(),
            segments => Arc::new(join(segments, dim)),
        }
    }
}

/// The rows of segments that have not gone.
fn join(segments: &[Segment], dim: usize) -> Columns {
    let mut all = Columns::default();
    all.reserve(segments.iter().map(Segment::len).sum(), dim);
    for segment in segments {
        let columns = &segment.columns;
        let more = columns.more.iter();
        if segment.gone.is_none() {
            all.more.extend(more);
        } else {
            let runs = segment.runs();
            let mut kept: Vec<i64> = runs
                .iter()
                .flat_map(|run| &columns.vectors[run.clone()])
                .copied()
                .collect();
            kept.sort_unstable();
            all.more
                .extend(more.filter(|(vector, _)| kept.binary_search(vector).is_ok()));
        }
        segment
            .runs()
            .into_iter()
            .for_each(|run| all.append(columns, run, dim));
    }
    all.more.sort_unstable();
    if let Some(first) = segments.first() {
        let cells = &first.columns.cells;
        let mut kept = 0;
        let mut row = 0;
        let starts = cells.starts.iter().map(|&start| {
            kept += (row..start).filter(|&row| first.has(row)).count();
            row = start;
            kept
        });
        all.cells = Partition {
            starts: starts.collect(),
            centres: cells.centres.clone(),
        };
    }
    all
}
