//! Eight bits at their ends: the largest sums, the smallest scales, values that are not finite,
//! codes that layer norm made.

use super::values;
use crate::Rounding;
use crate::isa::Isa;
use crate::linear::{Linear, Packing, Then};
use crate::row;
use crate::rows::{Normed, Rows};

#[test]
fn the_largest_sums_of_codes_fit() {
    let inputs = crate::INT8_INPUTS;
    let mut x = vec![255.0f32; inputs];
    x[0] = 0.0;
    let weight = vec![-127.0f32; inputs];
    let layer = Linear::new(&weight, &[], inputs, Packing::Int8);
    let want = -127.0 * 255.0 * (inputs - 1) as f32;
    for isa in Isa::all() {
        let mut got = [0f32];
        layer.apply_as(isa, &x, &mut got[..], Then::Store);
        assert!(
            (got[0] / want - 1.0).abs() < 1e-6,
            "{isa:?}: {} {want}",
            got[0]
        );
    }
}

#[test]
fn tiny_values_beside_large_ones_are_finite_in_eight_bits() {
    let layer = Linear::new(&[1.0; 32], &[], 32, Packing::Int8);
    for (large, tiny) in [(0.0, 1e-45), (1.0, 1e-38), (1e30, 1e-30), (0.0, 0.0)] {
        let mut x = [0f32; 32];
        (x[3], x[20]) = (large, tiny);
        for isa in Isa::all() {
            let mut got = [f32::NAN];
            layer.apply_as(isa, &x, &mut got[..], Then::Store);
            assert!(
                (got[0] - large).abs() <= large * 0.01 + 1e-37,
                "{isa:?} {large} {tiny}: {got:?}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "the codes' inputs")]
fn codes_of_another_width_are_refused() {
    let mut normed = Normed::new(Rounding::F32, Packing::Int8);
    crate::layer_norm_into(1e-5, &[1.0; 8], &[1.0; 8], &[0.0; 8], &mut normed);
    let layer = Linear::new(&[1.0; 7], &[], 7, Packing::Int8);
    layer.apply(&normed, &mut [0f32][..], Then::Store);
}

#[test]
fn values_that_are_not_finite_stay_so_in_eight_bits() {
    let layer = Linear::new(&[1.0, 2.0, 3.0, f32::NAN], &[], 2, Packing::Int8);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for isa in Isa::all() {
            let mut got = [0f32; 4];
            layer.apply_as(isa, &[1.0, bad, 1.0, 1.0], &mut got[..], Then::Store);
            assert!(
                got[0].is_nan() && got[3].is_nan(),
                "{isa:?}, {bad}: {got:?}"
            );
            assert!((got[2] - 3.0).abs() < 0.05, "{isa:?}: {got:?}");
        }
    }
}

#[test]
fn layers_read_codes_that_layer_norm_made_as_they_read_their_own() {
    let (rows, width, outputs) = (37, 48, 20);
    let mut x = values(rows * width, 1);
    x[5 * width + 3] = 400.0; // stands out of its row
    let (gain, shift) = (values(width, 2), values(width, 3));
    let weight = values(outputs * width, 4);
    let layer = Linear::new(&weight, &[], width, Packing::Int8);
    let mut normed = Normed::new(Rounding::F32, Packing::Int8);
    crate::layer_norm_into(1e-5, &x, &gain, &shift, &mut normed);
    assert_eq!(normed.len(), x.len());
    let mut got = vec![0f32; rows * outputs];
    layer.apply(&normed, &mut got, Then::Store);
    let mut by_row = vec![0f32; x.len()];
    for (x, out) in x.chunks_exact(width).zip(by_row.chunks_exact_mut(width)) {
        row::normalise(Isa::current(), 1e-5, x, [&gain, &shift], out);
    }
    let mut want = vec![0f32; rows * outputs];
    layer.apply(&Rows::of(Rounding::F32, &by_row), &mut want, Then::Store);
    assert_eq!(got, want);
    // Some rows alone, the one that a value stands out of among them.
    let kept = [2, 5, 6, 36];
    normed.keep(width, &kept);
    let mut got = vec![0f32; kept.len() * outputs];
    layer.apply(&normed, &mut got, Then::Store);
    let some = kept
        .iter()
        .flat_map(|row| &want[row * outputs..(row + 1) * outputs]);
    assert_eq!(got, some.copied().collect::<Vec<_>>());
}
