//! Results that are filled in parallel, each part by the thread that computes it.
//!
//! A vector of zeros from the allocator is written once by one thread, then again by the others; for
//! the maps of a convolution that first pass took as long as the arithmetic.
#![allow(
    unsafe_code,
    reason = "hands out memory before it is a vector of values"
)]

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// A vector of `len` values, of which `f` gets each part of up to `part` with the place of its first.
/// A part holds zeros when `f` gets it.
pub(crate) fn fill(len: usize, part: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    fill_and(len, part, f).0
}

/// [`fill`], and what `f` returned for the parts, in order.
pub(crate) fn fill_and<R: Send>(
    len: usize,
    part: usize,
    f: impl Fn(usize, &mut [f32]) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    let part = part.max(1);
    let mut values = Box::<[f32]>::new_uninit_slice(len);
    let parts = values.par_chunks_mut(part).enumerate();
    let returned = parts.map(|(i, out)| f(i * part, zeroed(out))).collect();
    // SAFETY: the parts cover the slice, and `zeroed` has written every value of each.
    (unsafe { values.assume_init() }.into_vec(), returned)
}

/// Writes zeros, while the part is about to be in cache anyway.
fn zeroed(out: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    for value in out.iter_mut() {
        value.write(0.0);
    }
    // SAFETY: every value has been written, and the types have one layout.
    unsafe { &mut *(std::ptr::from_mut(out) as *mut [f32]) }
}
