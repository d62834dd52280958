//! Elementary functions that the vectoriser can take apart: no branch, no table, no call.
#![allow(clippy::excessive_precision, reason = "the sources' digits")]

/// `exp(x)` within 2 units in the last place; 0 and the largest finite powers at the ends.
///
/// Source: the reduction and polynomial of `expf` in Cephes (Moshier), `x = n ln 2 + r`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Not `clamp`, which keeps NaN but is written with branches; NaN passes through the polynomial.
    let bounded = if x > 88.0 { 88.0 } else { x };
    let bounded = if bounded < -87.0 { -87.0 } else { bounded };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * 0.693_359_375 + n * 2.121_944_40e-4;
    let mut p = 1.987_569_150_0e-4;
    for c in [
        1.398_199_950_7e-3,
        8.333_451_907_3e-3,
        4.166_579_589_4e-2,
        1.666_666_545_9e-1,
        5.000_000_120_1e-1,
    ] {
        p = p * r + c;
    }
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let value = (p * r * r + r + 1.0) * scale;
    if x < -87.0 { 0.0 } else { value }
}

/// The polynomials P and Q of the error function's approximation `x P(x²) / Q(x²)` on −4 … 4, from
/// the highest power.
///
/// Source: Eigen's and XLA's `erf` in f32.
pub(crate) const ERF_ABOVE: [f32; 7] = [
    -2.726_142_258_013_06e-10,
    2.770_681_424_959_02e-8,
    -2.101_024_020_828_06e-6,
    -5.692_506_394_623_46e-5,
    -7.349_906_303_268_55e-4,
    -2.954_599_808_540_25e-3,
    -1.609_603_332_624_15e-2,
];
pub(crate) const ERF_BELOW: [f32; 5] = [
    -1.456_607_184_649_96e-5,
    -2.133_740_552_789_05e-4,
    -1.682_826_974_382_03e-3,
    -7.373_329_167_204_68e-3,
    -1.426_473_905_141_89e-2,
];

/// The error function, within 5e-7; beyond −4 … 4 it is ±1.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let s = x * x;
    let polynomial = |coefficients: &[f32]| {
        let (first, rest) = (coefficients[0], &coefficients[1..]);
        rest.iter().fold(first, |p, c| p * s + c)
    };
    let (p, q) = (polynomial(&ERF_ABOVE), polynomial(&ERF_BELOW));
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz & Stegun 7.1.6 as a series in f64, exact enough for |x| ≤ 5.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
    }

    #[test]
    fn elementary_functions_are_accurate() {
        for i in -5_000..=5_000 {
            let x = i as f32 * 1e-3;
            let error = (f64::from(erf(x)) - erf_series(f64::from(x))).abs();
            assert!(error < 5e-7, "erf({x}) is off by {error}");
            let x = i as f32 * 17e-3;
            let want = f64::from(x).exp();
            let error = (f64::from(exp(x)) / want - 1.0).abs();
            assert!(error < 2.5e-7, "exp({x}) is off by {error}");
        }
        assert_eq!((exp(-1e4), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && erf(f32::NAN).is_nan());
    }
}
