//! A search by cells: the nearest ones, until the others are not likely to hold anything that is missed.
//!
//! A cell's rows have products with the query about `a` times that of its centre, with a spread. Both are measured for
//! this query, on a few rows of the nearer cells. With the `k`-th best product so far this says how many of the rows
//! not seen are to be expected among the nearest. A query that lies in a dense group is done after few cells, one that is
//! equally far from everything, as texts are from pictures, looks at many.

use diptych_kernels::dots_at;

use super::cells::Partition;
use super::columns::Columns;
use super::scan::{Found, Look, Piece};
use super::snapshot::{Segment, Snapshot};

/// Rows that are looked at before the first estimate, and are doubled with each.
const FIRST: usize = 1024;

/// The share of the `k` nearest that may be expected to be missed.
const MISSED: f32 = 0.01;

/// Cells, and rows of each, on which the spread is measured.
const MEASURED: (usize, usize) = (32, 4);

/// Below this many measured rows the estimate is too uncertain, so that all cells are looked at.
const LEAST: usize = 32;

/// The share of the cells, nearest first, which are put in order at once and among which those are measured.
const NEAR: usize = 8;

/// Spreads beyond which a row is not expected at all: one of a hundred million.
const FAR: f32 = 6.0;

/// A cell, and the product of its centre with the query.
#[derive(Clone, Copy)]
struct NearCell {
    product: f32,
    cell: usize,
}

/// Looks at the cells nearest to the query, which are those of a segment, until few of the nearest rows can be missing.
pub(super) fn probe(look: Look, snapshot: &Snapshot, grouped: &Segment) -> Found {
    let columns = &*grouped.columns;
    let cells = &columns.cells;
    let products = cells.products(look.query).into_iter().enumerate();
    // Deletions may have emptied some.
    let mut near: Vec<NearCell> = products
        .filter(|(cell, _)| !cells.rows(*cell).is_empty())
        .map(|(cell, product)| NearCell { product, cell })
        .collect();
    // Most often these are all that matter, and the others need no order.
    let first = near.len().div_ceil(NEAR).max(MEASURED.0).min(near.len());
    let nearer = |a: &NearCell, b: &NearCell| b.product.total_cmp(&a.product);
    if first < near.len() {
        near.select_nth_unstable_by(first, nearer);
    }
    near[..first].sort_unstable_by(nearer);
    let expected = Expected::measure(look.query, columns, &near[..first]);
    let look = Look {
        // What rounding took off has nothing to do with the query, so that its product with it has a spread of `1/√D` of
        // the bound.
        margin: (FAR / (look.query.len() as f32).sqrt()).min(1.0),
        ..look
    };
    let allowed = look.selection.estimate(snapshot).max(1) as f32 / snapshot.len().max(1) as f32;
    let most = MISSED * look.k as f32 / allowed;
    let of = |rows| Piece {
        segment: grouped,
        rows,
    };
    let later = snapshot.segments()[1..].iter().map(Piece::all);
    let outside: Vec<Piece> = std::iter::once(of(cells.end()..columns.len()))
        .chain(later)
        .collect();
    let mut found = look.scan(&outside);
    let (mut next, mut sorted, mut rows) = (0, first, FIRST);
    loop {
        let bound = found.bound();
        let is_far = |near: &NearCell| expected.above(near, bound) > FAR;
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

/// The products of a query with a cell's rows are expected to be: `ratio` times the centre's, and a spread.
#[derive(Clone, Copy, Debug)]
struct Expected {
    ratio: f32,
    spread: f32,
}

impl Expected {
    fn measure(query: &[f32], columns: &Columns, near: &[NearCell]) -> Self {
        let (cells, rows) = MEASURED;
        let mut of_centre = Vec::with_capacity(cells * rows);
        let mut measured = Vec::with_capacity(cells * rows);
        for near in near.iter().step_by((near.len() / cells).max(1)) {
            let all = columns.cells.rows(near.cell);
            let n = all.len().min(rows);
            // Neighbours in time are often alike.
            measured.extend((0..n).map(|i| all.start + i * all.len() / n));
            of_centre.resize(measured.len(), near.product);
        }
        if measured.len() < LEAST {
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

    /// How many spreads above what is expected of a cell's rows a product is.
    fn above(&self, near: &NearCell, product: f32) -> f32 {
        (product - self.ratio * near.product) / self.spread
    }

    /// How many of these cells, nearest first, have to be looked at so that no more than `most` rows of the others are
    /// expected above `bound`.
    fn wanted(&self, cells: &Partition, near: &[NearCell], bound: f32, most: f32) -> usize {
        // Fewer than `k` have been found.
        if bound == f32::NEG_INFINITY {
            return near.len();
        }
        let above = |near: &NearCell| self.above(near, bound);
        let far = near.partition_point(|near| above(near) <= FAR || above(near).is_nan());
        let mut missed = 0.0;
        for (i, near) in near[..far].iter().enumerate().rev() {
            let above = above(near);
            // Not less than the tail of a normal distribution.
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
