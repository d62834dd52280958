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

/// Defines a tile in a format. A step is four bytes in each: of the left factor one lane, repeated,
/// of the right one register a unit. `$dot` adds their products to sums, which begin as `$zero` and
/// are turned into f32 by `$rounded`.
macro_rules! tile {
    ($(#[$doc:meta])* $name:ident, $kind:ty, $features:literal, $zero:expr, $dot:expr, $rounded:expr) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(t: &Tile<$kind>, out: &mut Sums) {
            #[target_feature(enable = $features)]
            unsafe fn sums<const R: usize, const V: usize>(t: &Tile<$kind>, out: &mut Sums) {
                let mut sums = [[$zero; V]; R];
                let mut right = t.right.as_ptr().cast::<__m512i>();
                for segment in 0..t.segments {
                    // SAFETY: `check` holds `starts`, reach and a step against `left`, and all
                    // steps' units against `right`. Loads need no alignment.
                    unsafe {
                        let left = t.left.as_ptr().add(segment * t.segment_stride);
                        let rows: [_; R] = std::array::from_fn(|r| left.add(t.starts[r]));
                        for step in 0..t.steps {
                            let mut b = [_mm512_setzero_si512(); V];
                            for (v, b) in b.iter_mut().enumerate() {
                                *b = _mm512_loadu_si512(right.add(v));
                                let ahead = right.wrapping_add(AHEAD * V + v);
                                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                            }
                            right = right.add(V);
                            for r in 0..R {
                                let a = rows[r].add(step * t.step_stride).cast::<i32>();
                                let a = _mm512_set1_epi32(a.read_unaligned());
                                for v in 0..V {
                                    sums[r][v] = $dot(sums[r][v], a, b[v]);
                                }
                            }
                        }
                    }
                }
                for (row, out) in sums.iter().zip(out.0.chunks_exact_mut(WIDTH)) {
                    for (&sum, out) in row.iter().zip(out.chunks_exact_mut(UNIT)) {
                        // SAFETY: a unit has the 16 places of a register.
                        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), $rounded(sum)) };
                    }
                }
            }

            // SAFETY: handed on from the caller.
            unsafe { by_shape!(sums(t, out)) }
        }
    };
}

tile! {
    /// A tile in f32.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, and `Tile::check` has passed.
    f32, f32, "avx512f", _mm512_setzero_ps(),
    |sum, a, b| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum),
    |sum| sum
}

tile! {
    /// A tile in bf16: two values a step, whose products one instruction adds.
    ///
    /// # Safety
    /// The CPU has AVX-512 F and BF16, and `Tile::check` has passed.
    bf16, bf16, "avx512f,avx512bf16", _mm512_setzero_ps(),
    |sum, a, b| {
        let a = std::mem::transmute::<__m512i, __m512bh>(a);
        let b = std::mem::transmute::<__m512i, __m512bh>(b);
        _mm512_dpbf16_ps(sum, a, b)
    },
    |sum| sum
}

tile! {
    /// A tile in eight bits: four values a step, whose products one instruction adds.
    ///
    /// # Safety
    /// The CPU has AVX-512 F and VNNI, and `Tile::check` has passed.
    int8, u8, "avx512f,avx512vnni", _mm512_setzero_si512(),
    |sum, a, b| _mm512_dpbusd_epi32(sum, a, b),
    |sum| _mm512_cvtepi32_ps(sum)
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
