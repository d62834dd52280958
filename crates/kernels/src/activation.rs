//! Activations, forward and backward.

use crate::buffer::fill;
use crate::isa::Isa;
use crate::math::{erf, exp};
use crate::vectorised::vectorised;

/// An activation: of a Transformer's MLP, or ReLU, a ResNet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · Φ(x)`, by the error function.
    Gelu,
    /// `x · sigmoid(1.702 x)`, OpenAI's approximation.
    QuickGelu,
    /// `x · sigmoid(√(8/π) (x + 0.044715 x³))`, which is GELU by the hyperbolic tangent.
    GeluTanh,
    /// `max(x, 0)`; NaN stays.
    Relu,
}

/// Values that one task takes.
const TASK: usize = 1 << 15;

impl Activation {
    /// The activation of every value.
    pub fn forward(self, x: &[f32]) -> Vec<f32> {
        self.forward_with(Isa::current(), x)
    }

    /// The gradient of `x`, given that of the output.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn backward(self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        self.backward_with(Isa::current(), x, grad)
    }

    pub(crate) fn forward_with(self, isa: Isa, x: &[f32]) -> Vec<f32> {
        fill(x.len(), TASK, |first, out| {
            out.copy_from_slice(&x[first..first + out.len()]);
            activate_part(isa, self, out);
        })
    }

    pub(crate) fn backward_with(self, isa: Isa, x: &[f32], grad: &[f32]) -> Vec<f32> {
        assert_eq!(x.len(), grad.len(), "lengths");
        fill(x.len(), TASK, |first, out| {
            let [x, grad] = [x, grad].map(|v| &v[first..first + out.len()]);
            match self {
                Self::Gelu => gelu_backward(isa, x, grad, out),
                Self::QuickGelu => quick_gelu_backward(isa, x, grad, out),
                Self::GeluTanh => gelu_tanh_backward(isa, x, grad, out),
                Self::Relu => relu_backward_part(isa, x, grad, out),
            }
        })
    }
}

/// `relu(x + y)`.
///
/// # Panics
/// If the lengths differ.
pub fn add_relu(x: &[f32], y: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), y.len(), "lengths");
    fill(x.len(), TASK, |first, out| {
        let [x, y] = [x, y].map(|v| &v[first..first + out.len()]);
        add_relu_part(Isa::current(), x, y, out);
    })
}

/// The gradient of either term of [`add_relu`], given its output and that output's gradient.
///
/// # Panics
/// If the lengths differ.
pub fn add_relu_backward(output: &[f32], grad: &[f32]) -> Vec<f32> {
    assert_eq!(output.len(), grad.len(), "lengths");
    fill(output.len(), TASK, |first, out| {
        let [output, grad] = [output, grad].map(|v| &v[first..first + out.len()]);
        relu_backward_part(Isa::current(), output, grad, out);
    })
}

/// `Φ(x)`, the share of a standard normal below `x`.
#[inline(always)]
fn phi(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// Applies an activation to every value, within a loop that is compiled for each instruction set.
#[inline(always)]
pub(crate) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Gelu => values.iter_mut().for_each(|x| *x *= phi(*x)),
        Activation::QuickGelu => values.iter_mut().for_each(|x| *x /= 1.0 + exp(-1.702 * *x)),
        Activation::GeluTanh => values
            .iter_mut()
            .for_each(|x| *x /= 1.0 + exp(-SLOPE * (*x + CUBIC * *x * *x * *x))),
        Activation::Relu => values.iter_mut().for_each(|x| *x = relu(*x)),
    }
}

/// `max(x, 0)`; NaN passes.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

vectorised! {
    fn activate_part(activation: Activation, values: &mut [f32]) {
        activate(activation, values);
    }
}

vectorised! {
    fn gelu_backward(x: &[f32], grad: &[f32], out: &mut [f32]) {
        const DENSITY: f32 = 0.398_942_3; // 1 / √(2π)
        for (out, (&x, &g)) in out.iter_mut().zip(x.iter().zip(grad)) {
            *out = g * (phi(x) + x * DENSITY * exp(-0.5 * x * x));
        }
    }
}

vectorised! {
    fn quick_gelu_backward(x: &[f32], grad: &[f32], out: &mut [f32]) {
        for (out, (&x, &g)) in out.iter_mut().zip(x.iter().zip(grad)) {
            let s = 1.0 / (1.0 + exp(-1.702 * x));
            *out = g * s * (1.0 + 1.702 * x * (1.0 - s));
        }
    }
}

/// √(8/π), and the cubic term's weight (Hendrycks & Gimpel, arXiv 1606.08415).
pub(crate) const SLOPE: f32 = 1.595_769_2;
pub(crate) const CUBIC: f32 = 0.044_715;

vectorised! {
    fn gelu_tanh_backward(x: &[f32], grad: &[f32], out: &mut [f32]) {
        for (out, (&x, &g)) in out.iter_mut().zip(x.iter().zip(grad)) {
            let s = 1.0 / (1.0 + exp(-SLOPE * (x + CUBIC * x * x * x)));
            let slope = SLOPE * (1.0 + 3.0 * CUBIC * x * x);
            *out = g * s * (1.0 + x * slope * (1.0 - s));
        }
    }
}

vectorised! {
    fn add_relu_part(x: &[f32], y: &[f32], out: &mut [f32]) {
        for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
            *out = relu(x + y);
        }
    }
}

vectorised! {
    fn relu_backward_part(y: &[f32], grad: &[f32], out: &mut [f32]) {
        for (out, (&y, &g)) in out.iter_mut().zip(y.iter().zip(grad)) {
            *out = if y <= 0.0 { 0.0 } else { g };
        }
    }
}
