//! Results that are filled in parallel, each part by the thread that computes it: new vectors part
//! by part, matrices of the caller rectangle by rectangle.
//!
//! A vector of zeros from the allocator is written once by one thread, then again by the others;
//! for the maps of a convolution that first pass took as long as the arithmetic.
#![allow(
    unsafe_code,
    reason = "hands out memory before it is a vector of values, and parts of rows to several threads"
)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

/// A vector of `len` values, of which `f` gets each part of up to `part` with the place of its
/// first. A part holds zeros when `f` gets it.
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

/// A matrix of `len` values, of which `f` gets each rectangle, with zeros in it, as
/// [`for_each_rectangle`] says.
pub(crate) fn fill_rectangles(
    len: usize,
    shape: [usize; 3],
    edge: impl Fn(usize) -> usize,
    f: impl Fn(usize, usize, Rectangle<f32>) + Sync,
) -> Vec<f32> {
    let mut values = Box::<[f32]>::new_uninit_slice(len);
    for_each_rectangle(&mut values, shape, edge, |row, i, out| {
        f(row, i, out.zeroed())
    });
    // SAFETY: the rectangles cover the matrix, and `zeroed` has written every value of each.
    unsafe { values.assume_init() }.into_vec()
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
pub(crate) struct Rectangle<'a, T> {
    start: *mut T,
    /// Values from one row of the matrix to the next.
    stride: usize,
    rows: usize,
    columns: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a `&mut [T]` for each of its rows, and those may be sent.
unsafe impl<T: Send> Send for Rectangle<'_, T> {}

impl<'a> Rectangle<'a, MaybeUninit<f32>> {
    /// Writes zeros, while the rectangle is about to be in cache anyway.
    fn zeroed(mut self) -> Rectangle<'a, f32> {
        for row in 0..self.rows {
            zeroed(self.row(row, 0..self.columns));
        }
        Rectangle {
            start: self.start.cast(),
            stride: self.stride,
            rows: self.rows,
            columns: self.columns,
            matrix: PhantomData,
        }
    }
}

impl<'a, T> Rectangle<'a, T> {
    /// All of a matrix of so many columns.
    pub(crate) fn whole(matrix: &'a mut [T], columns: usize) -> Self {
        Self::strided(matrix, columns, columns)
    }

    /// The first columns of a matrix whose rows have `stride` values.
    pub(crate) fn strided(matrix: &'a mut [T], stride: usize, columns: usize) -> Self {
        let rows = matrix.len().checked_div(stride).unwrap_or(0);
        assert!(
            matrix.len() == rows * stride && columns <= stride,
            "whole rows"
        );
        Self {
            start: matrix.as_mut_ptr(),
            stride,
            rows,
            columns,
            matrix: PhantomData,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Some rows of it, while it is borrowed.
    pub(crate) fn rows_mut(&mut self, rows: Range<usize>) -> Rectangle<'_, T> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        Rectangle {
            // SAFETY: the first row is one of its own or, if there are none, at most one past the
            // last.
            start: unsafe {
                self.start
                    .add(rows.start.min(self.rows.saturating_sub(1)) * self.stride)
            },
            stride: self.stride,
            rows: rows.len(),
            columns: self.columns,
            matrix: PhantomData,
        }
    }

    /// Some columns of it, while it is borrowed.
    pub(crate) fn columns_mut(&mut self, columns: Range<usize>) -> Rectangle<'_, T> {
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        // Without rows there may be no memory that a column begins in.
        let first = if self.rows == 0 { 0 } else { columns.start };
        Rectangle {
            // SAFETY: the first column begins in the first row, which has as many or more; or it
            // stays where it is.
            start: unsafe { self.start.add(first) },
            stride: self.stride,
            rows: self.rows,
            columns: columns.len(),
            matrix: PhantomData,
        }
    }

    /// Tells the CPU that some columns of a row will soon be read and written.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize, columns: Range<usize>) {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        #[cfg(target_arch = "x86_64")]
        for place in columns.step_by(64 / size_of::<T>()) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: every x86-64 CPU has this, and a prefetch reads nothing; the place is within
            // the rectangle anyway.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(self.start.add(row * self.stride + place).cast())
            };
        }
    }

    /// Some columns of one of its rows.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize, columns: Range<usize>) -> &mut [T] {
        assert!(row < self.rows && columns.start <= columns.end && columns.end <= self.columns);
        // SAFETY: the place is within the rectangle, which is within the matrix and nobody else's;
        // the borrow of `self` keeps a second slice from being made while this one lives.
        unsafe {
            let start = self.start.add(row * self.stride + columns.start);
            std::slice::from_raw_parts_mut(start, columns.len())
        }
    }
}

/// Cuts a matrix of so many columns into rectangles and calls `f` for each, in parallel, with the
/// place of its first row and its number among the rectangles beside it.
///
/// A rectangle has `rows` rows, the last ones fewer; `edge(i)` to `edge(i + 1)` are the columns of
/// the `i`-th of `across`.
///
/// # Panics
/// If the matrix is not whole rows, or the edges do not rise from 0 to `columns`.
pub(crate) fn for_each_rectangle<T: Send>(
    matrix: &mut [T],
    [columns, rows, across]: [usize; 3],
    edge: impl Fn(usize) -> usize,
    f: impl Fn(usize, usize, Rectangle<T>) + Sync,
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
                // SAFETY: `first` is less than `total` and `left` at most `columns`, so this is
                // within the matrix or one past its last row's end. Rectangles of
                // different `first` or different `i` share no value, since the
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
struct Start<T>(*mut T);

// SAFETY: what is done with it is up to `for_each_rectangle`, which hands out parts that do not
// overlap.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}
