//! Tiles with AVX2.
//!
//! Invariant: entered only from `tile/mod.rs`, after `Tile::check` and the choice of the
//! instruction set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; see `tile/mod.rs` for the checks"
)]

use std::arch::x86_64::*;

use super::{ROUNDS, Sums, Tile, UNIT, WIDTH};

/// Rows that are summed at once: with two registers of columns, twelve of AVX2's sixteen hold sums,
/// and one is spare, without which compilers move sums about.
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
            // SAFETY: `check` holds `starts + reach` against `left`, and all steps' units against
            // `right`.
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

/// Rows that are summed at once in eight bits, half a unit at a time: each column has two sums, of
/// two products each, since AVX2 adds products of sixteen bits without loss and those of eight not.
const FOUR: usize = 4;

/// A tile in eight bits.
///
/// # Safety
/// The CPU has AVX2, and `Tile::check` has passed.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn int8(t: &Tile<u8>, out: &mut Sums) {
    let width = t.units * UNIT * 4;
    for first in (0..t.rows).step_by(FOUR) {
        for half in 0..2 * t.units {
            let mut sums = [[_mm256_setzero_si256(); 2]; FOUR];
            for segment in 0..t.segments {
                // SAFETY: `check` holds `starts + reach + 4` against `left`, and all steps' units
                // against `right`; rows beyond the tile's start where `check` has
                // looked, too. Loads need no alignment.
                unsafe {
                    let mut right = t
                        .right
                        .as_ptr()
                        .add(segment * t.steps * width + half * 4 * LANES)
                        .cast::<__m128i>();
                    let left = t.left.as_ptr().add(segment * t.segment_stride);
                    let rows: [_; FOUR] = std::array::from_fn(|r| left.add(t.starts[first + r]));
                    for step in 0..t.steps {
                        let b = [
                            _mm256_cvtepi8_epi16(_mm_loadu_si128(right)),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128(right.add(1))),
                        ];
                        right = right.wrapping_byte_add(width);
                        for r in 0..FOUR {
                            let four = rows[r].add(step * t.step_stride).cast::<i32>();
                            let a = _mm256_cvtepu8_epi16(_mm_set1_epi32(four.read_unaligned()));
                            for (sum, b) in sums[r].iter_mut().zip(b) {
                                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(a, b));
                            }
                        }
                    }
                }
            }
            for (row, out) in sums
                .iter()
                .zip(out.0[first * WIDTH..].chunks_exact_mut(WIDTH))
            {
                // Adding neighbours leaves columns 0 1 4 5 2 3 6 7.
                let sum = _mm256_hadd_epi32(row[0], row[1]);
                let sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(sum);
                let out = &mut out[half * LANES..][..LANES];
                // SAFETY: the slice has a register's eight places.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtepi32_ps(sum)) };
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
