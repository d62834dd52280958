//! The fused loops against the reference, forward and backward.

use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, tensor::FloatTensor};
use burn::tensor::TensorData;
use proptest::prelude::*;

use super::{Norm, Ops, reference};

/// Deterministic values of both signs, none of them zero.
fn tensor(shape: &[usize], seed: u32) -> FloatTensor<Flex> {
    let count = shape.iter().product();
    let next = |s: &mut u32| {
        *s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*s >> 8) as f32 / (1 << 23) as f32 - 1.0 + 1e-4)
    };
    let values: Vec<f32> = std::iter::successors(Some(seed), |s| Some(s.wrapping_add(1)))
        .scan(seed.wrapping_mul(747_796_405), |state, _| next(state))
        .take(count)
        .collect();
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[track_caller]
fn close(a: FloatTensor<Flex>, b: FloatTensor<Flex>, bound: f32) {
    let (a, b) = (values(a), values(b));
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!(
            (a - b).abs() <= bound * b.abs().max(1.0),
            "at {i}: {a}, wanted {b}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn columns_and_fold_match_the_reference(
        n in 1..4usize, half_h in 1..5usize, half_w in 1..5usize, odd in 0..2usize,
        c in 1..6usize, three in any::<bool>(), stride in 1..3usize,
    ) {
        let (h, w) = (2 * half_h + odd, 2 * half_w);
        let kernel = if three { 3 } else { 1 };
        let x = tensor(&[n, h, w, c], 7);
        let columns = Flex::columns(x.clone(), kernel, stride);
        let wanted = reference::columns::<Flex>(x, kernel, stride);
        prop_assert_eq!(values(columns.clone()), values(wanted));
        let shape = [n, h, w, c];
        let fold = Flex::fold(columns.clone(), shape, kernel, stride);
        // At most nine terms, added in another order.
        close(fold, reference::fold::<Flex>(columns, shape, kernel, stride), 1e-6);
    }

    #[test]
    fn batch_norm_matches_the_reference(rows in 2..1500usize, c in 1..20usize, relu in any::<bool>()) {
        let (x, weight, bias) = (tensor(&[rows, c], 1), tensor(&[c], 2), tensor(&[c], 3));
        let eps = 1e-5;
        let (output, mean, variance) = Flex::norm_relu(x.clone(), weight.clone(), bias.clone(), eps, relu);
        let wanted = reference::norm_relu::<Flex>(x.clone(), weight.clone(), bias, eps, relu);
        // Values of a few rows may have a variance near zero, which magnifies rounding.
        let bound = if rows < 16 { 2e-3 } else { 2e-5 };
        close(output.clone(), wanted.0, bound);
        close(mean.clone(), wanted.1, 1e-6);
        close(variance.clone(), wanted.2, 1e-5);

        let norm = || Norm::<Flex> {
            x: x.clone(), weight: weight.clone(), mean: mean.clone(),
            variance: variance.clone(), output: output.clone(),
        };
        let grad = tensor(&[rows, c], 4);
        let got = Flex::norm_relu_backward(norm(), grad.clone(), eps, relu);
        let wanted = reference::norm_relu_backward::<Flex>(norm(), grad, eps, relu);
        let bound = if rows < 16 { 2e-2 } else { 1e-4 };
        close(got.0, wanted.0, bound);
        close(got.1, wanted.1, bound);
        close(got.2, wanted.2, bound);
    }
}

#[test]
fn batch_norm_lets_nan_through() {
    let x = FlexTensor::from_data(TensorData::new(vec![1.0f32, f32::NAN, 2.0, 3.0], [2, 2]));
    for relu in [false, true] {
        let (y, ..) = Flex::norm_relu(x.clone(), tensor(&[2], 1), tensor(&[2], 2), 1e-5, relu);
        assert!(
            values(y).iter().skip(1).step_by(2).all(|v| v.is_nan()),
            "relu {relu}"
        );
    }
}
