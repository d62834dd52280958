//! Dot products with AVX2.
//!
//! Invariant: entered only from `search/mod.rs`, after the choice of the instruction set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads, within whole registers of a row"
)]

use std::arch::x86_64::*;

use half::f16;

/// Values of a register.
const LANES: usize = 8;

/// Registers that a sum is taken in at once: as many as an instruction's latency.
const TOGETHER: usize = 4;

/// Defines the dot products with rows of a format, of which `$load` reads a register's values and
/// `$value` one.
macro_rules! dots {
    ($name:ident, $kind:ty, $load:expr, $value:expr) => {
        /// See `search::dots`.
        ///
        /// # Safety
        /// The CPU has AVX2, FMA and F16C; there are as many rows of the query's length as places
        /// in `out`.
        #[target_feature(enable = "avx2,fma,f16c")]
        pub(super) unsafe fn $name(query: &[f32], values: &[$kind], out: &mut [f32]) {
            let whole = query.len() / LANES * LANES;
            for (out, row) in out.iter_mut().zip(values.chunks_exact(query.len())) {
                let mut sums = [_mm256_setzero_ps(); TOGETHER];
                for place in (0..whole).step_by(LANES) {
                    let sum = &mut sums[place / LANES % TOGETHER];
                    // SAFETY: the register is within the whole ones of query and row.
                    *sum = unsafe {
                        let q = _mm256_loadu_ps(query.as_ptr().add(place));
                        _mm256_fmadd_ps(q, $load(row.as_ptr().add(place)), *sum)
                    };
                }
                let [a, b, c, d] = sums;
                let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
                let mut lanes = [0f32; LANES];
                // SAFETY: the array is a register's.
                unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
                let rest = query[whole..].iter().zip(&row[whole..]);
                let rest: f32 = rest.map(|(q, x)| q * $value(*x)).sum();
                *out = lanes.iter().sum::<f32>() + rest;
            }
        }
    };
}

dots!(
    f32,
    f32,
    |from: *const f32| _mm256_loadu_ps(from),
    |x: f32| x
);
dots!(
    f16,
    f16,
    |from: *const f16| _mm256_cvtph_ps(_mm_loadu_si128(from.cast())),
    f16::to_f32
);
dots!(
    int8,
    i8,
    |from: *const i8| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(from.cast()))),
    f32::from
);
