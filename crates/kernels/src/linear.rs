//! Linear layers for inference: the weight is packed once, and what follows the product is done on the way.
//!
//! `R` rows, `I` inputs, `O` outputs.

use crate::activation::Activation;
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, multiply_parallel};

/// A linear layer whose weight is laid out for products in f32.
pub struct Linear {
    right: Right<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

/// What becomes of a layer's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is stored.
    Store,
    /// It is added to what is there: a residual connection.
    Add,
    /// Its activation is stored.
    Activate(Activation),
    /// The activation of its sum with what is there is stored: a ResNet's residual connection.
    AddActivate(Activation),
}

impl Then {
    /// With a bias, or none if it is empty.
    pub(crate) fn finish(self, bias: &[f32]) -> Finish<'_> {
        Finish {
            bias,
            accumulate: matches!(self, Self::Add | Self::AddActivate(_)),
            activation: match self {
                Self::Store | Self::Add => None,
                Self::Activate(activation) | Self::AddActivate(activation) => Some(activation),
            },
        }
    }
}

impl Linear {
    /// Packs `weight` `[O, I]` with `bias` `[O]`, or none if that is empty.
    ///
    /// # Panics
    /// If `inputs` is 0, or the lengths do not fit it and each other.
    pub fn new(weight: &[f32], bias: &[f32], inputs: usize) -> Self {
        assert!(
            inputs > 0 && weight.len().is_multiple_of(inputs),
            "weight's length"
        );
        let outputs = weight.len() / inputs;
        assert!(bias.is_empty() || bias.len() == outputs, "bias's length");
        let mut right = Right::default();
        right.repack_transposed([inputs, outputs], |o| &weight[o * inputs..(o + 1) * inputs]);
        Self {
            right,
            bias: bias.to_vec(),
            inputs,
        }
    }

    /// Packs a projection `x W` by its matrix `W` `[I, O]`, without bias.
    ///
    /// # Panics
    /// If `outputs` is 0 or does not divide the matrix's length.
    pub fn from_matrix(matrix: &[f32], outputs: usize) -> Self {
        assert!(
            outputs > 0 && matrix.len().is_multiple_of(outputs),
            "the matrix's length"
        );
        let inputs = matrix.len() / outputs;
        let row = |k: usize| matrix.get(k * outputs..(k + 1) * outputs);
        Self {
            right: Right::pack(Isa::current(), [inputs, outputs], row),
            bias: Vec::new(),
            inputs,
        }
    }

    /// Inputs `I`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs `O`.
    pub fn outputs(&self) -> usize {
        self.right.columns()
    }

    /// Maps `x` `[R, I]` into `out` `[R, O]`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn apply(&self, x: &[f32], out: &mut [f32], then: Then) {
        self.apply_with(Isa::current(), x, out, then);
    }

    pub(crate) fn apply_with(&self, isa: Isa, x: &[f32], out: &mut [f32], then: Then) {
        assert!(x.len().is_multiple_of(self.inputs), "x's length");
        let left = Left::matrix(x, self.inputs);
        multiply_parallel(isa, &left, &self.right, out, then.finish(&self.bias));
    }
}
