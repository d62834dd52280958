//! The steps after a tile's sums, with AVX-512: scaling of codes, bias, residual connection,
//! activation, rounding.
//!
//! Invariant: entered only from `complete/mod.rs`, after the choice of the instruction set.
#![allow(
    unsafe_code,
    reason = "intrinsics and raw loads; every pointer is a slice's, and masks keep to its length"
)]

use std::arch::x86_64::*;

use half::bf16;

use super::{ByColumn, Completion};
use crate::activation::{Activation, CUBIC, SLOPE};
use crate::math::{ERF_ABOVE, ERF_BELOW};
use crate::tile::{Sums, UNIT, UNITS};

/// Defines a function that completes a tile's sums and stores them in a format.
///
/// `$load` reads and `$some` stores the values where a mask is set; `$store` stores a whole unit,
/// since values that were stored with a mask take long to be read again. They are part of the
/// function, so that they are compiled for its instructions. If `$coarse`, which is for a format
/// whose rounding hides it, QuickGELU and GELU by tanh may be off by 2⁻¹² of their value.
macro_rules! complete {
    ($(#[$doc:meta])* $name:ident, $kind:ty, $features:literal, $coarse:literal, $load:expr, $store:expr, $some:expr) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(sums: &Sums, c: Completion<$kind>) {
            /// With an activation.
            ///
            /// # Safety
            /// That of the whole.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn rows(sums: &Sums, c: Completion<$kind>, activate: impl Fn(__m512) -> __m512) {
                let columns = c.columns.len();
                let units = columns.div_ceil(UNIT);
                let bias = by_unit(c.bias);
                let codes = c.codes.map(|(rows, columns)| (rows, columns.map(|c| by_unit(c))));
                for (r, row) in c.rows.enumerate() {
                    let out = c.out.row(row, c.columns.clone());
                    for u in 0..units {
                        let mask = crate::tile::mask(columns - u * UNIT);
                        let to = out[u * UNIT..].as_mut_ptr();
                        // SAFETY: a unit is a register; the mask keeps to the row of the result.
                        let mut x = unsafe { _mm512_loadu_ps(sums.unit(r, u).as_ptr()) };
                        match &codes {
                            Some((rows, [scales, weights])) => {
                                let scale = _mm512_set1_ps(rows[r].scale);
                                let zero = _mm512_set1_ps(rows[r].scale * rows[r].zero);
                                x = _mm512_fmadd_ps(x, _mm512_mul_ps(scale, scales[u]), bias[u]);
                                x = _mm512_fnmadd_ps(zero, weights[u], x);
                            }
                            None => x = _mm512_add_ps(x, bias[u]),
                        }
                        if c.accumulate {
                            // SAFETY: as above.
                            x = _mm512_add_ps(x, unsafe { $load(to, mask) });
                        }
                        // SAFETY: as above; a mask that is all set has a whole unit.
                        unsafe {
                            match mask {
                                __mmask16::MAX => $store(to, activate(x)),
                                _ => $some(to, mask, activate(x)),
                            }
                        }
                    }
                }
            }

            // SAFETY: handed on from the caller.
            unsafe {
                match c.activation {
                    None => rows(sums, c, |x| x),
                    Some(Activation::Relu) => rows(sums, c, |x| relu(x)),
                    Some(Activation::QuickGelu) => rows(sums, c, |x| quick_gelu::<$coarse>(x)),
                    Some(Activation::GeluTanh) => rows(sums, c, |x| gelu_tanh::<$coarse>(x)),
                    Some(Activation::Gelu) => rows(sums, c, |x| gelu(x)),
                }
            }
        }
    };
}

complete! {
    /// Completes a tile's sums and stores them in f32.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ and VL.
    f32, f32, "avx512f,avx512bw,avx512dq,avx512vl", false,
    |from: *mut f32, mask| _mm512_maskz_loadu_ps(mask, from),
    |to: *mut f32, x| _mm512_storeu_ps(to, x),
    |to: *mut f32, mask, x| _mm512_mask_storeu_ps(to, mask, x)
}

complete! {
    /// Completes a tile's sums and stores them in bf16.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL and BF16.
    bf16, bf16, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16", true,
    |from: *mut bf16, mask| {
        let x = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.cast()));
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x))
    },
    |to: *mut bf16, x| {
        let x = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
        _mm256_storeu_si256(to.cast(), x);
    },
    |to: *mut bf16, mask, x| {
        let x = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x));
        _mm256_mask_storeu_epi16(to.cast(), mask, x);
    }
}

/// A tile's values by column, in registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn by_unit(values: &ByColumn) -> [__m512; UNITS] {
    // SAFETY: a unit of the array is a register.
    std::array::from_fn(|u| unsafe { _mm512_loadu_ps(values[u * UNIT..].as_ptr()) })
}

/// `max(x, 0)`; NaN passes.
#[inline]
#[target_feature(enable = "avx512f")]
fn relu(x: __m512) -> __m512 {
    let zero = _mm512_setzero_ps();
    _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, zero), zero)
}

/// `2ˣ` within 3 · 10⁻⁷ or, coarsely, 10⁻⁴; 0 and infinity at the ends.
///
/// Coefficients: least largest relative error on −½ … ½, found by reweighted least squares.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn exp2<const COARSE: bool>(x: __m512) -> __m512 {
    let n = _mm512_roundscale_ps::<0>(x);
    let f = _mm512_sub_ps(x, n);
    let coefficients: &[f32] = if COARSE {
        &[0.055_171_255, 0.242_610_38, 0.693_260_97, 0.999_928_1]
    } else {
        &[
            0.001_327_643_9,
            0.009_675_536,
            0.055_507_135,
            0.240_221_2,
            0.693_146_94,
            1.000_000_1,
        ]
    };
    let mut p = _mm512_set1_ps(coefficients[0]);
    for c in &coefficients[1..] {
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*c));
    }
    _mm512_scalef_ps(p, n)
}

/// `a / b` within 10⁻⁷ or, coarsely, 2⁻¹⁴; 0 where `b` is infinite.
#[inline]
#[target_feature(enable = "avx512f")]
fn divide<const COARSE: bool>(a: __m512, b: __m512) -> __m512 {
    if COARSE {
        _mm512_mul_ps(a, _mm512_rcp14_ps(b))
    } else {
        _mm512_div_ps(a, b)
    }
}

/// `x / (1 + 2^e)`.
#[inline]
#[target_feature(enable = "avx512f")]
fn gate<const COARSE: bool>(x: __m512, e: __m512) -> __m512 {
    divide::<COARSE>(x, _mm512_add_ps(_mm512_set1_ps(1.0), exp2::<COARSE>(e)))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn quick_gelu<const COARSE: bool>(x: __m512) -> __m512 {
    let slope = _mm512_set1_ps(-1.702 * std::f32::consts::LOG2_E);
    gate::<COARSE>(x, _mm512_mul_ps(x, slope))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn gelu_tanh<const COARSE: bool>(x: __m512) -> __m512 {
    const LINEAR: f32 = -SLOPE * std::f32::consts::LOG2_E;
    let square = _mm512_mul_ps(x, x);
    let slope = _mm512_set1_ps(LINEAR);
    let slope = _mm512_fmadd_ps(square, _mm512_set1_ps(CUBIC * LINEAR), slope);
    gate::<COARSE>(x, _mm512_mul_ps(x, slope))
}

/// GELU by the error function's approximation in `math`. For large negative `x` it is the
/// difference of nearly equal values, so it has no coarse form; it only multiplies by a refined
/// reciprocal instead of dividing.
#[inline]
#[target_feature(enable = "avx512f")]
fn gelu(x: __m512) -> __m512 {
    let polynomial = |coefficients: &[f32], s: __m512| {
        let mut p = _mm512_set1_ps(coefficients[0]);
        for c in &coefficients[1..] {
            p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(*c));
        }
        p
    };
    let z = _mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::FRAC_1_SQRT_2));
    let z = _mm512_min_ps(_mm512_set1_ps(4.0), z);
    let z = _mm512_max_ps(_mm512_set1_ps(-4.0), z);
    let s = _mm512_mul_ps(z, z);
    let p = polynomial(&ERF_ABOVE, s);
    let q = polynomial(&ERF_BELOW, s);
    // A step of Newton's, from 2⁻¹⁴ to 2⁻²³.
    let inverse = _mm512_rcp14_ps(q);
    let rest = _mm512_fnmadd_ps(q, inverse, _mm512_set1_ps(1.0));
    let inverse = _mm512_fmadd_ps(inverse, rest, inverse);
    let erf = _mm512_mul_ps(_mm512_mul_ps(z, p), inverse);
    let half = _mm512_mul_ps(x, _mm512_set1_ps(0.5));
    _mm512_fmadd_ps(half, erf, half)
}
