//! Tiles with AVX2.
//!
//! Invariant: entered only from `tile/mod.rs`, after `Tile::check` and the choice of the instruction
//! set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; see `tile/mod.rs` for the checks"
)]

use std::arch::x86_64::*;

use super::{ROUNDS, Sums, Tile, UNIT, WIDTH};

/// Rows that are summed at once: with two registers of columns, twelve of AVX2's sixteen hold sums, and one is spare,
/// without which compilers move sums about.
pub(super) const SIX: usize = 6;

/// Values of a register.
const LANES: usize = UNIT / 2;

/// A tile in f32 of up to six rows, a unit at a time.
///
/// # Safety
/// The CPU has AVX2 and FMA, and `Tile::check` has passed.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn f32(t: &Tile<f32>, out: &mut Sums) {
    let width = t.units * UNIT;
    for unit in 0..t.units {
        let mut sums = [[_mm256_setzero_ps(); 2]; SIX];
        for segment in 0..t.segments {
            // SAFETY: `check` holds `starts + reach` against `left`, and all steps' units against `right`.
            unsafe {
                let mut right = t
                    .right
                    .as_ptr()
                    .add(segment * t.steps * width + unit * UNIT);
                let left = t.left.as_ptr().add(segment * t.segment_stride);
                let rows: [_; SIX] = std::array::from_fn(|r| left.add(t.starts[r]));
                for step in 0..t.steps {
                    let b = [_mm256_loadu_ps(right), _mm256_loadu_ps(right.add(LANES))];
                    right = right.wrapping_add(width);
                    for r in 0..SIX {
                        let a = _mm256_set1_ps(*rows[r].add(step * t.step_stride));
                        sums[r][0] = _mm256_fmadd_ps(a, b[0], sums[r][0]);
                        sums[r][1] = _mm256_fmadd_ps(a, b[1], sums[r][1]);
                    }
                }
            }
        }
        for (row, out) in sums.iter().zip(out.0.chunks_exact_mut(WIDTH)) {
            let out = &mut out[unit * UNIT..][..UNIT];
            // SAFETY: the slice has two registers' sixteen places.
            unsafe {
                _mm256_storeu_ps(out.as_mut_ptr(), row[0]);
                _mm256_storeu_ps(out.as_mut_ptr().add(LANES), row[1]);
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
