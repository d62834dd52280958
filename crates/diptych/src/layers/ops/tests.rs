//! The kernels against Burn's own operations, with Burn's own autodiff as the oracle of backward.

use burn::tensor::{Device, Tensor, TensorData};
use diptych_kernels::{Activation, Attention, AveragePool, Rounding};
use proptest::prelude::*;

use super::Products;
use super::{Slide, plain};

/// Deterministic values of both signs, none of them zero.
fn tensor<const D: usize>(shape: [usize; D], seed: u32) -> Tensor<D> {
    let mut state = seed.wrapping_mul(747_796_405);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0 + 1e-4
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// An operation's output and its gradients for every input, under an upstream gradient of `seed`.
macro_rules! run {
    ($f:expr, $($input:ident),+) => {{
        let y = $f;
        let upstream = tensor(y.dims(), 99).detach();
        let grads = (y.clone() * upstream).sum().backward();
        let mut all = vec![values(y)];
        $(all.push($input.grad(&grads).expect("a gradient").into_data().iter::<f32>().collect());)+
        all
    }};
}

/// Holds two runs to each other, relative to the largest value of each output.
#[track_caller]
fn close(got: &[Vec<f32>], want: &[Vec<f32>], bound: f32) {
    assert_eq!(got.len(), want.len());
    for (part, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.len(), want.len(), "part {part}");
        let scale = want.iter().fold(1f32, |m, v| m.max(v.abs()));
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let off = (got - want).abs();
            assert!(
                off <= bound * scale,
                "part {part} at {i}: {got}, wanted {want}"
            );
        }
    }
}

fn f32() -> Products {
    Products::of_trained(Rounding::F32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn convolutions_match_burns(
        n in 1..4usize, h in 2..9usize, w in 2..9usize,
        inputs in 1..6usize, outputs in 1..6usize, three in any::<bool>(), stride in 1..3usize,
    ) {
        let kernel = if three { 3 } else { 1 };
        let x = tensor([n, h, w, inputs], 7);
        let weight = tensor([outputs, inputs, kernel, kernel], 8);
        let slide = Slide { stride, padding: [kernel / 2; 2], groups: 1 };
        let got = run!(super::convolution(x.clone(), weight.clone(), None, slide, &f32()), x, weight);
        let want = run!(plain::convolution(x.clone(), weight.clone(), None, slide), x, weight);
        close(&got, &want, 1e-5);
    }

    #[test]
    fn linear_layers_match_burns(n in 1..5usize, l in 1..100usize, inputs in 1..40usize, outputs in 1..70usize, frozen in any::<bool>()) {
        // A trained weight goes to the kernels from 256 rows on, one that stays always.
        let l = if frozen { l } else { l + 256 };
        let products = if frozen { Products::of_constant(Rounding::F32) } else { f32() };
        let x = tensor([n, l, inputs], 1);
        let (weight, bias) = (tensor([outputs, inputs], 2), tensor([outputs], 3));
        let f = || super::linear(x.clone(), weight.clone(), Some(bias.clone()), &products);
        let g = || {
            burn::tensor::module::linear(x.clone(), weight.clone().transpose(), Some(bias.clone()))
        };
        // Gradients of parameters are sums over all rows, whose size grows with the rows' root.
        let mean = |mut parts: Vec<Vec<f32>>| {
            let size = ((n * l) as f32).sqrt();
            let sums = parts[2..].iter_mut().flatten();
            sums.for_each(|sum| *sum /= size);
            parts
        };
        let got = mean(run!(f(), x, weight, bias));
        close(&got, &mean(run!(g(), x, weight, bias)), 1e-5);
    }

    #[test]
    fn batch_norm_matches_burns(n in 1..9usize, h in 1..9usize, c in 1..20usize, relu in any::<bool>()) {
        let x = tensor([n, h, 2, c], 1);
        let (weight, bias) = (tensor([c], 2), tensor([c], 3));
        let f = || super::batch_norm(x.clone(), [weight.clone(), bias.clone()], 1e-2, relu);
        let g = || plain::batch_norm(x.clone(), [weight.clone(), bias.clone()], 1e-2, relu);
        let got = run!(f().output, x, weight, bias);
        close(&got, &run!(g().output, x, weight, bias), 2e-5);
        let (f, g) = (f(), g());
        let want = [values(g.mean), values(g.variance)];
        close(&[values(f.mean), values(f.variance)], &want, 1e-6);
    }

    #[test]
    fn layer_norm_matches_burns(n in 1..5usize, l in 1..60usize, w in 2..70usize) {
        let x = tensor([n, l, w], 1);
        let (weight, bias) = (tensor([w], 2), tensor([w], 3));
        let f = || super::layer_norm(x.clone(), [weight.clone(), bias.clone()], 1e-2);
        let g = || {
            burn::tensor::module::layer_norm(x.clone(), weight.clone(), Some(bias.clone()), 1e-2)
        };
        close(&run!(f(), x, weight, bias), &run!(g(), x, weight, bias), 2e-5);
    }

    #[test]
    fn attention_matches_burns(n in 1..4usize, l in 1..40usize, heads in 1..5usize, d in 1..20usize, causal in any::<bool>()) {
        let qkv = tensor([n, l, 3 * heads * d], 1);
        let shape = Attention { tokens: l, width: heads * d, heads, causal };
        let got = run!(super::attention(qkv.clone(), heads, causal), qkv);
        close(&got, &run!(plain::attention(qkv.clone(), shape), qkv), 1e-5);
    }

    #[test]
    fn elementwise_operations_match_burns(n in 1..4usize, h in 1..4usize, c in 1..40usize, side in 1..4usize) {
        let shape = [n, h * side, 2 * side, c];
        let (x, y) = (tensor(shape, 1), tensor(shape, 2));
        for activation in [
            Activation::Gelu,
            Activation::QuickGelu,
            Activation::GeluTanh,
            Activation::Relu,
        ] {
            // Far beyond the values of a trained model, too.
            let f = || super::activation(x.clone() * 9.0, activation);
            let g = || plain::activation(x.clone() * 9.0, activation);
            // Each is up to 1e-6 off the true value.
            close(&run!(f(), x), &run!(g(), x), 2e-6);
        }
        let got = run!(super::add_relu(x.clone(), y.clone()), x, y);
        let want = run!(burn::tensor::activation::relu(x.clone() + y.clone()), x, y);
        close(&got, &want, 0.0);
        let pool = AveragePool { height: shape[1], width: shape[2], channels: c, side };
        let got = run!(super::average_pool(x.clone(), side), x);
        close(&got, &run!(plain::average_pool(x.clone(), pool), x), 1e-6);
    }
}

#[test]
fn bf16_stays_within_its_rounding() {
    let (x, weight, bias) = (tensor([300, 64], 1), tensor([40, 64], 2), tensor([40], 3));
    let f = |rounding| {
        let products = Products::of_trained(rounding);
        super::linear(x.clone(), weight.clone(), Some(bias.clone()), &products)
    };
    let got = run!(f(Rounding::Bf16), x, weight, bias);
    let want = run!(f(Rounding::F32), x, weight, bias);
    assert_ne!(got, want, "bf16 rounds");
    // Each factor is off by at most 2⁻⁹ of itself, so a product of factors up to 1 by at most 2⁻⁸;
    // the sums here have up to 300 terms, whose errors do not add up in one direction.
    for (got, want) in got.iter().zip(&want) {
        let off = got.iter().zip(want).map(|(g, w)| (g - w).abs());
        assert!(off.fold(0f32, f32::max) < 300f32.sqrt() / 256.0 * 2.0);
    }
}
