//! The softmax of scores.

use crate::math::exp;

/// Sums are taken in so many lanes: with a fixed order that vectorises.
const LANES: usize = 16;

/// The softmax of a row of scores, scaled, within a loop that is compiled for each instruction set.
#[inline(always)]
pub(super) fn softmax(scale: f32, row: &mut [f32]) {
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
