//! Dot products with AVX-512.
//!
//! Invariant: entered only from `search/mod.rs`, after the choice of the instruction set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; masks keep to the rows"
)]

use std::arch::x86_64::*;

use half::f16;

use crate::tile::mask;

/// Values of a register.
const LANES: usize = 16;

/// Registers that a sum is taken in at once: as many as an instruction's latency.
const TOGETHER: usize = 4;

/// Defines the dot products with rows of a format, of which `$load` reads the values where a mask
/// is set.
macro_rules! dots {
    ($name:ident, $kind:ty, $load:expr) => {
        /// See `search::dots`.
        ///
        /// # Safety
        /// The CPU has AVX-512 F, BW and VL; there are as many rows of the query's length as places
        /// in `out`.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        pub(super) unsafe fn $name(query: &[f32], values: &[$kind], out: &mut [f32]) {
            let whole = query.len() / (LANES * TOGETHER) * LANES * TOGETHER;
            for (out, row) in out.iter_mut().zip(values.chunks_exact(query.len())) {
                let mut sums = [_mm512_setzero_ps(); TOGETHER];
                for place in (0..whole).step_by(LANES * TOGETHER) {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let place = place + i * LANES;
                        // SAFETY: the register is within the whole ones of query and row.
                        *sum = unsafe {
                            let q = _mm512_loadu_ps(query.as_ptr().add(place));
                            _mm512_fmadd_ps(q, $load(__mmask16::MAX, row.as_ptr().add(place)), *sum)
                        };
                    }
                }
                for place in (whole..query.len()).step_by(LANES) {
                    let mask = mask(query.len() - place);
                    // SAFETY: the mask keeps to the query and the row, which are equally long.
                    sums[0] = unsafe {
                        let q = _mm512_maskz_loadu_ps(mask, query.as_ptr().add(place));
                        _mm512_fmadd_ps(q, $load(mask, row.as_ptr().add(place)), sums[0])
                    };
                }
                let [a, b, c, d] = sums;
                *out =
                    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
            }
        }
    };
}

dots!(f32, f32, |mask, from: *const f32| _mm512_maskz_loadu_ps(
    mask, from
));
dots!(f16, f16, |mask, from: *const f16| {
    _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from.cast()))
});
dots!(int8, i8, |mask, from: *const i8| {
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, from)))
});
