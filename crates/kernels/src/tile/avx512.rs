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

use super::{ROUNDS, Sums, Tile, UNIT, WIDTH};

/// Steps of the right factor that are fetched before they are needed.
const AHEAD: usize = 12;

/// Calls the compilation for a tile's rows and units, so that sums fill registers and no others.
macro_rules! by_shape {
    ($name:ident($t:expr, $out:expr)) => {
        by_shape!(@rows $name, $t, $out, 1 2 3 4 5 6 7 8)
    };
    (@rows $name:ident, $t:expr, $out:expr, $($rows:literal)*) => {
        match ($t.rows, $t.units) {
            $(
                ($rows, 1) => $name::<$rows, 1>($t, $out),
                ($rows, 2) => $name::<$rows, 2>($t, $out),
                ($rows, 3) => $name::<$rows, 3>($t, $out),
            )*
            _ => unreachable!("`check` has passed"),
        }
    };
}

/// A tile in f32.
///
/// # Safety
/// The CPU has AVX-512 F, and `Tile::check` has passed.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn f32(t: &Tile<f32>, out: &mut Sums) {
    // SAFETY: handed on from the caller.
    unsafe { by_shape!(f32_sums(t, out)) }
}

#[target_feature(enable = "avx512f")]
unsafe fn f32_sums<const R: usize, const V: usize>(t: &Tile<f32>, out: &mut Sums) {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    let mut right = t.right.as_ptr();
    for segment in 0..t.segments {
        // SAFETY: `check` holds `starts + reach` against `left`, and all steps' units against `right`.
        unsafe {
            let left = t.left.as_ptr().add(segment * t.segment_stride);
            let rows: [_; R] = std::array::from_fn(|r| left.add(t.starts[r]));
            for step in 0..t.steps {
                let mut b = [_mm512_setzero_ps(); V];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = _mm512_loadu_ps(right.add(v * UNIT));
                    _mm_prefetch::<_MM_HINT_T0>(right.wrapping_add((AHEAD * V + v) * UNIT).cast());
                }
                right = right.add(V * UNIT);
                for r in 0..R {
                    let a = _mm512_set1_ps(*rows[r].add(step * t.step_stride));
                    for v in 0..V {
                        sums[r][v] = _mm512_fmadd_ps(a, b[v], sums[r][v]);
                    }
                }
            }
        }
    }
    store(&sums, out);
}

/// A tile in bf16: two values a step, whose products one instruction adds.
///
/// # Safety
/// The CPU has AVX-512 F and BF16, and `Tile::check` has passed.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn bf16(t: &Tile<bf16>, out: &mut Sums) {
    // SAFETY: handed on from the caller.
    unsafe { by_shape!(bf16_sums(t, out)) }
}

#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16_sums<const R: usize, const V: usize>(t: &Tile<bf16>, out: &mut Sums) {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    let mut right = t.right.as_ptr().cast::<__m512i>();
    for segment in 0..t.segments {
        // SAFETY: `check` holds `starts + reach + 2` against `left`, and all steps' units against
        // `right`; a unit of 16 pairs is one register. Loads need no alignment.
        unsafe {
            let left = t.left.as_ptr().add(segment * t.segment_stride);
            let rows: [_; R] = std::array::from_fn(|r| left.add(t.starts[r]));
            for step in 0..t.steps {
                let mut b = [_mm512_setzero_si512(); V];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = _mm512_loadu_si512(right.add(v));
                    _mm_prefetch::<_MM_HINT_T0>(right.wrapping_add(AHEAD * V + v).cast());
                }
                right = right.add(V);
                for r in 0..R {
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
    store(&sums, out);
}

/// A tile in eight bits: four values a step, whose products one instruction adds.
///
/// # Safety
/// The CPU has AVX-512 F and VNNI, and `Tile::check` has passed.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn int8(t: &Tile<u8>, out: &mut Sums) {
    // SAFETY: handed on from the caller.
    unsafe { by_shape!(int8_sums(t, out)) }
}

#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn int8_sums<const R: usize, const V: usize>(t: &Tile<u8>, out: &mut Sums) {
    let mut sums = [[_mm512_setzero_si512(); V]; R];
    let mut right = t.right.as_ptr().cast::<__m512i>();
    for segment in 0..t.segments {
        // SAFETY: `check` holds `starts + reach + 4` against `left`, and all steps' units against
        // `right`; a unit of 16 fours is one register. Loads need no alignment.
        unsafe {
            let left = t.left.as_ptr().add(segment * t.segment_stride);
            let rows: [_; R] = std::array::from_fn(|r| left.add(t.starts[r]));
            for step in 0..t.steps {
                let mut b = [_mm512_setzero_si512(); V];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = _mm512_loadu_si512(right.add(v));
                    _mm_prefetch::<_MM_HINT_T0>(right.wrapping_add(AHEAD * V + v).cast());
                }
                right = right.add(V);
                for r in 0..R {
                    let four = rows[r].add(step * t.step_stride).cast::<i32>();
                    let a = _mm512_set1_epi32(four.read_unaligned());
                    for v in 0..V {
                        sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], a, b[v]);
                    }
                }
            }
        }
    }
    for (row, out) in sums.iter().zip(out.0.chunks_exact_mut(WIDTH)) {
        for (&sum, out) in row.iter().zip(out.chunks_exact_mut(UNIT)) {
            // SAFETY: a unit has the 16 places of a register.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_cvtepi32_ps(sum)) };
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store<const R: usize, const V: usize>(sums: &[[__m512; V]; R], out: &mut Sums) {
    for (row, out) in sums.iter().zip(out.0.chunks_exact_mut(WIDTH)) {
        for (&sum, out) in row.iter().zip(out.chunks_exact_mut(UNIT)) {
            // SAFETY: a unit has the 16 places of a register.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum) };
        }
    }
}

/// Rounds f32 to bf16.
///
/// # Safety
/// The CPU has AVX-512 F, BW, VL and BF16; `out` is as long as `values`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) unsafe fn narrow(values: &[f32], out: &mut [bf16]) {
    let whole = values.len() / UNIT * UNIT;
    for i in (0..whole).step_by(UNIT) {
        // SAFETY: a unit is within both slices, which are equally long.
        unsafe {
            let x = _mm512_cvtneps_pbh(_mm512_loadu_ps(values.as_ptr().add(i)));
            let x = std::mem::transmute::<__m256bh, __m256i>(x);
            _mm256_storeu_si256(out.as_mut_ptr().add(i).cast(), x);
        }
    }
    if whole < values.len() {
        let mask = mask(values.len() - whole);
        // SAFETY: the mask keeps to places within both slices, which are equally long.
        unsafe {
            let x = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, values.as_ptr().add(whole)));
            let x = std::mem::transmute::<__m256bh, __m256i>(x);
            _mm256_mask_storeu_epi16(out.as_mut_ptr().add(whole).cast(), mask, x);
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
pub(crate) fn mask(left: usize) -> __mmask16 {
    match left {
        0..UNIT => (1 << left) - 1,
        _ => __mmask16::MAX,
    }
}

/// Registers that [`spin`] keeps busy: more than an instruction's latency.
pub(super) const SPINNING: u64 = 24;

/// Multiplies and adds in registers.
#[target_feature(enable = "avx512f")]
pub(super) fn spin(x: f32) -> __m512 {
    let x = _mm512_set1_ps(x);
    let mut sums = [_mm512_setzero_ps(); SPINNING as usize];
    for _ in 0..ROUNDS {
        sums.iter_mut()
            .for_each(|sum| *sum = _mm512_fmadd_ps(*sum, x, x));
    }
    sums.into_iter().fold(x, |a, b| _mm512_add_ps(a, b))
}

/// [`spin`] in bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn spin_bf16(x: f32) -> __m512 {
    // SAFETY: the types have one layout.
    let pairs = unsafe { std::mem::transmute::<__m512, __m512bh>(_mm512_set1_ps(x)) };
    let mut sums = [_mm512_setzero_ps(); SPINNING as usize];
    for _ in 0..ROUNDS {
        sums.iter_mut()
            .for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, pairs, pairs));
    }
    sums.into_iter()
        .fold(_mm512_setzero_ps(), |a, b| _mm512_add_ps(a, b))
}

/// [`spin`] in eight bits.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn spin_int8(x: i32) -> __m512i {
    let fours = _mm512_set1_epi32(x);
    let mut sums = [_mm512_setzero_si512(); SPINNING as usize];
    for _ in 0..ROUNDS {
        sums.iter_mut()
            .for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, fours, fours));
    }
    sums.into_iter().fold(fours, |a, b| _mm512_add_epi32(a, b))
}
