//! Convolutions of channels-last maps, forward and backward; a linear layer is the one with `K` =
//! 1.
//!
//! [`sliding`] has the forward and the gradient of the input, [`weight`] that of the weight,
//! [`depthwise`] all three where each channel is by itself. A transposed convolution is the
//! gradient of the input, so it needs nothing of its own.
//!
//! Pictures are split among threads in parts that do not depend on the number of threads, so
//! neither do the results.

mod depthwise;
mod layout;
mod packed;
mod sliding;
mod weight;
mod window;

pub use layout::{Direction, PackedWeight};
pub use packed::PackedConvolution;

use half::bf16;

use crate::element::{Float, Rounding};
use crate::isa::Isa;
use crate::product::Right;
use sliding::{Kernel, Sliding};
use window::Dimension;

/// Rows and columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Extent {
    /// As many rows as columns.
    pub const fn square(side: usize) -> Self {
        Self {
            height: side,
            width: side,
        }
    }

    /// Rows times columns.
    pub const fn positions(self) -> usize {
        self.height * self.width
    }
}

/// The geometry of a convolution, as `nn.Conv2d` of PyTorch has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Input rows `H`.
    pub height: usize,
    /// Input columns `W`.
    pub width: usize,
    /// Input channels `I`.
    pub inputs: usize,
    /// Output channels `O`.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: Extent,
    /// Zeros above and below, and left and right.
    pub padding: Extent,
    /// Input positions from one output position to the next.
    pub stride: usize,
    /// Parts `G` that the channels are split into, each with a kernel of its own.
    pub groups: usize,
}

/// Positions that are worked on at a time: enough for the tiles, few enough for the cache.
const POSITIONS: usize = 1024;

/// Parts that a batch is split into at the least: by pictures, or by rows if there are too few.
const PARTS: usize = 8;

impl Convolution {
    /// A linear layer: a convolution of single positions.
    pub fn linear(inputs: usize, outputs: usize) -> Self {
        Self {
            height: 1,
            width: 1,
            inputs,
            outputs,
            kernel: Extent::square(1),
            padding: Extent::default(),
            stride: 1,
            groups: 1,
        }
    }

    /// Rows and columns of the output: `(side + 2 padding − kernel) / stride + 1`, rounded down.
    ///
    /// # Panics
    /// If the shape is none: a number is 0, the kernel is larger than the padded map, or the groups
    /// divide the channels unevenly.
    pub fn output(&self) -> Extent {
        self.check();
        Extent {
            height: self.rows().outputs,
            width: self.columns().outputs,
        }
    }

    /// Convolves `x` `[N, H, W, I]` with `weight` `[O, I / G, K, K]`, then adds `bias` `[O]`, or
    /// nothing if that is empty: `[N, H', W', O]`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn forward(&self, rounding: Rounding, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.forward_as::<f32>(Isa::current(), x, weight, bias),
            Rounding::Bf16 => self.forward_as::<bf16>(Isa::current(), x, weight, bias),
        }
    }

    /// The gradient of `x`, given `grad` `[N, H', W', O]` of the output.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn input_gradient(&self, rounding: Rounding, grad: &[f32], weight: &[f32]) -> Vec<f32> {
        self.transposed(rounding, grad, weight, &[])
    }

    /// The transposed convolution of `y` `[N, H', W', O]`: `[N, H, W, I]`, computed as this
    /// convolution's gradient of `x`. Then `bias` `[I]` is added, or nothing if that is empty.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn transposed(
        &self,
        rounding: Rounding,
        y: &[f32],
        weight: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.transposed_as::<f32>(Isa::current(), y, weight, bias),
            Rounding::Bf16 => self.transposed_as::<bf16>(Isa::current(), y, weight, bias),
        }
    }

    /// The gradient of `weight`, given `x` and `grad` `[N, H', W', O]` of the output.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn weight_gradient(&self, rounding: Rounding, x: &[f32], grad: &[f32]) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.weight_gradient_as::<f32>(Isa::current(), x, grad),
            Rounding::Bf16 => self.weight_gradient_as::<bf16>(Isa::current(), x, grad),
        }
    }

    pub(crate) fn forward_as<E: Float>(
        &self,
        isa: Isa,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        self.check_weight(weight);
        assert!(
            bias.is_empty() || bias.len() == self.outputs,
            "bias's length"
        );
        let c = self.flat(x.len() / self.inputs);
        if c.is_depthwise() {
            return depthwise::forward(&c, isa, x, weight, bias);
        }
        let kernels = c.pack_as::<E>(isa, Direction::Forward, weight);
        Sliding::new(&c, Direction::Forward).apply(isa, &kernels, x, bias)
    }

    pub(crate) fn transposed_as<E: Float>(
        &self,
        isa: Isa,
        y: &[f32],
        weight: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        self.check_weight(weight);
        assert!(
            bias.is_empty() || bias.len() == self.inputs,
            "bias's length"
        );
        let c = self.flat(y.len() / self.outputs);
        if c.is_depthwise() {
            return depthwise::adjoint(&c, isa, y, weight, bias);
        }
        let kernels = c.pack_as::<E>(isa, Direction::Adjoint, weight);
        Sliding::new(&c, Direction::Adjoint).apply(isa, &kernels, y, bias)
    }

    /// The right factors of a direction.
    fn pack_as<E: Float>(&self, isa: Isa, direction: Direction, weight: &[f32]) -> Vec<Right<E>> {
        let [taps, inputs, _] = self.products();
        let sliding = Sliding::new(self, direction);
        match direction {
            Direction::Forward => sliding.pack(
                isa,
                &Kernel {
                    values: weight,
                    first: |group, input, tap| self.place(group, [0, input], tap),
                    stride: inputs * taps,
                },
            ),
            Direction::Adjoint => sliding.pack(
                isa,
                &Kernel {
                    values: weight,
                    first: |group, output, tap| self.place(group, [output, 0], tap),
                    stride: taps,
                },
            ),
        }
    }

    pub(crate) fn weight_gradient_as<E: Float>(
        &self,
        isa: Isa,
        x: &[f32],
        grad: &[f32],
    ) -> Vec<f32> {
        self.check();
        let c = self.flat(x.len() / self.inputs);
        if c.is_depthwise() {
            return depthwise::weight_gradient(&c, isa, x, grad);
        }
        weight::gradient::<E>(&c, isa, [x, grad])
    }

    /// Place of the weight from an input of a group to an output, at row `y` and column `x` of the
    /// kernel.
    #[inline(always)]
    fn place(&self, group: usize, [output, input]: [usize; 2], [y, x]: [usize; 2]) -> usize {
        let [taps, inputs, outputs] = self.products();
        ((group * outputs + output) * inputs + input) * taps + y * self.kernel.width + x
    }

    /// Taps of the kernel, and input and output channels of a group.
    fn products(&self) -> [usize; 3] {
        let taps = self.kernel.positions();
        [taps, self.inputs / self.groups, self.outputs / self.groups]
    }

    fn given(&self) -> Extent {
        Extent {
            height: self.height,
            width: self.width,
        }
    }

    fn rows(&self) -> Dimension {
        let sides = [self.height, self.kernel.height, self.padding.height];
        Dimension::new(sides, self.stride)
    }

    fn columns(&self) -> Dimension {
        let sides = [self.width, self.kernel.width, self.padding.width];
        Dimension::new(sides, self.stride)
    }

    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.inputs && self.groups == self.outputs
    }

    /// Whether it is a linear layer: each position is mapped by itself, in one group.
    fn is_linear(&self) -> bool {
        self.kernel == Extent::square(1)
            && self.padding == Extent::default()
            && (self.stride, self.groups) == (1, 1)
    }

    /// A linear layer's positions as one picture's rows, so that they are split evenly.
    fn flat(self, positions: usize) -> Self {
        if self.is_linear() && positions > 0 {
            Self {
                height: positions,
                width: 1,
                ..self
            }
        } else {
            self
        }
    }

    fn check_weight(&self, weight: &[f32]) {
        self.check();
        let [taps, inputs, _] = self.products();
        assert_eq!(
            weight.len(),
            self.outputs * inputs * taps,
            "weight's length"
        );
    }

    /// Checks the geometry, so that sizes computed from it do not wrap.
    ///
    /// # Panics
    /// If it is none: a number is 0, the kernel larger than the padded map, the groups do not
    /// divide the channels, or a picture is larger than any memory.
    fn check(&self) {
        let sides = [
            self.height,
            self.width,
            self.inputs,
            self.outputs,
            self.kernel.height,
            self.kernel.width,
            self.stride,
            self.groups,
        ];
        assert!(
            sides.iter().all(|&side| side > 0)
                && self.inputs.is_multiple_of(self.groups)
                && self.outputs.is_multiple_of(self.groups),
            "not a convolution: {self:?}"
        );
        let padded = |side: usize, padding: usize, kernel: usize| {
            let padded = side.saturating_add(padding.saturating_mul(2));
            assert!(kernel <= padded, "too small: {self:?}");
            padded.saturating_add(kernel)
        };
        let factors = [
            padded(self.height, self.padding.height, self.kernel.height),
            padded(self.width, self.padding.width, self.kernel.width),
            self.inputs.max(self.outputs).saturating_add(1),
            self.kernel.height.saturating_mul(self.kernel.width),
            self.inputs.min(self.outputs).saturating_add(1),
        ];
        let size = factors
            .iter()
            .try_fold(1usize, |size, &f| size.checked_mul(f));
        assert!(
            size.is_some_and(|size| size < 1 << 48),
            "too large: {self:?}"
        );
    }
}
