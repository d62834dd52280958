//! Operations on rows, on every instruction set against the scalar twin, and rows as they are kept.

use half::bf16;
use proptest::prelude::*;

use super::inference::read;
use super::values;
use crate::Rounding;
use crate::element::Float;
use crate::isa::Isa;
use crate::row::{self, Range};
use crate::rows::{Data, Rows};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_the_same_on_every_instruction_set(len in 1..300usize, reach in 0..300usize, scale in 0.01..3f32, bound in 1..12u32) {
        let bound = bound as f32;
        let x: Vec<f32> = values(len, 1).iter().map(|v| v * 9.0).collect();
        let narrow: Vec<bf16> = x.iter().map(|v| bf16::from_f32(*v)).collect();
        let (weight, bias) = (values(len, 2), values(len, 3));
        let reach = 1 + reach % len;
        let run = |isa| {
            let mut normed = vec![0f32; len];
            row::normalise(isa, 1e-5, &x, [&weight, &bias], &mut normed);
            let padded = len.next_multiple_of(16);
            let (mut scores, mut shares) = (x.clone(), vec![f32::NAN; padded]);
            scores.resize(padded, 100.0);
            let (mut again, mut rounded) = (scores.clone(), vec![bf16::NAN; padded]);
            row::softmax(isa, scale, reach, &mut scores, &mut shares);
            row::softmax(isa, scale, reach, &mut again, &mut rounded);
            for (share, rounded) in shares.iter().zip(&rounded) {
                assert!((share - rounded.to_f32()).abs() <= share / 200.0);
            }
            let ranges = [row::range(isa, &x, bound), row::range(isa, &narrow, bound)];
            let mut codes = [vec![0u8; len], vec![0u8; len]];
            row::encode(isa, ranges[0].scale(), &x, &mut codes[0]);
            row::encode(isa, ranges[1].scale(), &narrow, &mut codes[1]);
            let mut beyond = Vec::new();
            row::beyond(isa, &x, bound, &mut beyond);
            assert_eq!(beyond, (0..len).filter(|&i| x[i].abs() > bound).collect::<Vec<_>>());
            (normed, shares, ranges, codes)
        };
        let want = run(Isa::Scalar);
        prop_assert!((want.1.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        prop_assert!(want.1[reach..].iter().all(|&share| share == 0.0));
        for isa in Isa::all() {
            let got = run(isa);
            for (got, want) in got.0.iter().zip(&want.0).chain(got.1.iter().zip(&want.1)) {
                prop_assert!((got - want).abs() <= 2e-6 + want.abs() * 3e-5, "{isa:?} {got} {want}");
            }
            for (got, want) in got.2.iter().zip(&want.2) {
                prop_assert_eq!((got.lowest, got.highest), (want.lowest, want.highest));
                prop_assert!((got.mean - want.mean).abs() <= want.mean * 1e-5);
            }
            prop_assert_eq!(&got.3, &want.3, "{:?}", isa);
        }
    }
}

#[test]
fn rows_of_zeros_and_of_one_sign_have_codes() {
    assert_eq!(Range::default().scale().zero, 0.0);
    for isa in Isa::all() {
        for sign in [1.0, -1.0, 0.0] {
            let x: Vec<f32> = (0..50).map(|i| sign * (10.0 + i as f32)).collect();
            let mut codes = vec![7; 50];
            let scale = row::range(isa, &x, f32::INFINITY).scale();
            row::encode(isa, scale, &x, &mut codes);
            for (code, x) in codes.iter().zip(&x) {
                let got = scale.scale * (f32::from(*code) - scale.zero);
                assert!((got - x).abs() <= scale.scale, "{isa:?}: {got}, wanted {x}");
            }
        }
    }
}

#[test]
fn rows_keep_what_they_are_given() {
    for rounding in [Rounding::F32, Rounding::Bf16] {
        let given: Vec<f32> = (0..40_000).map(|i| (i % 200) as f32).collect();
        let mut rows = Rows::of(rounding, &given);
        assert_eq!((rows.len(), rows.rounding()), (given.len(), rounding));
        assert_eq!(read(&rows), given);
        rows.keep(200, &[1, 3, 199]);
        assert_eq!(read(&rows), given[..600]);
        assert!(matches!(rows.0, Data::F32(_)) == (rounding == Rounding::F32));
        assert_eq!(bf16::value(bf16::of(3.0)), 3.0);
    }
}
