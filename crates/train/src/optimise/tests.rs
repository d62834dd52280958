//! The schedule, and what is refused.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::*;

pub(crate) fn optimizer(steps: usize, warmup_steps: usize) -> Optimization {
    Optimization {
        steps,
        batch_size: 8,
        learning_rate: 1e-3,
        warmup_steps,
        weight_decay: 0.2,
        algorithm: Algorithm::AdamW,
        decay_steps: None,
        beta1: 0.9,
        beta2: 0.98,
        epsilon: 1e-6,
        clip_norm: None,
        ema: None,
        chunk_size: None,
    }
}

#[test]
fn rates_rise_and_fall_as_the_run_says() {
    let rates = |options: Optimization| -> Vec<f64> {
        (0..8).map(|step| options.rate(step) / 1e-3).collect()
    };
    let near = |got: Vec<f64>, want: [f64; 8]| {
        let far = std::iter::zip(&got, want).any(|(g, w)| (g - w).abs() > 1e-9);
        assert!(!far, "{got:?}, wanted {want:?}");
    };
    let cosine = optimizer(8, 2);
    let half = |k: f64| 0.5 + 0.5 * (std::f64::consts::PI * k / 6.0).cos();
    near(
        rates(cosine.clone()),
        [
            0.5,
            1.0,
            1.0,
            half(1.0),
            half(2.0),
            0.5,
            half(4.0),
            half(5.0),
        ],
    );
    let plateau = Optimization {
        decay_steps: Some(4),
        ..cosine
    };
    let root = 0.75f64.sqrt();
    near(
        rates(plateau),
        [
            0.5,
            1.0,
            1.0,
            1.0,
            1.0,
            0.5,
            1.0 - 0.5f64.sqrt(),
            1.0 - root,
        ],
    );
}

/// One weight.
#[derive(Module, Debug)]
struct One {
    weight: Param<Tensor<2>>,
}

fn one(values: [[f32; 2]; 2]) -> One {
    let device = Device::flex().autodiff();
    let weight = Tensor::from_data(values, &device).require_grad();
    One {
        weight: Param::from_tensor(weight),
    }
}

#[test]
fn gradients_and_matrices_of_another_size_are_refused() {
    let gradient = |model: &One| {
        let loss = model.weight.val().square().sum();
        NamedGradients::take(model, loss.backward())
    };
    let model = one([[1.0, 2.0], [3.0, 4.0]]);
    let wide = {
        let device = Device::flex().autodiff();
        let weight = Tensor::<2>::ones([2, 3], &device).require_grad();
        One {
            weight: Param::from_tensor(weight),
        }
    };
    let mut adamw = Optimizer::new(optimizer(9, 0), |_, shape| Matrices::whole(shape));
    let refused = adamw.step(model.clone(), gradient(&wide), 0).unwrap_err();
    let message = refused.to_string();
    assert!(
        message.contains("`weight`") && message.contains("6 values, wanted 4"),
        "{message}"
    );
    let options = Optimization {
        algorithm: Algorithm::Muon,
        ..optimizer(9, 0)
    };
    let wrong = |_: &str, _: &[usize]| {
        Some(Matrices {
            count: 3,
            rows: 2,
            columns: 2,
        })
    };
    let mut muon = Optimizer::new(options, wrong);
    let refused = muon.step(model.clone(), gradient(&model), 0).unwrap_err();
    assert!(refused.to_string().contains("3 matrices of 2 × 2"));
    // Gradients of different widths can't be added up.
    let mut sum = gradient(&model);
    let refused = sum.add(gradient(&wide)).unwrap_err();
    assert!(refused.to_string().contains("6 values, wanted 4"));
}
