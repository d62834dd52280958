//! A weight laid out once for many convolutions: one that is not trained.

use half::bf16;

use super::Convolution;
use super::sliding::Sliding;
use crate::element::Rounding;
use crate::isa::Isa;
use crate::product::Right;

/// The direction that a convolution is computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From its input to its output: [`Convolution::forward`].
    Forward,
    /// Back: [`Convolution::transposed`] and [`Convolution::input_gradient`].
    Adjoint,
}

/// A convolution's weight, laid out for the products of one direction.
pub struct PackedWeight {
    convolution: Convolution,
    rounding: Rounding,
    direction: Direction,
    layout: Layout,
}

/// The right factors: for every phase and group.
enum Layout {
    F32(Vec<Right<f32>>),
    Bf16(Vec<Right<bf16>>),
    /// As it was given, where each channel is by itself.
    Depthwise(Vec<f32>),
}

impl std::fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} of {:?}", self.direction, self.convolution)
    }
}

impl PackedWeight {
    /// Lays out `weight` `[O, I / G, K, K]`.
    ///
    /// # Panics
    /// If it has another length, or the shape is none.
    pub fn new(c: &Convolution, rounding: Rounding, direction: Direction, weight: &[f32]) -> Self {
        c.check_weight(weight);
        let isa = Isa::current();
        let layout = match rounding {
            _ if c.is_depthwise() => Layout::Depthwise(weight.to_vec()),
            Rounding::F32 => Layout::F32(c.pack_as(isa, direction, weight)),
            Rounding::Bf16 => Layout::Bf16(c.pack_as(isa, direction, weight)),
        };
        Self {
            convolution: *c,
            rounding,
            direction,
            layout,
        }
    }

    /// Whether it is laid out for this convolution, rounding and direction. It serves maps of any
    /// size, unless it is for the adjoint of a convolution with a stride.
    pub fn serves(&self, c: &Convolution, rounding: Rounding, direction: Direction) -> bool {
        let sized = if direction == Direction::Forward || c.stride == 1 {
            Convolution {
                height: self.convolution.height,
                width: self.convolution.width,
                ..*c
            }
        } else {
            *c
        };
        sized == self.convolution && rounding == self.rounding && direction == self.direction
    }

    /// [`Convolution::forward`] or [`Convolution::transposed`]: the same values.
    ///
    /// # Panics
    /// As those, and if it is not laid out for this convolution.
    pub fn apply(&self, c: &Convolution, x: &[f32], bias: &[f32]) -> Vec<f32> {
        assert!(
            self.serves(c, self.rounding, self.direction),
            "for {self:?}"
        );
        c.check();
        let [inputs, outputs] = match self.direction {
            Direction::Forward => [c.inputs, c.outputs],
            Direction::Adjoint => [c.outputs, c.inputs],
        };
        assert!(bias.is_empty() || bias.len() == outputs, "bias's length");
        let c = c.flat(x.len() / inputs);
        let sliding = || Sliding::new(&c, self.direction);
        let isa = Isa::current();
        match &self.layout {
            Layout::F32(kernels) => sliding().apply(isa, kernels, x, bias),
            Layout::Bf16(kernels) => sliding().apply(isa, kernels, x, bias),
            Layout::Depthwise(weight) => match self.direction {
                Direction::Forward => c.forward(self.rounding, x, weight, bias),
                Direction::Adjoint => c.transposed(self.rounding, x, weight, bias),
            },
        }
    }
}
