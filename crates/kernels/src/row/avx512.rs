//! Rows with AVX-512.
//!
//! Invariant: entered only from `row/mod.rs`, after the choice of the instruction set; rows that
//! are read and written together are equally long.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; masks keep to the rows' length"
)]

use std::arch::x86_64::*;

use half::bf16;

use super::{Range, Scale};
use crate::complete::exp2;
use crate::tile::mask;

/// Values of a register.
const LANES: usize = 16;

/// Registers that sums are taken in at once: as many as their latency.
const TOGETHER: usize = 4;

/// Evaluates `$body` for each register of a row: `$i` is its number in turn among `TOGETHER`, `$x`
/// its values, and `$mask` the lanes within the row; the other lanes are zero. `$load` reads the
/// values where a mask is set.
macro_rules! each {
    ($row:expr, $load:expr, |$i:ident, $x:ident, $mask:ident| $body:expr) => {
        let (whole, rest) = $row.as_chunks::<{ LANES * TOGETHER }>();
        for four in whole {
            for $i in 0..TOGETHER {
                let $mask = __mmask16::MAX;
                // SAFETY: the register is within the four.
                let $x = unsafe { $load($mask, four[$i * LANES..].as_ptr()) };
                $body;
            }
        }
        for ($i, part) in rest.chunks(LANES).enumerate() {
            let $mask = mask(part.len());
            // SAFETY: the mask keeps to the part.
            let $x = unsafe { $load($mask, part.as_ptr()) };
            $body;
        }
    };
}

/// Adds up the lanes of sums.
#[inline]
#[target_feature(enable = "avx512f")]
fn total(sums: [__m512; TOGETHER]) -> f32 {
    let [a, b, c, d] = sums;
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)))
}

/// See `row::normalise`.
///
/// # Safety
/// The CPU has AVX-512 F; all slices are equally long.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn normalise(epsilon: f32, x: &[f32], by: [&[f32]; 2], out: &mut [f32]) {
    let n = x.len() as f32;
    let mut sums = [_mm512_setzero_ps(); TOGETHER];
    each!(x, _mm512_maskz_loadu_ps, |i, x, mask| {
        sums[i] = _mm512_mask_add_ps(sums[i], mask, sums[i], x);
    });
    let mean = _mm512_set1_ps(total(sums) / n);
    let mut sums = [_mm512_setzero_ps(); TOGETHER];
    each!(x, _mm512_maskz_loadu_ps, |i, x, mask| {
        let from_mean = _mm512_maskz_sub_ps(mask, x, mean);
        sums[i] = _mm512_fmadd_ps(from_mean, from_mean, sums[i]);
    });
    let inverse = _mm512_set1_ps(1.0 / (total(sums) / n + epsilon).sqrt());
    let [weight, bias] = by;
    for place in (0..x.len()).step_by(LANES) {
        let mask = mask(x.len() - place);
        // SAFETY: the mask keeps to places within all slices, which are equally long.
        unsafe {
            let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(place));
            let weight = _mm512_maskz_loadu_ps(mask, weight.as_ptr().add(place));
            let bias = _mm512_maskz_loadu_ps(mask, bias.as_ptr().add(place));
            let x = _mm512_mul_ps(_mm512_sub_ps(x, mean), inverse);
            let x = _mm512_fmadd_ps(x, weight, bias);
            _mm512_mask_storeu_ps(out.as_mut_ptr().add(place), mask, x);
        }
    }
}

/// Defines the softmax whose shares are in a format; `$store` stores a register's values.
macro_rules! softmax {
    ($name:ident, $kind:ty, $features:literal, $store:expr) => {
        /// See `row::softmax`.
        ///
        /// # Safety
        /// The CPU has AVX-512 F and, for bf16, that. Both rows are whole registers, equally long;
        /// `reach` is at most that.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(
            scale: f32,
            reach: usize,
            row: &mut [f32],
            shares: &mut [$kind],
        ) {
            let least = _mm512_set1_ps(f32::NEG_INFINITY);
            let reached = reach.div_ceil(LANES);
            let mut highest = least;
            let (row, _) = row.as_chunks_mut::<LANES>();
            let (shares, _) = shares.as_chunks_mut::<LANES>();
            // SAFETY: a chunk is a register.
            let load = |x: &[f32; LANES]| unsafe { _mm512_loadu_ps(x.as_ptr()) };
            for (i, x) in row[..reached].iter().enumerate() {
                let x = _mm512_mask_mov_ps(least, mask(reach - i * LANES), load(x));
                highest = _mm512_max_ps(highest, x);
            }
            let scale = scale * std::f32::consts::LOG2_E;
            let shift = _mm512_set1_ps(-_mm512_reduce_max_ps(highest) * scale);
            let scale = _mm512_set1_ps(scale);
            let mut sum = _mm512_setzero_ps();
            for (i, place) in row[..reached].iter_mut().enumerate() {
                let x = exp2::<false>(_mm512_fmadd_ps(load(place), scale, shift));
                let x = _mm512_maskz_mov_ps(mask(reach - i * LANES), x);
                sum = _mm512_add_ps(sum, x);
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(place.as_mut_ptr(), x) };
            }
            let inverse = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(sum));
            for (i, (x, share)) in row.iter().zip(shares).enumerate() {
                let x = if i < reached {
                    _mm512_mul_ps(load(x), inverse)
                } else {
                    _mm512_setzero_ps()
                };
                // SAFETY: as above.
                unsafe { $store(share.as_mut_ptr(), x) };
            }
        }
    };
}

softmax!(softmax, f32, "avx512f", |to: *mut f32, x| _mm512_storeu_ps(
    to, x
));
softmax!(
    softmax_bf16,
    bf16,
    "avx512f,avx512bf16",
    |to: *mut bf16, x| {
        let x = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
        _mm256_storeu_si256(to.cast(), x);
    }
);

/// Defines the functions that round rows of a format to codes.
macro_rules! codes {
    ($range:ident, $encode:ident, $kind:ty, $load:expr) => {
        /// See `row::range`.
        ///
        /// # Safety
        /// The CPU has AVX-512 F, BW and VL.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        pub(super) unsafe fn $range(row: &[$kind], bound: f32) -> Range {
            let bound = _mm512_set1_ps(bound);
            let mut low = [_mm512_setzero_ps(); TOGETHER];
            let (mut high, mut sums) = (low, low);
            each!(row, $load, |i, x, mask| {
                let size = _mm512_abs_ps(x);
                sums[i] = _mm512_mask_add_ps(sums[i], mask, sums[i], size);
                let mask = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(mask, size, bound);
                low[i] = _mm512_mask_min_ps(low[i], mask, low[i], x);
                high[i] = _mm512_mask_max_ps(high[i], mask, high[i], x);
            });
            let [a, b, c, d] = low;
            let low = _mm512_min_ps(_mm512_min_ps(a, b), _mm512_min_ps(c, d));
            let [a, b, c, d] = high;
            let high = _mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d));
            Range {
                lowest: _mm512_reduce_min_ps(low),
                highest: _mm512_reduce_max_ps(high),
                mean: total(sums) / row.len() as f32,
            }
        }

        /// See `row::encode`.
        ///
        /// # Safety
        /// The CPU has AVX-512 F, BW and VL; the slices are equally long.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        pub(super) unsafe fn $encode(scale: Scale, row: &[$kind], codes: &mut [u8]) {
            let inverse = _mm512_set1_ps(1.0 / scale.scale);
            let zero = _mm512_set1_ps(scale.zero);
            for place in (0..row.len()).step_by(LANES) {
                let mask = mask(row.len() - place);
                // SAFETY: the mask keeps to places within both slices, which are equally long.
                unsafe {
                    let x = $load(mask, row.as_ptr().add(place));
                    // To the nearest; what is below zero, and NaN, becomes 0, what is above 255
                    // that. Not fused, so that codes are the twin's.
                    let x = _mm512_add_ps(_mm512_mul_ps(x, inverse), zero);
                    let x = _mm512_cvtps_epi32(x);
                    let x = _mm512_max_epi32(x, _mm512_setzero_si512());
                    let to = codes.as_mut_ptr().add(place);
                    match mask {
                        __mmask16::MAX => _mm_storeu_si128(to.cast(), _mm512_cvtusepi32_epi8(x)),
                        _ => _mm512_mask_cvtusepi32_storeu_epi8(to.cast(), mask, x),
                    }
                }
            }
        }
    };
}

codes!(range, encode, f32, _mm512_maskz_loadu_ps);
codes!(range_bf16, encode_bf16, bf16, |mask, from: *const bf16| {
    let x = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.cast()));
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x))
});
