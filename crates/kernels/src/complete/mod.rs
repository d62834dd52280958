//! The steps after a tile's sums: scaling of codes, bias, residual connection, activation,
//! rounding. In plain loops, and with AVX-512 in registers.

#![allow(
    unsafe_code,
    reason = "enters the instruction set's file, once it is known to be there"
)]

#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::exp2;

use std::ops::Range;

use half::bf16;

use crate::activation::{Activation, activate};
use crate::buffer::Rectangle;
use crate::element::Float;
use crate::isa::Isa;
use crate::row::Scale;
use crate::tile::{ROWS, Sums, UNIT, UNITS};
use crate::vectorised::vectorised;

/// A value for each column of a tile.
pub(crate) type ByColumn = [f32; UNITS * UNIT];

/// The steps after a tile's sums, in this order, and the place of the result.
pub(crate) struct Completion<'a, 'm, O> {
    /// For sums of codes: each row's scale, each column's, and each column's scaled sum of
    /// weights. A sum stands for `scale · column's scale · sum − scale · zero · column's sum`.
    pub(crate) codes: Option<(&'a [Scale], [&'a ByColumn; 2])>,
    pub(crate) bias: &'a ByColumn,
    /// Whether to add to what the result holds.
    pub(crate) accumulate: bool,
    pub(crate) activation: Option<Activation>,
    pub(crate) out: &'a mut Rectangle<'m, O>,
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

impl<O> Completion<'_, '_, O> {
    /// # Panics
    /// If it is no tile's.
    fn check(&self) {
        assert!(self.rows.len() <= ROWS && self.columns.len() <= UNITS * UNIT);
        assert!(
            self.codes
                .is_none_or(|(rows, _)| rows.len() == self.rows.len())
        );
    }
}

/// Completes and stores sums, in f32.
pub(crate) fn f32(isa: Isa, sums: &mut Sums, c: Completion<f32>) {
    c.check();
    match isa {
        // SAFETY: the CPU has AVX-512.
        #[cfg(target_arch = "x86_64")]
        isa if isa >= Isa::Avx512 => unsafe { avx512::f32(sums, c) },
        _ => plain(isa, sums, c),
    }
}

/// Completes and stores sums, in bf16.
pub(crate) fn bf16(isa: Isa, sums: &mut Sums, c: Completion<bf16>) {
    c.check();
    match isa {
        // SAFETY: the CPU has AVX-512 with bf16.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 => unsafe { avx512::bf16(sums, c) },
        _ => plain(isa, sums, c),
    }
}

/// The twin in plain loops.
fn plain<O: Float>(isa: Isa, sums: &mut Sums, c: Completion<O>) {
    let n = c.columns.len();
    let units = n.div_ceil(UNIT);
    let mut before = Sums::default();
    if c.accumulate {
        for (r, row) in c.rows.clone().enumerate() {
            let out = c.out.row(row, c.columns.clone());
            O::widen(isa, out, before.values(r, n));
        }
    }
    if let Some((rows, columns)) = c.codes {
        rescale(isa, sums, units, rows, columns);
    }
    finish(isa, sums, &before, [c.rows.len(), units], c.bias);
    if let Some(activation) = c.activation {
        activate_rows(isa, sums, [c.rows.len(), units], activation);
    }
    for (r, row) in c.rows.enumerate() {
        O::narrow(isa, sums.values(r, n), c.out.row(row, c.columns.clone()));
    }
}

vectorised! {
    fn rescale(sums: &mut Sums, units: usize, rows: &[Scale], columns: [&ByColumn; 2]) {
        let [scales, weights] = columns.map(|c| c.as_chunks::<UNIT>().0);
        for (r, row) in rows.iter().enumerate() {
            let sums = sums.row_mut(r, units);
            for (sums, (scale, weight)) in sums.iter_mut().zip(scales.iter().zip(weights)) {
                for i in 0..UNIT {
                    sums[i] = sums[i] * (row.scale * scale[i]) - row.scale * row.zero * weight[i];
                }
            }
        }
    }
}

vectorised! {
    fn finish(sums: &mut Sums, before: &Sums, shape: [usize; 2], bias: &ByColumn) {
        let [rows, units] = shape;
        let (bias, _) = bias.as_chunks::<UNIT>();
        for r in 0..rows {
            let row = sums.row_mut(r, units).iter_mut();
            for (values, (bias, before)) in row.zip(bias.iter().zip(before.row(r, units))) {
                for i in 0..UNIT {
                    values[i] += bias[i] + before[i];
                }
            }
        }
    }
}

vectorised! {
    fn activate_rows(sums: &mut Sums, shape: [usize; 2], activation: Activation) {
        let [rows, units] = shape;
        for r in 0..rows {
            activate(activation, sums.row_mut(r, units).as_flattened_mut());
        }
    }
}
