//! Operations on a row of a Transformer's activations: layer norm, softmax, rounding to eight bits.
//! In plain loops, and with AVX-512.

#![allow(
    unsafe_code,
    reason = "enters the instruction set's file, once it is known to be there"
)]

#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::element::{Float, Slice, SliceMut};
use crate::isa::Isa;
use crate::math::exp;
use crate::vectorised::vectorised;

/// Lanes that sums are taken in: with a fixed order that vectorises.
const LANES: usize = 64;

/// A row's range, zero included, and mean absolute value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) lowest: f32,
    pub(crate) highest: f32,
    pub(crate) mean: f32,
}

/// Scale and zero of a row's codes: `x ≈ scale · (code − zero)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scale {
    pub(crate) scale: f32,
    pub(crate) zero: f32,
}

impl Range {
    /// The scale whose codes, 0 to 255, cover the range. For −1 … 4.1 it is 0.02, with zero 50. It
    /// is NaN, and so are then the results, if the values are not all finite, or so large that
    /// their sum is not.
    pub(crate) fn scale(&self) -> Scale {
        // Outliers are divided by the scale, so it must not be too small beside the mean.
        let least = f32::MIN_POSITIVE.max(self.mean / (1u64 << 40) as f32);
        let scale = if self.mean.is_finite() {
            ((self.highest - self.lowest) / 255.0).max(least)
        } else {
            f32::NAN
        };
        Scale {
            scale,
            zero: (-self.lowest / scale).round_ties_even(),
        }
    }
}

/// Normalises a row, then scales and shifts it: `(x − mean) / √(variance + ε) · weight + bias`.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn normalise(isa: Isa, epsilon: f32, x: &[f32], by: [&[f32]; 2], out: &mut [f32]) {
    assert!(by.map(<[f32]>::len) == [x.len(); 2] && out.len() == x.len());
    match isa {
        // SAFETY: the CPU has AVX-512, and the lengths are equal.
        #[cfg(target_arch = "x86_64")]
        isa if isa >= Isa::Avx512 => unsafe { avx512::normalise(epsilon, x, by, out) },
        _ => crate::layer_norm::forward(isa, epsilon, x, by[0], by[1], out),
    }
}

/// Sets `shares` to the softmax of the first `reach` scores of a row, scaled, and to zero for the
/// others. The scores are lost.
///
/// # Panics
/// If there are not so many scores, or shares, or not whole units of sixteen.
pub(crate) fn softmax<F: Float>(
    isa: Isa,
    scale: f32,
    reach: usize,
    row: &mut [f32],
    shares: &mut [F],
) {
    assert!(row.len() == shares.len() && row.len().is_multiple_of(16) && reach <= row.len());
    match F::slice_mut(shares) {
        // SAFETY: the CPU has AVX-512, and the lengths are as they must be.
        #[cfg(target_arch = "x86_64")]
        SliceMut::F32(shares) if isa >= Isa::Avx512 => unsafe {
            avx512::softmax(scale, reach, row, shares);
        },
        // SAFETY: as above, and the CPU has AVX512-BF16.
        #[cfg(target_arch = "x86_64")]
        SliceMut::Bf16(shares) if isa == Isa::Avx512Bf16 => unsafe {
            avx512::softmax_bf16(scale, reach, row, shares);
        },
        _ => {
            let (reached, beyond) = row.split_at_mut(reach);
            softmax_plain(isa, scale, reached);
            beyond.fill(0.0);
            F::narrow(isa, row, shares);
        }
    }
}

/// The range of a row's values that are within ±`bound`, and all values' mean magnitude.
pub(crate) fn range<F: Float>(isa: Isa, row: &[F], bound: f32) -> Range {
    match F::slice(row) {
        // SAFETY: the CPU has AVX-512.
        #[cfg(target_arch = "x86_64")]
        Slice::F32(row) if isa >= Isa::Avx512 => unsafe { avx512::range(row, bound) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Slice::Bf16(row) if isa >= Isa::Avx512 => unsafe { avx512::range_bf16(row, bound) },
        _ => {
            let mut found = Range::default();
            range_plain(isa, row, bound, &mut found);
            found
        }
    }
}

/// Rounds a row to codes.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn encode<F: Float>(isa: Isa, scale: Scale, row: &[F], codes: &mut [u8]) {
    assert_eq!(row.len(), codes.len());
    match F::slice(row) {
        // SAFETY: the CPU has AVX-512, and the lengths are equal.
        #[cfg(target_arch = "x86_64")]
        Slice::F32(row) if isa >= Isa::Avx512 => unsafe { avx512::encode(scale, row, codes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Slice::Bf16(row) if isa >= Isa::Avx512 => unsafe {
            avx512::encode_bf16(scale, row, codes);
        },
        _ => encode_plain(isa, scale, row, codes),
    }
}

/// [`softmax`] of a whole row in plain loops, within a loop that is compiled for each instruction
/// set.
#[inline(always)]
pub(crate) fn soften(scale: f32, row: &mut [f32]) {
    const LANES: usize = 16;
    let mut highest = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (h, &s) in highest.iter_mut().zip(chunk) {
            *h = if s > *h { s } else { *h };
        }
    }
    let highest = rest
        .iter()
        .chain(&highest)
        .fold(f32::NEG_INFINITY, |h, &s| if s > h { s } else { h });
    for s in row.iter_mut() {
        *s = exp((*s - highest) * scale);
    }
    let mut sums = [0f32; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (sum, s) in sums.iter_mut().zip(chunk) {
            *sum += s;
        }
    }
    let sum: f32 = sums.iter().chain(rest).sum();
    let inverse = 1.0 / sum;
    for s in row.iter_mut() {
        *s *= inverse;
    }
}

vectorised! {
    fn softmax_plain(scale: f32, row: &mut [f32]) {
        soften(scale, row);
    }
}

vectorised! {
    fn range_plain<F: Float>(row: &[F], bound: f32, found: &mut Range) {
        let (mut low, mut high, mut sum) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        let (whole, rest) = row.as_chunks::<LANES>();
        let mut end = [F::default(); LANES];
        end[..rest.len()].copy_from_slice(rest);
        for chunk in whole.iter().chain([&end]) {
            for i in 0..LANES {
                let x = chunk[i].value();
                sum[i] += x.abs();
                let x = if x.abs() <= bound { x } else { 0.0 };
                low[i] = if x < low[i] { x } else { low[i] };
                high[i] = if x > high[i] { x } else { high[i] };
            }
        }
        found.lowest = low.iter().fold(0.0, |a, &b| if b < a { b } else { a });
        found.highest = high.iter().fold(0.0, |a, &b| if b > a { b } else { a });
        found.mean = sum.iter().sum::<f32>() / row.len() as f32;
    }
}

vectorised! {
    /// Adds the places of a row's values that are beyond ±`bound` to `places`.
    pub(crate) fn beyond<F: Float>(row: &[F], bound: f32, places: &mut Vec<usize>) {
        for (i, part) in row.chunks(LANES).enumerate() {
            // Counts them without a branch for each value; most parts have none.
            if part.iter().map(|x| usize::from(x.value().abs() > bound)).sum::<usize>() > 0 {
                let of_part = (0..part.len()).filter(|&k| part[k].value().abs() > bound);
                places.extend(of_part.map(|k| i * LANES + k));
            }
        }
    }
}

vectorised! {
    fn encode_plain<F: Float>(scale: Scale, row: &[F], codes: &mut [u8]) {
        let inverse = 1.0 / scale.scale;
        for (code, x) in codes.iter_mut().zip(row) {
            let x = x.value() * inverse + scale.zero;
            let x = if x > 0.0 { x } else { 0.0 };
            let x = if x < 255.0 { x } else { 255.0 };
            // 2²³ leaves the nearest integer in the low bits.
            *code = (x + 8_388_608.0).to_bits() as u8;
        }
    }
}
