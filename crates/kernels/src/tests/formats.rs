//! bf16 and eight bits: every instruction set against the scalar twin, and both against exact
//! arithmetic.

use half::bf16;
use proptest::prelude::*;

use super::inference::{FORMATS, read};
use super::{close, for_each_product, rounded, same, values};
use crate::activation::Activation;
use crate::attention::{Heads, Paths, attend_with};
use crate::convolution::{Convolution, PackedConvolution};
use crate::element::Element;
use crate::isa::Isa;
use crate::linear::{Linear, Packing, Then};
use crate::row;
use crate::rows::Rows;
use crate::tile::{ROWS, Sums, Tile, UNIT};
use crate::{Out, Rounding};

/// Whole numbers −128 … 127, of which each row of `inputs` has both ends: their codes are exact.
fn integers(rows: usize, inputs: usize, seed: u32) -> Vec<f32> {
    let mut all: Vec<f32> = values(rows * inputs, seed)
        .iter()
        .map(|v| (v * 127.0).round())
        .collect();
    for row in all.chunks_exact_mut(inputs) {
        (row[0], row[inputs - 1]) = (-128.0, 127.0);
    }
    all
}

/// `x` `[R, I]` times the transpose of `weight` `[O, I]`, plus `bias`, in f64.
fn product(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
    let mut sums = Vec::new();
    for x in x.chunks_exact(inputs) {
        for (weight, bias) in weight.chunks_exact(inputs).zip(bias) {
            let products = x
                .iter()
                .zip(weight)
                .map(|(x, w)| f64::from(*x) * f64::from(*w));
            sums.push(f64::from(*bias) + products.sum::<f64>());
        }
    }
    sums
}

/// Holds results whose sums are exact to the rounding of a few steps of the largest values.
#[track_caller]
fn exact(got: &[f32], want: &[f64], largest: f64) {
    assert_eq!(got.len(), want.len());
    let bound = 8.0 * largest * f64::from(f32::EPSILON);
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() <= bound,
            "at {i}: {got}, wanted {want}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tiles_of_codes_are_exact_on_every_instruction_set(
        rows in 1..=ROWS, units in 1..=3usize, segments in 1..4usize, steps in 1..40usize,
        stride in 1..4usize, shift in 0..5usize,
    ) {
        let segment_stride = steps * 4 * stride + shift; // of no alignment
        let reach = segments * segment_stride + 7 * rows;
        let left: Vec<u8> = values(reach + 4, 1).iter().map(|v| (v * 128.0 + 128.0) as u8).collect();
        let right: Vec<i8> = values(segments * steps * units * UNIT * 4, 2)
            .iter().map(|v| (v * 127.0) as i8).collect();
        for isa in Isa::all() {
            let rows = rows.min(crate::tile::rows(isa));
            let starts = std::array::from_fn(|r| 7 * r.min(rows - 1));
            let tile = Tile {
                left: &left, starts, segments, segment_stride, steps, step_stride: 4 * stride,
                right: &right, units, rows,
            };
            let mut sums = Sums::default();
            u8::tile(isa, &tile, &mut sums);
            for (r, start) in starts.into_iter().enumerate().take(rows) {
                for c in 0..units * UNIT {
                    let mut want = 0i64;
                    for k in 0..segments * steps * 4 {
                        let (step, i) = (k / 4, k % 4);
                        let place = start + step / steps * segment_stride + step % steps * 4 * stride + i;
                        let w = right[(step * units * UNIT + c) * 4 + i];
                        want += i64::from(left[place]) * i64::from(w);
                    }
                    prop_assert_eq!(sums.unit(r, c / UNIT)[c % UNIT], want as f32, "{:?}", isa);
                }
            }
        }
    }

    #[test]
    fn layers_in_eight_bits_are_exact_where_codes_are(
        rows in 1..40usize, inputs in 2..300usize, outputs in 1..120usize, outliers in 0..9usize,
    ) {
        let mut x = integers(rows, inputs, 1);
        // A few values that stand out, in other places of each row.
        if inputs > 150 {
            for (r, row) in x.chunks_exact_mut(inputs).enumerate() {
                for k in 0..outliers.min(6) {
                    row[1 + (r / 3 + 5 * k) % (inputs - 2)] = 9000.0 + 31.0 * k as f32;
                }
            }
        }
        let mut weight = integers(outputs, inputs, 2);
        weight.iter_mut().for_each(|w| *w = w.max(-127.0)); // each row has 127
        let bias = values(outputs, 3);
        let want = product(&x, &weight, &bias, inputs);
        let layer = Linear::new(&weight, &bias, inputs, Packing::Int8);
        let largest = (inputs * 128 * 128 + 6 * 9200 * 127) as f64;
        for isa in Isa::all() {
            let mut got = vec![0f32; want.len()];
            layer.apply_as(isa, &x, &mut got[..], Then::Store);
            exact(&got, &want, largest);
        }
    }

    #[test]
    fn rounding_to_eight_bits_costs_no_more_than_half_a_code_of_each_factor(
        rows in 1..20usize, inputs in 1..200usize, outputs in 1..60usize,
    ) {
        let (x, weight) = (values(rows * inputs, 1), values(outputs * inputs, 2));
        let bias = values(outputs, 3);
        let want = product(&x, &weight, &bias, inputs);
        let layer = Linear::new(&weight, &bias, inputs, Packing::Int8);
        for isa in Isa::all() {
            let mut got = vec![0f32; want.len()];
            layer.apply_as(isa, &x, &mut got[..], Then::Store);
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                let x = &x[i / outputs * inputs..][..inputs];
                let weight = &weight[i % outputs * inputs..][..inputs];
                let of_rows = row::range(isa, x, f32::INFINITY).scale().scale / 2.0;
                let of_weights = weight.iter().fold(0f32, |a, w| a.max(w.abs())) / 127.0;
                let bound: f32 = x.iter().zip(weight)
                    .map(|(x, w)| of_rows * (w.abs() + of_weights / 2.0) + of_weights / 2.0 * x.abs()).sum();
                prop_assert!((f64::from(*got) - want).abs() <= f64::from(bound) + 1e-4);
            }
        }
    }

    #[test]
    fn layers_and_convolutions_in_bf16_are_their_definition(
        n in 1..4usize, height in 1..8usize, width in 1..8usize, inputs in 1..12usize,
        outputs in 1..60usize, kernel in 0..3usize, stride in 1..3usize,
    ) {
        let kernel = 2 * kernel + 1;
        let c = same([height, width], [inputs, outputs], [kernel, stride]);
        let x = values(n * height * width * inputs, 1);
        let weight = values(outputs * inputs * kernel * kernel, 2);
        let bias = values(outputs, 3);
        let [rx, rw] = [&x, &weight].map(|v| rounded::<bf16>(v));
        let len = n * c.output().positions() * outputs;
        let mut want: Vec<f64> = (0..len).map(|i| f64::from(bias[i % outputs])).collect();
        for_each_product(&c, n, |o, i, w| want[o] += rx[i] * rw[w]);
        let packed = PackedConvolution::new(&weight, &bias, [inputs, kernel, stride], Packing::Bf16);
        for isa in Isa::all() {
            let mut got = Rows::of(Rounding::Bf16, &vec![0.0; len]);
            packed.apply_with(isa, [height, width], &Rows::of(Rounding::Bf16, &x), &mut got, Then::Store);
            for (got, want) in read(&got).iter().zip(&want) {
                // Rounded once more, to eight bits of mantissa.
                let bound = want.abs() / 256.0 + (kernel * kernel * inputs) as f64 * 3e-7;
                prop_assert!((f64::from(*got) - want).abs() <= bound, "{got} {want}");
            }
        }
        let layer = Linear::new(&weight[..outputs * inputs], &bias, inputs, Packing::Bf16);
        let (rx, rw) = (Rows::of(Rounding::Bf16, &x), &rw[..outputs * inputs]);
        let x = read(&rx);
        let rw: Vec<f32> = rw.iter().map(|w| *w as f32).collect();
        let want = product(&x, &rw, &bias, inputs);
        for isa in Isa::all() {
            let mut got = vec![0f32; want.len()];
            layer.apply_with(isa, (&rx).into(), Out::F32(&mut got), Then::Store);
            close(&got, &want, inputs + 2);
        }
    }

    #[test]
    fn convolutions_in_eight_bits_are_exact_where_codes_are(
        n in 1..4usize, side in 2..9usize, inputs in 1..10usize, outputs in 1..60usize,
        kernel in 0..3usize, stride in 1..3usize,
    ) {
        let kernel = 2 * kernel + 1;
        let c = same([side, side], [inputs, outputs], [kernel, stride]);
        // Every value but the ends of each position's, for 1 × 1, is anything between.
        let x = integers(n * side * side, inputs.max(2), 1);
        let inputs = inputs.max(2);
        let c = Convolution { inputs, ..c };
        let mut weight = integers(outputs, inputs * kernel * kernel, 2);
        weight.iter_mut().for_each(|w| *w = w.max(-127.0));
        let bias = values(outputs, 3);
        let len = n * c.output().positions() * outputs;
        let mut want: Vec<f64> = (0..len).map(|i| f64::from(bias[i % outputs])).collect();
        for_each_product(&c, n, |o, i, w| want[o] += f64::from(x[i]) * f64::from(weight[w]));
        let packed = PackedConvolution::new(&weight, &bias, [inputs, kernel, stride], Packing::Int8);
        for isa in Isa::all() {
            let mut got = Rows::of(Rounding::F32, &vec![0.0; len]);
            packed.apply_with(isa, [side; 2], &Rows::of(Rounding::F32, &x), &mut got, Then::Store);
            exact(&read(&got), &want, (inputs * kernel * kernel * 128 * 255) as f64);
        }
    }

    #[test]
    fn what_follows_a_product_is_the_same_on_every_instruction_set(
        rows in 1..20usize, inputs in 1..30usize, outputs in 1..130usize,
    ) {
        let (x, weight) = (values(rows * inputs, 1), values(outputs * inputs, 2));
        // Far from zero, too, where activations are nearly zero or their argument.
        let bias: Vec<f32> = values(outputs, 3).iter().map(|v| 60.0 * v * v * v).collect();
        let before = values(rows * outputs, 4);
        let activations = [
            Activation::Gelu, Activation::QuickGelu, Activation::GeluTanh, Activation::Relu,
        ];
        for (packing, rounding) in FORMATS {
            let layer = Linear::new(&weight, &bias, inputs, packing);
            let x = Rows::of(rounding, &x);
            for activation in activations {
                for then in [Then::Activate(activation), Then::AddActivate(activation)] {
                    let run = |isa| {
                        let mut out = Rows::of(rounding, &before);
                        layer.apply_with(isa, (&x).into(), (&mut out).into(), then);
                        read(&out)
                    };
                    let want = run(Isa::Scalar);
                    for isa in Isa::all() {
                        for (got, want) in run(isa).iter().zip(&want) {
                            // Sums and exponentials differ by roundings; a bf16 by one in its
                            // last place, and what an activation may be off by.
                            let bound = match rounding {
                                Rounding::F32 => 3e-5 + want.abs() * 1e-5,
                                Rounding::Bf16 => 4e-5 + want.abs() / 128.0,
                            };
                            prop_assert!((got - want).abs() <= bound, "{isa:?} {then:?} {got} {want}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn attention_in_bf16_is_near_that_in_f32(
        n in 1..3usize, queries in 1..40usize, keys in 1..70usize, heads in 1..4usize, pairs in 1..35usize,
    ) {
        let w = heads * 2 * pairs;
        let [q, kv] = [values(n * queries * w, 1), values(n * keys * 2 * w, 2)];
        let narrow = |values: &[f32]| -> Vec<bf16> { values.iter().map(|v| bf16::from_f32(*v)).collect() };
        let (nq, nkv) = (narrow(&q), narrow(&kv));
        let [q, kv] = [&nq, &nkv].map(|v| v.iter().map(|v| v.to_f32()).collect::<Vec<_>>());
        let mut want = vec![0f32; q.len()];
        attend_with(Isa::Scalar, n, Heads { width: w, heads }, [&q[..], &kv], None, &mut want);
        let mut paths = Paths::default();
        (0..keys as u32).for_each(|key| paths.push(0..=key));
        let (path_q, path_kv) = (&q[..w.min(q.len())].repeat(keys), &kv[..keys * 2 * w]);
        let mut path_want = vec![0f32; keys * w];
        paths.attend_with(Isa::Scalar, Heads { width: w, heads }, [&path_q[..], path_kv], &mut path_want);
        for isa in Isa::all() {
            let mut got = vec![bf16::NAN; q.len()];
            attend_with(isa, n, Heads { width: w, heads }, [&nq[..], &nkv], None, &mut got);
            let mut path_got = vec![bf16::NAN; keys * w];
            let path_q = narrow(path_q);
            paths.attend_with(isa, Heads { width: w, heads }, [&path_q[..], &nkv[..keys * 2 * w]], &mut path_got);
            for (got, want) in got.iter().zip(&want).chain(path_got.iter().zip(&path_want)) {
                // Shares and the result are rounded: each by 2⁻⁹ of values up to 1.
                prop_assert!((got.to_f32() - want).abs() <= 2.5 / 512.0, "{isa:?} {got} {want}");
            }
        }
    }

}

#[test]
fn long_sums_are_exact_in_every_format() {
    // More than are summed at a time, in parts of equal and of unequal sizes.
    for inputs in [5001, 3072] {
        let (rows, outputs) = (3, 50);
        let mut x = integers(rows, inputs, 1);
        let mut weight = integers(outputs, inputs, 2);
        weight.iter_mut().for_each(|w| *w = w.max(-127.0));
        let bias = values(outputs, 3);
        for (packing, rounding) in FORMATS {
            if packing == Packing::Int8 {
                // They stand out once, however many parts there are.
                x[7] = 8192.0;
                x[inputs + 2600] = -8192.0;
            }
            let want = product(&x, &weight, &bias, inputs);
            let layer = Linear::new(&weight, &bias, inputs, packing);
            for isa in Isa::all() {
                let mut got = vec![0f32; want.len()];
                let given = Rows::of(rounding, &x);
                layer.apply_with(isa, (&given).into(), Out::F32(&mut got), Then::Store);
                exact(&got, &want, (inputs * 128 * 128) as f64);
                // Rounded once and no more.
                let mut rounded = Rows::of(rounding, &vec![0.0; want.len()]);
                let out = (&mut rounded).into();
                layer.apply_with(isa, (&given).into(), out, Then::Store);
                let once = Rows::of(rounding, &got);
                assert_eq!(read(&rounded), read(&once), "{isa:?} {packing:?}");
            }
        }
    }
}

#[test]
fn deep_convolutions_are_summed_whole() {
    let (side, inputs, outputs) = (3, 600, 20);
    let c = same([side, side], [inputs, outputs], [3, 1]);
    let mut x = integers(side * side, inputs, 1);
    x.iter_mut().for_each(|x| *x /= 128.0);
    let mut weight = integers(outputs, inputs * 9, 2);
    weight.iter_mut().for_each(|w| *w = w.max(-127.0));
    let bias = vec![0.0; outputs];
    let mut want = vec![0f64; side * side * outputs];
    for_each_product(&c, 1, |o, i, w| {
        want[o] += f64::from(x[i]) * f64::from(weight[w])
    });
    for (packing, rounding) in FORMATS {
        let packed = PackedConvolution::new(&weight, &bias, [inputs, 3, 1], packing);
        for isa in Isa::all() {
            let mut got = Rows::of(rounding, &vec![0.0; want.len()]);
            packed.apply_with(
                isa,
                [side; 2],
                &Rows::of(rounding, &x),
                &mut got,
                Then::Store,
            );
            for (got, want) in read(&got).iter().zip(&want) {
                let rounding = if rounding == Rounding::Bf16 {
                    want.abs() / 256.0
                } else {
                    0.0
                };
                let bound = rounding + 8.0 * (inputs * 9 * 128) as f64 * f64::from(f32::EPSILON);
                assert!(
                    (f64::from(*got) - want).abs() <= bound,
                    "{isa:?} {packing:?} {got} {want}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "another packing")]
fn activations_in_another_format_are_refused() {
    let layer = Linear::new(&[1.0; 4], &[], 2, Packing::Bf16);
    layer.apply(
        &Rows::of(Rounding::F32, &[1.0; 2]),
        &mut [0f32; 2][..],
        Then::Store,
    );
}
