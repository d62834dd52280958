//! Linear layers for inference: the weight is packed once, and what follows the product is done on
//! the way.
//!
//! `R` rows, `I` inputs, `O` outputs.

use std::cell::Cell;

use half::bf16;

use crate::activation::Activation;
use crate::element::{Buffers, Element, Float};
use crate::int8::{Coded, Codes, INPUTS, Weights};
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, multiply_parallel};
use crate::rows::{Data, In, Input, Out, Rows};

/// The format that weights are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// In f32, for activations in f32.
    F32,
    /// In bf16, for activations in bf16.
    Bf16,
    /// In eight bits, one scale an output; activations of either kind are rounded to eight bits row
    /// by row.
    Int8,
}

/// A linear layer whose weight is laid out for products.
pub struct Linear {
    pub(crate) weight: Weight,
    pub(crate) bias: Vec<f32>,
    inputs: usize,
}

/// A right factor in one of the formats.
pub(crate) enum Weight {
    F32(Right<f32>),
    Bf16(Right<bf16>),
    Int8(Weights),
}

/// The step after a layer's product, which stores its output.
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
    /// This step with a bias, or without if `bias` is empty.
    pub(crate) fn finish(self, bias: &[f32]) -> Finish<'_> {
        Finish {
            codes: None,
            bias,
            accumulate: matches!(self, Self::Add | Self::AddActivate(_)),
            activation: match self {
                Self::Store | Self::Add => None,
                Self::Activate(activation) | Self::AddActivate(activation) => Some(activation),
            },
        }
    }
}

/// Memory for a layer's copy of its input, padded to whole steps or in codes.
#[derive(Default)]
struct Scratch {
    buffers: Buffers,
    coded: Coded,
}

thread_local! {
    // Taken out while it is used: a thread that waits for others may begin a second layer
    // meanwhile.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Packing {
    /// Values in a step of a product.
    pub(crate) fn step(self) -> usize {
        match self {
            Self::F32 => f32::STEP,
            Self::Bf16 => bf16::STEP,
            Self::Int8 => u8::STEP,
        }
    }
}

impl Weight {
    /// Packs a weight `[outputs, inputs]`.
    fn pack(packing: Packing, weight: &[f32], [inputs, outputs]: [usize; 2]) -> Self {
        let (isa, shape) = (Isa::current(), [inputs, outputs]);
        match packing {
            Packing::F32 => Self::F32(Right::pack_transposed(isa, weight, shape)),
            Packing::Bf16 => Self::Bf16(Right::pack_transposed(isa, weight, shape)),
            Packing::Int8 => Self::Int8(Weights::new(shape, |o| &weight[o * inputs..][..inputs])),
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::F32(right) => right.columns(),
            Self::Bf16(right) => right.columns(),
            Self::Int8(weights) => weights.right().columns(),
        }
    }
}

impl Linear {
    /// Packs `weight` `[O, I]` with `bias` `[O]`, or none if that is empty.
    ///
    /// # Panics
    /// If `inputs` is 0 or, for eight bits, more than 2¹⁵, or the lengths do not fit it and each
    /// other.
    pub fn new(weight: &[f32], bias: &[f32], inputs: usize, packing: Packing) -> Self {
        assert!(
            inputs > 0 && weight.len().is_multiple_of(inputs),
            "weight's length"
        );
        assert!(packing != Packing::Int8 || inputs <= INPUTS, "inputs");
        let outputs = weight.len() / inputs;
        assert!(bias.is_empty() || bias.len() == outputs, "bias's length");
        Self {
            weight: Weight::pack(packing, weight, [inputs, outputs]),
            bias: bias.to_vec(),
            inputs,
        }
    }

    /// Packs a projection `x W` by its matrix `W` `[I, O]`, without bias.
    ///
    /// # Panics
    /// As [`Linear::new`].
    pub fn from_matrix(matrix: &[f32], outputs: usize, packing: Packing) -> Self {
        assert!(
            outputs > 0 && matrix.len().is_multiple_of(outputs),
            "the matrix's length"
        );
        let inputs = matrix.len() / outputs;
        let mut weight = vec![0f32; matrix.len()];
        for (i, row) in matrix.chunks_exact(outputs).enumerate() {
            for (o, value) in row.iter().enumerate() {
                weight[o * inputs + i] = *value;
            }
        }
        Self::new(&weight, &[], inputs, packing)
    }

    /// Inputs `I`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs `O`.
    pub fn outputs(&self) -> usize {
        self.weight.outputs()
    }

    /// Maps `x` `[R, I]` into `out` `[R, O]`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or `x` another format than the weight is
    /// for.
    pub fn apply<'a>(&self, x: impl Into<In<'a>>, out: impl Into<Out<'a>>, then: Then) {
        self.apply_with(Isa::current(), x.into(), out.into(), then);
    }

    pub(crate) fn apply_with(&self, isa: Isa, x: In, out: Out, then: Then) {
        match out {
            Out::F32(out) => self.apply_into(isa, x, out, then),
            Out::Rows(Rows(Data::F32(out))) => self.apply_into(isa, x, out, then),
            Out::Rows(Rows(Data::Bf16(out))) => self.apply_into(isa, x, out, then),
        }
    }

    fn apply_into<O: Float>(&self, isa: Isa, x: In, out: &mut [O], then: Then) {
        match x.0 {
            Input::Rows(Rows(Data::F32(x))) => self.apply_as(isa, x, out, then),
            Input::Rows(Rows(Data::Bf16(x))) => self.apply_as(isa, x, out, then),
            Input::Coded(coded) => match &self.weight {
                Weight::Int8(weights) => self.multiply_codes(isa, (coded, weights), out, then),
                _ => panic!("codes for a weight that is none"),
            },
        }
    }

    pub(crate) fn apply_as<F: Float, O: Float>(
        &self,
        isa: Isa,
        x: &[F],
        out: &mut [O],
        then: Then,
    ) {
        assert!(x.len().is_multiple_of(self.inputs), "x's length");
        let finish = then.finish(&self.bias);
        match (F::right(&self.weight), &self.weight) {
            (Some(right), _) if self.inputs.is_multiple_of(F::STEP) => {
                multiply_parallel(isa, &Left::matrix(x, self.inputs), right, out, finish);
            }
            (Some(right), _) => {
                let mut scratch = SCRATCH.take();
                let whole = self.inputs.next_multiple_of(F::STEP);
                let copy = F::buffer(&mut scratch.buffers);
                copy.clear();
                for row in x.chunks_exact(self.inputs) {
                    copy.extend_from_slice(row);
                    copy.resize(copy.len() + whole - self.inputs, F::default());
                }
                multiply_parallel(isa, &Left::matrix(copy, whole), right, out, finish);
                SCRATCH.set(scratch);
            }
            (None, Weight::Int8(weights)) => {
                let mut scratch = SCRATCH.take();
                scratch.coded.set(isa, x, self.inputs);
                self.multiply_codes(isa, (&scratch.coded, weights), out, then);
                SCRATCH.set(scratch);
            }
            _ => panic!("a weight for activations in another packing"),
        }
    }

    fn multiply_codes<O: Float>(
        &self,
        isa: Isa,
        (coded, weights): (&Coded, &Weights),
        out: &mut [O],
        then: Then,
    ) {
        assert_eq!(coded.inputs(), self.inputs, "the codes' inputs");
        let finish = Finish {
            codes: Some(Codes::new(coded, weights)),
            ..then.finish(&self.bias)
        };
        multiply_parallel(isa, &coded.left(), weights.right(), out, finish);
    }
}
