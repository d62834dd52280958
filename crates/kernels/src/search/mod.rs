//! Search among vectors: dot products with a query, and the rows with the highest.
//!
//! `N` vectors, `D` their width. The query is in f32 in all formats; sums are.

#![allow(
    unsafe_code,
    reason = "enters the instruction sets' files, once lengths are checked"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod top;

#[cfg(test)]
pub(crate) use top::top_k_with;
pub use top::{Scored, top_k, top_scores};

use half::f16;

use crate::isa::Isa;

/// Vectors `[N, D]`, row by row, in one of the formats that indexes keep them in.
#[derive(Clone, Copy, Debug)]
pub enum Vectors<'a> {
    /// As they are.
    F32(&'a [f32]),
    /// Rounded to f16.
    F16(&'a [f16]),
    /// Rounded to eight bits: a value is its row's scale times its code.
    Int8 {
        /// −127 … 127.
        codes: &'a [i8],
        /// `[N]`.
        scales: &'a [f32],
    },
}

impl<'a> Vectors<'a> {
    /// Number of values, `N D`.
    fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Int8 { codes, .. } => codes.len(),
        }
    }

    /// Number of vectors, `N`, of `dim` values each.
    ///
    /// # Panics
    /// If `dim` is 0, they are not whole rows of it, or there is another number of scales.
    pub fn rows(&self, dim: usize) -> usize {
        assert!(dim > 0 && self.len().is_multiple_of(dim), "whole vectors");
        let rows = self.len() / dim;
        if let Self::Int8 { scales, .. } = self {
            assert_eq!(scales.len(), rows, "a scale for each vector");
        }
        rows
    }

    /// Prefetches their memory, on CPUs of x86-64.
    fn prefetch(&self) {
        let (start, bytes) = match self {
            Self::F32(values) => (values.as_ptr().cast::<i8>(), size_of_val(*values)),
            Self::F16(values) => (values.as_ptr().cast(), size_of_val(*values)),
            Self::Int8 { codes, .. } => (codes.as_ptr(), size_of_val(*codes)),
        };
        #[cfg(target_arch = "x86_64")]
        for line in (0..bytes).step_by(64) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint; nothing is read.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (start, bytes);
    }

    /// Some of them.
    fn part(&self, rows: std::ops::Range<usize>, dim: usize) -> Self {
        let values = rows.start * dim..rows.end * dim;
        match self {
            Self::F32(all) => Self::F32(&all[values]),
            Self::F16(all) => Self::F16(&all[values]),
            Self::Int8 { codes, scales } => Self::Int8 {
                codes: &codes[values],
                scales: &scales[rows],
            },
        }
    }
}

/// Rounds vectors of `dim` values to eight bits, each with a scale of its own: `[N, D]` codes and
/// `[N]` scales.
///
/// A vector of zeros has the scale 0, one that is not all finite NaN.
///
/// # Panics
/// If `dim` is 0, or they are not whole.
pub fn to_int8(vectors: &[f32], dim: usize) -> (Vec<i8>, Vec<f32>) {
    let mut scales = Vec::with_capacity(Vectors::F32(vectors).rows(dim));
    let mut codes = vec![0i8; vectors.len()];
    for (vector, codes) in vectors.chunks_exact(dim).zip(codes.chunks_exact_mut(dim)) {
        let is_finite = vector.iter().all(|x| x.is_finite());
        let largest = vector.iter().fold(0f32, |a, x| a.max(x.abs()));
        if is_finite && largest > 0.0 {
            let of = |x: &f32| (x / largest * 127.0).round_ties_even() as i8;
            codes
                .iter_mut()
                .zip(vector)
                .for_each(|(code, x)| *code = of(x));
        }
        scales.push(if is_finite { largest / 127.0 } else { f32::NAN });
    }
    (codes, scales)
}

/// Sets `out` `[N]` to the dot products of `query` `[D]` with vectors, by this thread alone.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn dots(query: &[f32], vectors: Vectors, out: &mut [f32]) {
    dots_with(Isa::current(), query, vectors, out);
}

pub(crate) fn dots_with(isa: Isa, query: &[f32], vectors: Vectors, out: &mut [f32]) {
    assert_eq!(
        vectors.rows(query.len()),
        out.len(),
        "a place for each vector"
    );
    match isa {
        // SAFETY: the CPU has AVX-512, and there is a row for each place.
        #[cfg(target_arch = "x86_64")]
        isa if isa >= Isa::Avx512 => unsafe {
            match vectors {
                Vectors::F32(values) => avx512::f32(query, values, out),
                Vectors::F16(values) => avx512::f16(query, values, out),
                Vectors::Int8 { codes, .. } => avx512::int8(query, codes, out),
            }
        },
        // SAFETY: the CPU has AVX2, FMA and F16C, and there is a row for each place.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe {
            match vectors {
                Vectors::F32(values) => avx2::f32(query, values, out),
                Vectors::F16(values) => avx2::f16(query, values, out),
                Vectors::Int8 { codes, .. } => avx2::int8(query, codes, out),
            }
        },
        _ => match vectors {
            Vectors::F32(values) => plain(query, values, out, |x| x),
            Vectors::F16(values) => plain(query, values, out, f16::to_f32),
            Vectors::Int8 { codes, .. } => plain(query, codes, out, f32::from),
        },
    }
    if let Vectors::Int8 { scales, .. } = vectors {
        out.iter_mut()
            .zip(scales)
            .for_each(|(out, scale)| *out *= scale);
    }
}

/// Rows that are prefetched ahead of the one that is computed, where rows do not lie together.
const AHEAD: usize = 4;

/// Sets `out` `[n]` to the dot products of `query` `[D]` with the vectors in some rows, by this
/// thread alone. Rows are prefetched, which the CPU by itself does for neighbouring rows alone.
///
/// # Panics
/// If the lengths do not fit each other, or there is no such row.
pub fn dots_at(query: &[f32], vectors: Vectors, rows: &[usize], out: &mut [f32]) {
    assert_eq!(rows.len(), out.len(), "a place for each row");
    let isa = Isa::current();
    let part = |row: usize| vectors.part(row..row + 1, query.len());
    rows.iter()
        .take(AHEAD)
        .for_each(|&row| part(row).prefetch());
    for (i, (&row, out)) in rows.iter().zip(out).enumerate() {
        if let Some(&ahead) = rows.get(i + AHEAD) {
            part(ahead).prefetch();
        }
        dots_with(isa, query, part(row), std::slice::from_mut(out));
    }
}

/// The scalar twin.
fn plain<T: Copy>(query: &[f32], values: &[T], out: &mut [f32], value: impl Fn(T) -> f32) {
    /// Lanes that sums are taken in.
    const LANES: usize = 8;
    for (out, row) in out.iter_mut().zip(values.chunks_exact(query.len())) {
        let mut sums = [0f32; LANES];
        for (query, row) in query.chunks(LANES).zip(row.chunks(LANES)) {
            for (sum, (q, x)) in sums.iter_mut().zip(query.iter().zip(row)) {
                *sum += q * value(*x);
            }
        }
        *out = sums.iter().sum();
    }
}
