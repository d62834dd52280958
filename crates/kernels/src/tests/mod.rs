//! Every instruction set against the scalar twin, and the scalar twin against the definition.

mod attention;
mod convolution;
mod formats;
mod inference;
mod int8;
mod rows;
mod search;

use half::bf16;
use proptest::prelude::*;

use crate::activation::Activation;
use crate::attention::Attention;
use crate::convolution::{Convolution, Direction, Extent, PackedWeight};
use crate::element::{Element, Float, Rounding};
use crate::isa::Isa;
use crate::layer_norm::{
    layer_norm_backward_with, layer_norm_input_gradient_with, layer_norm_with,
};
use crate::norm::{GroupNorm, Norm, batch_norm_backward_with, batch_norm_with};

/// Deterministic values in −1 … 1.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0 + 1e-4
    };
    (0..count).map(|_| next()).collect()
}

/// The same values, rounded as the format rounds them.
fn rounded<E: Element>(values: &[f32]) -> Vec<f64> {
    let round = |v: &f32| match E::STEP {
        1 => f64::from(*v),
        _ => f64::from(bf16::from_f32(*v).to_f32()),
    };
    values.iter().map(round).collect()
}

/// A convolution with a square kernel, padded so that a stride of 1 keeps the sides.
fn same(
    [height, width]: [usize; 2],
    [inputs, outputs]: [usize; 2],
    [kernel, stride]: [usize; 2],
) -> Convolution {
    Convolution {
        height,
        width,
        kernel: Extent::square(kernel),
        padding: Extent::square(kernel / 2),
        stride,
        ..Convolution::linear(inputs, outputs)
    }
}

/// Calls `f(output index, input index, weight index)` for every product of a convolution.
fn for_each_product(c: &Convolution, n: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (made, kernel) = (c.output(), c.kernel);
    let (inputs, outputs) = (c.inputs / c.groups, c.outputs / c.groups);
    for place in 0..n * made.positions() {
        let (row, x) = (place / made.width, place % made.width);
        let (picture, y) = (row / made.height, row % made.height);
        for tap in 0..kernel.positions() {
            let from_y = y * c.stride + tap / kernel.width;
            let from_x = x * c.stride + tap % kernel.width;
            if from_y < c.padding.height || from_x < c.padding.width {
                continue;
            }
            let (from_y, from_x) = (from_y - c.padding.height, from_x - c.padding.width);
            if from_y >= c.height || from_x >= c.width {
                continue;
            }
            let from = ((picture * c.height + from_y) * c.width + from_x) * c.inputs;
            for o in 0..c.outputs {
                for i in 0..inputs {
                    let input = o / outputs * inputs + i;
                    let weight = (o * inputs + i) * kernel.positions() + tap;
                    f(place * c.outputs + o, from + input, weight);
                }
            }
        }
    }
}

/// Holds a result to sums of `terms` products of values up to 1: each rounds by at most ε.
#[track_caller]
fn close(got: &[f32], want: &[f64], terms: usize) {
    assert_eq!(got.len(), want.len());
    let bound = terms as f64 * f64::from(f32::EPSILON) * 2.0 + 1e-6;
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() <= bound,
            "at {i}: {got}, wanted {want}"
        );
    }
}

fn check<E: Float>(c: Convolution, n: usize) {
    let x = values(n * c.height * c.width * c.inputs, 1);
    let taps = c.kernel.positions();
    let weight = values(c.outputs * c.inputs / c.groups * taps, 2);
    let grad = values(n * c.output().positions() * c.outputs, 3);
    let [rx, rw, rg] = [&x, &weight, &grad].map(|v| rounded::<E>(v));
    let bias = values(c.outputs, 4);
    let mut output = vec![0f64; grad.len()];
    for (place, sum) in output.iter_mut().enumerate() {
        *sum = f64::from(bias[place % c.outputs]);
    }
    let mut grad_x = vec![0f64; x.len()];
    let mut grad_weight = vec![0f64; weight.len()];
    for_each_product(&c, n, |o, i, w| {
        output[o] += rx[i] * rw[w];
        grad_x[i] += rg[o] * rw[w];
        grad_weight[w] += rg[o] * rx[i];
    });
    for isa in Isa::all() {
        let got = c.forward_as::<E>(isa, &x, &weight, &bias);
        close(&got, &output, taps * c.inputs + 1);
        let got = c.transposed_as::<E>(isa, &grad, &weight, &[]);
        close(&got, &grad_x, taps * c.outputs);
        let shifts = values(c.inputs, 5);
        let got = c.transposed_as::<E>(isa, &grad, &weight, &shifts);
        let shifted = grad_x.iter().enumerate();
        let shifted = shifted.map(|(i, v)| v + f64::from(shifts[i % c.inputs]));
        close(&got, &shifted.collect::<Vec<_>>(), taps * c.outputs + 1);
        let got = c.weight_gradient_as::<E>(isa, &x, &grad);
        close(&got, &grad_weight, n * c.output().positions());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolutions_are_their_definition_on_every_instruction_set(
        n in 1..20usize, height in 1..8usize, width in 1..8usize,
        inputs in 1..20usize, outputs in 1..70usize, kernel in 0..3usize, stride in 1..4usize,
    ) {
        let c = same([height, width], [inputs, outputs], [2 * kernel + 1, stride]);
        check::<f32>(c, n);
        check::<bf16>(c, n);
    }

    #[test]
    fn linear_layers_are_their_definition_on_every_instruction_set(
        rows in 1..300usize, inputs in 1..40usize, outputs in 1..200usize,
    ) {
        let c = Convolution::linear(inputs, outputs);
        check::<f32>(c, rows);
        check::<bf16>(c, rows);
    }

    #[test]
    fn batch_norm_is_the_same_on_every_instruction_set(
        rows in 1..700usize, c in 1..70usize, relu in any::<bool>(),
    ) {
        let x = values(rows * c, 1);
        let [weight, bias] = [values(c, 2), values(c, 3)];
        let grad = values(rows * c, 4);
        let norm = Norm { epsilon: 1e-5, relu };
        let want = batch_norm_with(Isa::Scalar, norm, &x, [&weight, &bias]);
        let parts = |y: &Vec<f32>, m: &Vec<f32>, v: &Vec<f32>, isa| {
            batch_norm_backward_with(isa, norm, [&x, y, &grad], [&weight, m, v])
        };
        let want_back = parts(&want.0, &want.1, &want.2, Isa::Scalar);
        for isa in Isa::all() {
            let got = batch_norm_with(isa, norm, &x, [&weight, &bias]);
            prop_assert_eq!(&got, &want);
            let back = parts(&got.0, &got.1, &got.2, isa);
            prop_assert_eq!(&back.x, &want_back.x);
            prop_assert_eq!(&back.weight, &want_back.weight);
            prop_assert_eq!(&back.bias, &want_back.bias);
        }
    }

    #[test]
    fn group_norm_is_the_same_on_every_instruction_set_and_by_channel_batch_norm(
        n in 1..4usize, positions in 1..90usize, groups in 1..5usize, each in 1..20usize,
    ) {
        let c = groups * each;
        let (x, grad) = (values(n * positions * c, 1), values(n * positions * c, 4));
        let [weight, bias] = [values(c, 2), values(c, 3)];
        let norm = GroupNorm { positions, groups, epsilon: 1e-2 };
        let want = norm.forward_with(Isa::Scalar, &x, [&weight, &bias]);
        let want_back = norm.backward_with(Isa::Scalar, [&x, &grad], &weight);
        for isa in Isa::all() {
            prop_assert_eq!(&norm.forward_with(isa, &x, [&weight, &bias]), &want);
            let back = norm.backward_with(isa, [&x, &grad], &weight);
            prop_assert_eq!(&back.x, &want_back.x);
            prop_assert_eq!(&back.weight, &want_back.weight);
            prop_assert_eq!(&back.bias, &want_back.bias);
        }
        // One picture, whose channels are groups of their own.
        let (x, grad) = (&x[..positions * c], &grad[..positions * c]);
        let alone = GroupNorm { groups: c, ..norm };
        let batch = Norm { epsilon: 1e-2, relu: false };
        let (y, mean, variance) = batch_norm_with(Isa::Scalar, batch, x, [&weight, &bias]);
        let widened = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        close(&alone.forward(x, &weight, &bias), &widened(&y), 40);
        let want = batch_norm_backward_with(
            Isa::Scalar, batch, [x, &y, grad], [&weight, &mean, &variance],
        );
        let got = alone.backward(x, &weight, grad);
        close(&got.x, &widened(&want.x), 400);
        close(&got.weight, &widened(&want.weight), 10 * positions);
        close(&got.bias, &widened(&want.bias), positions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_transformers_layers_are_the_same_on_every_instruction_set(
        n in 1..4usize, tokens in 1..30usize, heads in 1..4usize, d in 1..40usize, causal in any::<bool>(),
    ) {
        let width = heads * d;
        let shape = Attention { tokens, width, heads, causal };
        let qkv = values(n * tokens * 3 * width, 1);
        let grad = values(n * tokens * width, 2);
        let [weight, bias] = [values(width, 3), values(width, 4)];
        let run = |isa| {
            let gelu = Activation::Gelu;
            let (x, w, b) = layer_norm_backward_with(isa, 1e-5, [&grad, &grad], &weight);
            assert_eq!(layer_norm_input_gradient_with(isa, 1e-5, [&grad, &grad], &weight), x);
            [
                shape.forward_with(isa, &qkv),
                shape.backward_with(isa, &qkv, &grad),
                layer_norm_with(isa, 1e-5, &grad, [&weight, &bias]),
                x,
                w,
                b,
                gelu.forward_with(isa, &qkv),
                gelu.backward_with(isa, &qkv, &qkv),
                Activation::QuickGelu.forward_with(isa, &qkv),
                Activation::QuickGelu.backward_with(isa, &qkv, &qkv),
                Activation::GeluTanh.forward_with(isa, &qkv),
                Activation::GeluTanh.backward_with(isa, &qkv, &qkv),
                Activation::Relu.forward_with(isa, &qkv),
                Activation::Relu.backward_with(isa, &qkv, &qkv),
            ]
        };
        let want = run(Isa::Scalar);
        for isa in Isa::all() {
            prop_assert_eq!(&run(isa), &want);
        }
    }
}

#[test]
fn single_positions_with_a_stride_keep_all_their_gradients() {
    let c = same([1, 1], [2, 3], [1, 2]);
    check::<f32>(c, 9);
    check::<bf16>(c, 17);
}

#[test]
#[should_panic(expected = "too large")]
fn sizes_that_wrap_are_refused() {
    let c = same([2, 1], [1, 2], [(1 << 32) + 1, 2]);
    c.input_gradient(crate::Rounding::F32, &[1.0, 1.0], &[]);
}

#[test]
fn nan_passes_through_batch_norm() {
    let x = [1.0, f32::NAN, 2.0, 3.0];
    for relu in [false, true] {
        let norm = Norm {
            epsilon: 1e-5,
            relu,
        };
        let (y, ..) = batch_norm_with(Isa::current(), norm, &x, [&[1.0, 1.0], &[0.0, 0.0]]);
        assert!(
            y.iter().skip(1).step_by(2).all(|v| v.is_nan()),
            "relu {relu}"
        );
    }
}

#[test]
fn bf16_rounds_to_nearest_with_ties_to_even() {
    // Halfway between two bf16, with even and odd lower neighbours; normal numbers of every size.
    let halfway = [0x3f80_8000u32, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff];
    let halfway = halfway.map(f32::from_bits);
    let sizes: Vec<f32> = (-120..120).map(|e| 1.37f32 * 2f32.powi(e)).collect();
    for values in [&halfway[..], &sizes] {
        let want: Vec<bf16> = values.iter().map(|v| bf16::from_f32(*v)).collect();
        for isa in Isa::all() {
            let mut got = vec![bf16::default(); values.len()];
            bf16::narrow(isa, values, &mut got);
            assert_eq!(got, want, "{isa:?}");
            let mut pairs = vec![bf16::default(); 2 * values.len()];
            bf16::interleave(isa, [values, values], &mut pairs);
            assert!(
                pairs.chunks(2).zip(&want).all(|(p, w)| p == [*w, *w]),
                "{isa:?}"
            );
        }
    }
}

#[test]
fn what_is_laid_out_once_gives_the_same() {
    let plain = Convolution {
        height: 5,
        width: 6,
        kernel: Extent {
            height: 3,
            width: 2,
        },
        padding: Extent::square(1),
        ..Convolution::linear(4, 6)
    };
    let cases = [
        plain,
        Convolution { stride: 2, ..plain },
        Convolution { groups: 2, ..plain },
        Convolution {
            inputs: 6,
            groups: 6,
            ..plain
        },
        Convolution::linear(9, 5),
        // So large that all threads lay it out, and take columns of the product.
        Convolution::linear(520, 515),
        Convolution {
            inputs: 180,
            outputs: 250,
            ..plain
        },
    ];
    for c in cases {
        for rounding in [Rounding::F32, Rounding::Bf16] {
            let weight = values(c.outputs * c.inputs / c.groups * c.kernel.positions(), 1);
            let x = values(3 * c.height * c.width * c.inputs, 2);
            let y = values(3 * c.output().positions() * c.outputs, 3);
            let bias = values(c.outputs, 4);
            let packed = |direction| PackedWeight::new(&c, rounding, direction, &weight);
            let got = packed(Direction::Forward).apply(&c, &x, &bias);
            assert_eq!(got, c.forward(rounding, &x, &weight, &bias), "{c:?}");
            let got = packed(Direction::Adjoint).apply(&c, &y, &[]);
            assert_eq!(got, c.input_gradient(rounding, &y, &weight), "{c:?}");
        }
    }
    let packed = PackedWeight::new(&plain, Rounding::F32, Direction::Forward, &values(144, 1));
    let larger = Convolution { height: 9, ..plain };
    assert!(packed.serves(&larger, Rounding::F32, Direction::Forward));
    assert!(!packed.serves(&larger, Rounding::Bf16, Direction::Forward));
    assert!(!packed.serves(
        &Convolution { stride: 2, ..plain },
        Rounding::F32,
        Direction::Forward
    ));
}
