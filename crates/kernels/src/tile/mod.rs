//! One tile of a product: up to eight rows by up to 48 columns, summed in registers.
//!
//! The left factor is read in place, wherever its rows lie, so a convolution needs no gathered
//! copy; the right factor is packed. One file per instruction set, and the scalar twin here.

#![allow(
    unsafe_code,
    reason = "enters the instruction sets' files, once bounds are checked"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::mask;

use half::bf16;

use crate::element::Element;
use crate::isa::Isa;

/// Most rows of a tile.
pub(crate) const ROWS: usize = 8;

/// Most rows of a tile with this instruction set's registers.
pub(crate) fn rows(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::SIX,
        _ => ROWS,
    }
}

/// Columns come in units of the widest register.
pub(crate) const UNIT: usize = 16;

/// Units of a tile. Three by eight rows fill 24 of AVX-512's 32 registers with sums.
pub(crate) const UNITS: usize = 3;

/// The factors of one tile, and where its result goes.
///
/// Row `r`, step `s` of segment `g` of the left factor is the `STEP` values of `left` from
/// `starts[r] + g · segment_stride + s · step_stride`. The right factor's steps follow each other,
/// each with `STEP` values for every one of `units · UNIT` columns.
pub(crate) struct Tile<'a, E: Element> {
    pub(crate) left: &'a [E],
    pub(crate) starts: [usize; ROWS],
    pub(crate) segments: usize,
    pub(crate) segment_stride: usize,
    pub(crate) steps: usize,
    pub(crate) step_stride: usize,
    pub(crate) right: &'a [E::Right],
    pub(crate) units: usize,
    /// Rows that are computed, from the first.
    pub(crate) rows: usize,
}

/// A tile's result, `ROWS` rows of `UNITS` units. Values beyond the tile's own rows and units mean
/// nothing.
#[repr(align(64))]
pub(crate) struct Sums([f32; ROWS * WIDTH]);

/// Columns of [`Sums`].
const WIDTH: usize = UNITS * UNIT;

impl Default for Sums {
    fn default() -> Self {
        Self([0.0; ROWS * WIDTH])
    }
}

impl Sums {
    /// The first `columns` sums of a row.
    #[inline(always)]
    pub(crate) fn values(&mut self, row: usize, columns: usize) -> &mut [f32] {
        &mut self.0[row * WIDTH..][..columns]
    }

    /// A unit of a row's sums.
    #[inline(always)]
    pub(crate) fn unit(&self, row: usize, unit: usize) -> &[f32; UNIT] {
        &self.row(row, UNITS)[unit]
    }

    /// A row's sums, in units.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize, units: usize) -> &[[f32; UNIT]] {
        self.0[row * WIDTH..][..units * UNIT].as_chunks().0
    }

    /// [`Sums::row`] to change.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, row: usize, units: usize) -> &mut [[f32; UNIT]] {
        self.values(row, units * UNIT).as_chunks_mut().0
    }
}

impl<E: Element> Tile<'_, E> {
    /// Checks every bound that the kernels rely on.
    ///
    /// # Panics
    /// If one is broken; that is a mistake of this crate.
    fn check(&self, isa: Isa) {
        assert!((1..=rows(isa)).contains(&self.rows) && (1..=UNITS).contains(&self.units));
        // Wrapped sizes would pass for small ones.
        let size = |a: usize, b: usize| a.checked_mul(b).expect("a tile's size");
        let sum = |a: usize, b: usize| a.checked_add(b).expect("a tile's size");
        // A segment without steps would have a place to read from, and nothing to hold it against.
        assert!(self.steps > 0 || self.segments == 0);
        let steps = size(self.segments, self.steps);
        assert!(self.right.len() >= size(steps, self.units * UNIT * E::STEP));
        if self.segments > 0 && self.steps > 0 {
            let segments = size(self.segments - 1, self.segment_stride);
            let reach = sum(segments, size(self.steps - 1, self.step_stride));
            let last = self.starts.iter().max().copied().unwrap_or(0);
            assert!(sum(sum(last, reach), E::STEP) <= self.left.len());
        }
    }
}

/// A tile in f32.
pub(crate) fn f32(isa: Isa, tile: &Tile<f32>, out: &mut Sums) {
    tile.check(isa);
    match isa {
        // SAFETY: the CPU has AVX-512, and `check` has held every index against its slice.
        #[cfg(target_arch = "x86_64")]
        isa if isa >= Isa::Avx512 => unsafe { avx512::f32(tile, out) },
        // SAFETY: the CPU has AVX2 and FMA, and `check` has held every index against its slice.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::f32(tile, out) },
        _ => scalar(tile, out, |sum: f32, a, b| multiply_add(sum, a[0], b[0])),
    }
}

/// A tile in eight bits: the sums are exact up to their rounding to f32.
pub(crate) fn int8(isa: Isa, tile: &Tile<u8>, out: &mut Sums) {
    tile.check(isa);
    // So that sums fit 32 bits: 2¹⁴ steps · 4 · 255 · 127 < 2³¹.
    assert!(
        tile.segments * tile.steps < 1 << 14,
        "too many steps for 32 bits"
    );
    match isa {
        // SAFETY: the CPU has AVX-512 VNNI, and `check` has held every index against its slice.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni | Isa::Avx512Bf16 => unsafe { avx512::int8(tile, out) },
        // SAFETY: the CPU has AVX2, and `check` has held every index against its slice.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { avx2::int8(tile, out) },
        _ => scalar(tile, out, |sum: i32, a, b| {
            let products = a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b));
            sum + products.sum::<i32>()
        }),
    }
}

/// A tile in bf16.
pub(crate) fn bf16(isa: Isa, tile: &Tile<bf16>, out: &mut Sums) {
    tile.check(isa);
    match isa {
        // SAFETY: the CPU has AVX512-BF16, and `check` has held every index against its slice.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => unsafe { avx512::bf16(tile, out) },
        _ => scalar(tile, out, |sum: f32, a, b| {
            let [a, b] = [a, b].map(|pair| [pair[0].to_f32(), pair[1].to_f32()]);
            sum + (a[0] * b[0] + a[1] * b[1])
        }),
    }
}

/// Rounds f32 to bf16, to nearest, ties to even.
pub(crate) fn narrow(isa: Isa, values: &[f32], out: &mut [bf16]) {
    assert_eq!(values.len(), out.len());
    match isa {
        // SAFETY: the CPU has AVX512-BF16, and the slices are equally long.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => unsafe { avx512::narrow(values, out) },
        _ => {
            for (out, value) in out.iter_mut().zip(values) {
                *out = bf16::from_f32(*value);
            }
        }
    }
}

/// Rounds two rows to bf16, value by value in turn.
pub(crate) fn interleave(isa: Isa, [a, b]: [&[f32]; 2], out: &mut [bf16]) {
    assert!(a.len() == b.len() && out.len() == 2 * a.len());
    match isa {
        // SAFETY: the CPU has AVX512-BF16, and the lengths fit each other.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => unsafe { avx512::interleave([a, b], out) },
        _ => {
            for (out, (a, b)) in out.chunks_exact_mut(2).zip(a.iter().zip(b)) {
                out[0] = bf16::from_f32(*a);
                out[1] = bf16::from_f32(*b);
            }
        }
    }
}

/// Multiplies and adds in registers for some microseconds, `step` values at a time, and returns the
/// number of operations. Without instructions for that it does so in f32.
pub(crate) fn spin(isa: Isa, step: usize) -> u64 {
    /// Operations of a loop that keeps `registers` registers of `lanes` products busy.
    const fn operations(registers: u64, lanes: u64) -> u64 {
        2 * ROUNDS as u64 * registers * lanes
    }
    use std::hint::black_box;
    match (isa, step) {
        // SAFETY: the CPU has AVX512-BF16.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512Bf16, 2) => unsafe {
            black_box(avx512::spin_bf16(black_box(0.5)));
            operations(avx512::SPINNING, 32)
        },
        // SAFETY: the CPU has AVX-512 VNNI.
        #[cfg(target_arch = "x86_64")]
        (isa, 4) if isa >= Isa::Avx512Vnni => unsafe {
            black_box(avx512::spin_int8(black_box(1)));
            operations(avx512::SPINNING, 64)
        },
        // SAFETY: the CPU has AVX-512.
        #[cfg(target_arch = "x86_64")]
        (isa, _) if isa >= Isa::Avx512 => unsafe {
            black_box(avx512::spin(black_box(0.5)));
            operations(avx512::SPINNING, 16)
        },
        // SAFETY: the CPU has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => unsafe {
            black_box(avx2::spin(black_box(0.5)));
            operations(avx2::SPINNING, 8)
        },
        _ => {
            let x = black_box(0.5f32);
            let mut sums = [0f32; 16];
            for _ in 0..ROUNDS {
                sums.iter_mut().for_each(|sum| *sum = *sum * x + x);
            }
            black_box(sums);
            operations(16, 1)
        }
    }
}

/// Rounds of [`spin`].
const ROUNDS: usize = 10_000;

/// The type that a tile sums in.
trait Sum: Copy + Default {
    fn rounded(self) -> f32;
}

impl Sum for f32 {
    fn rounded(self) -> f32 {
        self
    }
}

impl Sum for i32 {
    fn rounded(self) -> f32 {
        self as f32
    }
}

/// The scalar twin: sums step by step, in order, two rows and one unit at a time, which a compiler
/// can keep in registers of any width. CPUs that have no file here run it.
fn scalar<E: Element, S: Sum>(
    t: &Tile<E>,
    out: &mut Sums,
    add: impl Fn(S, &[E], &[E::Right]) -> S,
) {
    /// Rows at a time: with more, SSE2's registers do not suffice.
    const TOGETHER: usize = 2;
    let width = t.units * UNIT * E::STEP;
    for (group, out) in out.0.chunks_mut(TOGETHER * WIDTH).enumerate() {
        let first = group * TOGETHER;
        if first >= t.rows {
            break;
        }
        for unit in 0..t.units {
            let mut sums = [[S::default(); UNIT]; TOGETHER];
            for segment in 0..t.segments {
                let rows: [_; TOGETHER] = std::array::from_fn(|r| {
                    &t.left[t.starts[first + r] + segment * t.segment_stride..]
                });
                let right = &t.right[segment * t.steps * width..][..t.steps * width];
                for (step, right) in right.chunks_exact(width).enumerate() {
                    let right = &right[unit * UNIT * E::STEP..][..UNIT * E::STEP];
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let a = &row[step * t.step_stride..][..E::STEP];
                        for (sum, b) in sums.iter_mut().zip(right.chunks_exact(E::STEP)) {
                            *sum = add(*sum, a, b);
                        }
                    }
                }
            }
            for (sums, out) in sums.iter().zip(out.chunks_exact_mut(WIDTH)) {
                let out = &mut out[unit * UNIT..(unit + 1) * UNIT];
                out.iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out = sum.rounded());
            }
        }
    }
}

/// `sum + a b`, in one rounding where every CPU of the architecture can.
fn multiply_add(sum: f32, a: f32, b: f32) -> f32 {
    if cfg!(target_arch = "aarch64") {
        a.mul_add(b, sum)
    } else {
        sum + a * b
    }
}
