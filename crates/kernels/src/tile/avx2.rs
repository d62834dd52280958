//! Tiles with AVX2.
//!
//! Invariant: entered only from `tile/mod.rs`, after `Tile::check` and the choice of the instruction
//! set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; see `tile/mod.rs` for the checks"
)]

use std::arch::x86_64::*;

use super::{ROUNDS, ROWS, Sums, Tile, UNIT, WIDTH};

/// Rows that are summed at once: with two registers a unit, eight of AVX2's sixteen hold sums.
const HALF: usize = ROWS / 2;

/// A tile in f32, four rows by one unit at a time.
///
/// # Safety
/// The CPU has AVX2 and FMA, and `Tile::check` has passed.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn f32(t: &Tile<f32>, out: &mut Sums) {
    for first in (0..t.rows).step_by(HALF) {
        for unit in 0..t.units {
            let mut sums = [[_mm256_setzero_ps(); 2]; HALF];
            for segment in 0..t.segments {
                // SAFETY: `check` holds `starts + reach` against `left`, and all steps' units
                // against `right`.
                unsafe {
                    let right = segment * t.steps * t.units * UNIT + unit * UNIT;
                    let right = t.right.as_ptr().add(right);
                    let left = t.left.as_ptr().add(segment * t.segment_stride);
                    for step in 0..t.steps {
                        let b = right.add(step * t.units * UNIT);
                        let b = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(UNIT / 2))];
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let a = left.add(t.starts[first + r] + step * t.step_stride);
                            let a = _mm256_set1_ps(*a);
                            sums[0] = _mm256_fmadd_ps(a, b[0], sums[0]);
                            sums[1] = _mm256_fmadd_ps(a, b[1], sums[1]);
                        }
                    }
                }
            }
            for (r, sums) in (first..ROWS).zip(sums) {
                let out = &mut out.0[r * WIDTH + unit * UNIT..][..UNIT];
                // SAFETY: the slice has 16 places.
                unsafe {
                    _mm256_storeu_ps(out.as_mut_ptr(), sums[0]);
                    _mm256_storeu_ps(out.as_mut_ptr().add(UNIT / 2), sums[1]);
                }
            }
        }
    }
}

/// Registers that [`spin`] keeps busy: more than an instruction's latency.
pub(super) const SPINNING: u64 = 12;

/// Multiplies and adds in registers.
#[target_feature(enable = "avx2,fma")]
pub(super) fn spin(x: f32) -> __m256 {
    let x = _mm256_set1_ps(x);
    let mut sums = [_mm256_setzero_ps(); SPINNING as usize];
    for _ in 0..ROUNDS {
        sums.iter_mut()
            .for_each(|sum| *sum = _mm256_fmadd_ps(*sum, x, x));
    }
    sums.into_iter().fold(x, |a, b| _mm256_add_ps(a, b))
}
