//! Results that are filled in parallel, each part by the thread that computes it: new vectors part by part, matrices of
//! the caller rectangle by rectangle.
//!
//! A vector of zeros from the allocator is written once by one thread, then again by the others; for
//! the maps of a convolution that first pass took as long as the arithmetic.
#![allow(
    unsafe_code,
    reason = "hands out memory before it is a vector of values, and parts of rows to several threads"
)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

/// A vector of `len` values, of which `f` gets each part of up to `part` with the place of its first.
/// A part holds zeros when `f` gets it.
pub(crate) fn fill(len: usize, part: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    fill_and(len, part, f).0
}

/// [`fill`], and what `f` returned for the parts, in order.
pub(crate) fn fill_and<R: Send>(
    len: usize,
    part: usize,
    f: impl Fn(usize, &mut [f32]) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    let part = part.max(1);
    let mut values = Box::<[f32]>::new_uninit_slice(len);
    let parts = values.par_chunks_mut(part).enumerate();
    let returned = parts.map(|(i, out)| f(i * part, zeroed(out))).collect();
    // SAFETY: the parts cover the slice, and `zeroed` has written every value of each.
    (unsafe { values.assume_init() }.into_vec(), returned)
}

/// Writes zeros, while the part is about to be in cache anyway.
fn zeroed(out: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    for value in out.iter_mut() {
        value.write(0.0);
    }
    // SAFETY: every value has been written, and the types have one layout.
    unsafe { &mut *(std::ptr::from_mut(out) as *mut [f32]) }
}

/// A rectangle of a matrix, which one thread has for itself.
pub(crate) struct Rectangle<'a> {
    start: *mut f32,
    /// Values from one row of the matrix to the next.
    stride: usize,
    rows: usize,
    columns: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a `&mut [f32]` for each of its rows, and those may be sent.
unsafe impl Send for Rectangle<'_> {}

impl<'a> Rectangle<'a> {
    /// All of a matrix of so many columns.
    pub(crate) fn whole(matrix: &'a mut [f32], columns: usize) -> Self {
        let rows = matrix.len().checked_div(columns).unwrap_or(0);
        assert_eq!(matrix.len(), rows * columns, "whole rows");
        Self {
            start: matrix.as_mut_ptr(),
            stride: columns,
            rows,
            columns,
            matrix: PhantomData,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Some columns of one of its rows.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        // SAFETY: the place is within the rectangle, which is within the matrix and nobody else's; the borrow of
        // `self` keeps a second slice from being made while this one lives.
        unsafe {
            let start = self.start.add(row * self.stride + columns.start);
            std::slice::from_raw_parts_mut(start, columns.len())
        }
    }
}

/// Cuts a matrix of so many columns into rectangles and calls `f` for each, in parallel, with the place of its first row
/// and its number among the rectangles beside it.
///
/// A rectangle has `rows` rows, the last ones fewer; `edge(i)` to `edge(i + 1)` are the columns of the `i`-th of `across`.
///
/// # Panics
/// If the matrix is not whole rows, or the edges do not rise from 0 to `columns`.
pub(crate) fn for_each_rectangle(
    matrix: &mut [f32],
    [columns, rows, across]: [usize; 3],
    edge: impl Fn(usize) -> usize,
    f: impl Fn(usize, usize, Rectangle) + Sync,
) {
    let whole = Rectangle::whole(matrix, columns);
    // Asked once, so that what was checked is what is used.
    let edges: Vec<usize> = (0..=across).map(edge).collect();
    assert!(
        edges.first() == Some(&0) && edges.last() == Some(&columns) && edges.is_sorted(),
        "edges"
    );
    let down = whole.rows.div_ceil(rows.max(1));
    let (start, total) = (Start(whole.start), whole.rows);
    (0..down * across)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|i| {
            let (first, i) = (i / across * rows.max(1), i % across);
            let (left, right) = (edges[i], edges[i + 1]);
            let rectangle = Rectangle {
                // SAFETY: `first` is less than `total` and `left` at most `columns`, so this is within the matrix or one
                // past its last row's end. Rectangles of different `first` or different `i` share no value, since the
                // edges rise.
                start: unsafe { start.get().add(first * columns + left) },
                stride: columns,
                rows: rows.max(1).min(total - first),
                columns: right - left,
                matrix: PhantomData,
            };
            f(first, i, rectangle);
        });
}

/// A matrix's first place, which may be told to other threads.
#[derive(Clone, Copy)]
struct Start(*mut f32);

// SAFETY: what is done with it is up to `for_each_rectangle`, which hands out parts that do not overlap.
unsafe impl Send for Start {}
// SAFETY: as above.
unsafe impl Sync for Start {}

impl Start {
    fn get(self) -> *mut f32 {
        self.0
    }
}
