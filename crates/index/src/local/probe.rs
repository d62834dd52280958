//! A search that scans the cells nearest to the query, and stops when the others are unlikely to
//! hold a hit.
//!
//! The scores (dot products with the query) of a cell's rows are modelled as a normal distribution:
//! mean `ratio · centre's score`, standard deviation `spread`. Both are estimated for each query,
//! from a sample of rows of the nearer cells. The `k`-th best score found so far then tells how
//! many unseen rows are expected to beat it.
//!
//! For example: `ratio` 0.9, `spread` 0.05, and the 10th best score is 0.40. A cell of 200 rows
//! whose centre scores 0.30 has mean 0.27, so the bound is (0.40 − 0.27) / 0.05 = 2.6 deviations
//! above it: at most 0.5 · exp(−2.6² / 2) = 1.7 % of its rows, 3.4 of them, are expected to beat
//! the bound. It is scanned. At a centre's score of 0.10 the bound is 6.2 deviations away, and the
//! cell is skipped.
//!
//! A query inside a dense group is done after few cells; one that is equally far from everything,
//! as texts are from pictures, scans many.

use diptych_kernels::dots_at;

use super::cells::Partition;
use super::columns::Columns;
use super::scan::{Found, Look, Piece};
use super::snapshot::{Segment, Snapshot};

/// Rows scanned before the first estimate; each further estimate comes after twice as many.
const FIRST_ROWS: usize = 1024;

/// Fraction of the `k` nearest rows that may be missed, in expectation.
const MISSED_FRACTION: f32 = 0.01;

/// Cells that are sampled for the estimate of ratio and spread.
const SAMPLED_CELLS: usize = 32;

/// Rows sampled in each of them.
const SAMPLED_ROWS: usize = 4;

/// Below this many sampled rows the estimate is too uncertain, so every cell is scanned.
const FEWEST_SAMPLES: usize = 32;

/// One cell in so many is sorted by nearness at first; the others only if the search gets that far.
const SORTED_ONE_IN: usize = 8;

/// Standard deviations above a cell's mean beyond which no row of it is expected: one in 10⁸.
const FAR_DEVIATIONS: f32 = 6.0;

/// A cell, and its centre's score.
#[derive(Clone, Copy)]
struct NearCell {
    product: f32,
    cell: usize,
}

/// Scans the cells of the segment `grouped` that are nearest to the query, and all rows that are in
/// no cell, until no more than [`MISSED_FRACTION`] of the hits are expected to be missing.
pub(super) fn probe(look: Look, snapshot: &Snapshot, grouped: &Segment) -> Found {
    let columns = &*grouped.columns;
    let cells = &columns.cells;
    let products = cells.products(look.query).into_iter().enumerate();
    // Deletions may have emptied some.
    let mut near: Vec<NearCell> = products
        .filter(|(cell, _)| !cells.rows(*cell).is_empty())
        .map(|(cell, product)| NearCell { product, cell })
        .collect();
    // Most searches end among these, so the others are left unsorted.
    let first = near.len().div_ceil(SORTED_ONE_IN).max(SAMPLED_CELLS);
    let first = first.min(near.len());
    let nearer = |a: &NearCell, b: &NearCell| b.product.total_cmp(&a.product);
    if first < near.len() {
        near.select_nth_unstable_by(first, nearer);
    }
    near[..first].sort_unstable_by(nearer);
    let expected = Expected::measure(look.query, columns, &near[..first]);
    let look = Look {
        // Rounding errors of a row are independent of the query: their score has a standard
        // deviation of 1 / √D of the largest it could be.
        margin: (FAR_DEVIATIONS / (look.query.len() as f32).sqrt()).min(1.0),
        ..look
    };
    let allowed = look.selection.estimate(snapshot).max(1) as f32 / snapshot.len().max(1) as f32;
    let most = MISSED_FRACTION * look.k as f32 / allowed;
    let of = |rows| Piece {
        segment: grouped,
        rows,
    };
    let later = snapshot.segments()[1..].iter().map(Piece::all);
    let outside: Vec<Piece> = std::iter::once(of(cells.end()..columns.len()))
        .chain(later)
        .collect();
    let mut found = look.scan(&outside);
    let (mut next, mut sorted, mut rows) = (0, first, FIRST_ROWS);
    loop {
        let bound = found.bound();
        let is_far = |near: &NearCell| expected.above(near, bound) > FAR_DEVIATIONS;
        let goes_on =
            next == sorted || (bound.is_finite() && !near[..sorted].last().is_some_and(is_far));
        if sorted < near.len() && goes_on {
            near[sorted..].sort_unstable_by(nearer);
            sorted = near.len();
        }
        let left = &near[next..sorted];
        let wanted = expected.wanted(cells, left, bound, most);
        let mut taken = 0;
        let more = left[..wanted].iter().map(|near| cells.rows(near.cell));
        let more = more.take_while(|cell| {
            let is_enough = taken >= rows;
            taken += cell.len();
            !is_enough
        });
        let more: Vec<Piece> = more.map(of).collect();
        if more.is_empty() {
            return found;
        }
        next += more.len();
        rows *= 2;
        found = found.merge(look.scan(&more));
    }
}

/// The distribution of the scores of a cell's rows: mean `ratio` times the centre's score, standard
/// deviation `spread`.
#[derive(Clone, Copy, Debug)]
struct Expected {
    ratio: f32,
    spread: f32,
}

impl Expected {
    fn measure(query: &[f32], columns: &Columns, near: &[NearCell]) -> Self {
        let (cells, rows) = (SAMPLED_CELLS, SAMPLED_ROWS);
        let mut of_centre = Vec::with_capacity(cells * rows);
        let mut measured = Vec::with_capacity(cells * rows);
        for near in near.iter().step_by((near.len() / cells).max(1)) {
            let all = columns.cells.rows(near.cell);
            let n = all.len().min(rows);
            // Evenly spaced, since neighbouring rows are often pictures of one moment.
            measured.extend((0..n).map(|i| all.start + i * all.len() / n));
            of_centre.resize(measured.len(), near.product);
        }
        if measured.len() < FEWEST_SAMPLES {
            let spread = f32::INFINITY;
            return Self { ratio: 0.0, spread };
        }
        let mut products = vec![0f32; measured.len()];
        dots_at(query, columns.codes.all(), &measured, &mut products);
        let pairs = || of_centre.iter().zip(&products);
        let both = pairs().map(|(centre, row)| centre * row).sum::<f32>();
        let square = of_centre.iter().map(|centre| centre * centre).sum::<f32>();
        let ratio = (both / square.max(f32::MIN_POSITIVE)).max(0.0);
        let squares = pairs().map(|(centre, row)| (row - ratio * centre).powi(2));
        let spread = (squares.sum::<f32>() / measured.len().max(1) as f32).sqrt();
        Self { ratio, spread }
    }

    /// Standard deviations from the mean of a cell's scores up to `product`.
    fn above(&self, near: &NearCell, product: f32) -> f32 {
        (product - self.ratio * near.product) / self.spread
    }

    /// How many of these cells, nearest first, have to be scanned so that at most `most` rows of
    /// the others are expected to score above `bound`.
    fn wanted(&self, cells: &Partition, near: &[NearCell], bound: f32, most: f32) -> usize {
        // Fewer than `k` have been found.
        if bound == f32::NEG_INFINITY {
            return near.len();
        }
        let above = |near: &NearCell| self.above(near, bound);
        let far =
            near.partition_point(|near| above(near) <= FAR_DEVIATIONS || above(near).is_nan());
        let mut missed = 0.0;
        for (i, near) in near[..far].iter().enumerate().rev() {
            let above = above(near);
            // An upper bound of the normal distribution's tail: P(Z > z) ≤ exp(−z² / 2) / 2 for z ≥
            // 0.
            let tail = if above > 0.0 {
                0.5 * (-0.5 * above * above).exp()
            } else {
                1.0
            };
            missed += cells.rows(near.cell).len() as f32 * tail;
            if missed > most {
                return i + 1;
            }
        }
        0
    }
}
