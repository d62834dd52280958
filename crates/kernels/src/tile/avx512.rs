//! Tiles and roundings with AVX-512.
//!
//! Invariant: every function here is entered only from `tile/mod.rs`, after `Tile::check` and the
//! choice of the instruction set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; see `tile/mod.rs` for the checks"
)]

use std::arch::x86_64::*;

use half::bf16;

use super::{ROWS, Tile, UNIT};

/// A tile in f32.
///
/// # Safety
/// The CPU has AVX-512 F, and `Tile::check` has passed.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn f32(t: &Tile<f32>, out: &mut [f32]) {
    // SAFETY: handed on from the caller.
    unsafe {
        match t.units {
            1 => f32_units::<1>(t, out),
            2 => f32_units::<2>(t, out),
            _ => f32_units::<3>(t, out),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn f32_units<const V: usize>(t: &Tile<f32>, out: &mut [f32]) {
    let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
    let mut right = t.right.as_ptr();
    for segment in 0..t.segments {
        // SAFETY: `check` holds `starts + reach` against `left`, and all steps' units against `right`.
        unsafe {
            let left = t.left.as_ptr().add(segment * t.segment_stride);
            let rows = t.starts.map(|start| left.add(start));
            for step in 0..t.steps {
                let mut b = [_mm512_setzero_ps(); V];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = _mm512_loadu_ps(right.add(v * UNIT));
                }
                right = right.add(V * UNIT);
                for r in 0..ROWS {
                    let a = _mm512_set1_ps(*rows[r].add(step * t.step_stride));
                    for v in 0..V {
                        sums[r][v] = _mm512_fmadd_ps(a, b[v], sums[r][v]);
                    }
                }
            }
        }
    }
    // SAFETY: handed on from the caller.
    unsafe { store(t, &sums, out) };
}

/// A tile in bf16: two values a step, whose products one instruction adds.
///
/// # Safety
/// The CPU has AVX-512 F and BF16, and `Tile::check` has passed.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn bf16(t: &Tile<bf16>, out: &mut [f32]) {
    // SAFETY: handed on from the caller.
    unsafe {
        match t.units {
            1 => bf16_units::<1>(t, out),
            2 => bf16_units::<2>(t, out),
            _ => bf16_units::<3>(t, out),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16_units<const V: usize>(t: &Tile<bf16>, out: &mut [f32]) {
    let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
    let mut right = t.right.as_ptr().cast::<__m512i>();
    for segment in 0..t.segments {
        // SAFETY: `check` holds `starts + reach + 2` against `left`, and all steps' units against
        // `right`; a unit of 16 pairs is one register. Loads need no alignment.
        unsafe {
            let left = t.left.as_ptr().add(segment * t.segment_stride);
            let rows = t.starts.map(|start| left.add(start));
            for step in 0..t.steps {
                let mut b = [_mm512_setzero_si512(); V];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = _mm512_loadu_si512(right.add(v));
                }
                right = right.add(V);
                for r in 0..ROWS {
                    let pair = rows[r].add(step * t.step_stride).cast::<i32>();
                    let a = _mm512_set1_epi32(pair.read_unaligned());
                    for v in 0..V {
                        sums[r][v] = _mm512_dpbf16_ps(
                            sums[r][v],
                            std::mem::transmute::<__m512i, __m512bh>(a),
                            std::mem::transmute::<__m512i, __m512bh>(b[v]),
                        );
                    }
                }
            }
        }
    }
    // SAFETY: handed on from the caller.
    unsafe { store(t, &sums, out) };
}

#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store<E, const V: usize>(t: &Tile<E>, sums: &[[__m512; V]; ROWS], out: &mut [f32]) {
    for (r, row) in sums.iter().enumerate() {
        if r >= t.rows {
            break;
        }
        for (v, &sum) in row.iter().enumerate() {
            let mask = mask(t.columns.saturating_sub(v * UNIT));
            // SAFETY: `check` holds row `rows - 1`, column `columns - 1` against `out`, and the mask
            // keeps other columns from being touched; the pointer itself may point past the end.
            unsafe {
                let place = out.as_mut_ptr().wrapping_add(r * t.out_stride + v * UNIT);
                let sum = match t.accumulate {
                    true => _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, place)),
                    false => sum,
                };
                _mm512_mask_storeu_ps(place, mask, sum);
            }
        }
    }
}

/// Rounds f32 to bf16.
///
/// # Safety
/// The CPU has AVX-512 F, BW, VL and BF16; `out` is as long as `values`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) unsafe fn narrow(values: &[f32], out: &mut [bf16]) {
    for i in (0..values.len()).step_by(UNIT) {
        let mask = mask(values.len() - i);
        // SAFETY: the mask keeps to places within both slices, which are equally long.
        unsafe {
            let x = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, values.as_ptr().add(i)));
            let x = std::mem::transmute::<__m256bh, __m256i>(x);
            _mm256_mask_storeu_epi16(out.as_mut_ptr().add(i).cast(), mask, x);
        }
    }
}

/// Rounds two rows to bf16, value by value in turn.
///
/// # Safety
/// The CPU has AVX-512 F and BF16; the rows are equally long and `out` as long as both.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn interleave([a, b]: [&[f32]; 2], out: &mut [bf16]) {
    for i in (0..a.len()).step_by(UNIT) {
        let mask = mask(a.len() - i);
        // SAFETY: the mask keeps to places within both rows, and to as many pairs of `out`.
        unsafe {
            let low = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, a.as_ptr().add(i)));
            let high = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, b.as_ptr().add(i)));
            let low = _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(low));
            let high = _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(high));
            let pairs = _mm512_or_si512(low, _mm512_slli_epi32::<16>(high));
            _mm512_mask_storeu_epi32(out.as_mut_ptr().add(2 * i).cast(), mask, pairs);
        }
    }
}

/// The lanes of a register that `left` more values fill.
fn mask(left: usize) -> __mmask16 {
    ((1u32 << left.min(UNIT)) - 1) as __mmask16
}
