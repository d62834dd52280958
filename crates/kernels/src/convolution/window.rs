//! The inputs under a window that slides along one dimension of a map.

use std::ops::Range;

use crate::taps::{Filter, Taps};

/// A window that slides along one dimension: output `t` reads the inputs `first + t · step …`,
/// `taps` of them; those outside `0..given` are zeros. For example with `first` −1, `step` 2 and 3
/// `taps`, output 0 reads −1, 0, 1 and output 1 reads 1, 2, 3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) given: usize,
    pub(super) first: isize,
    pub(super) step: usize,
    pub(super) taps: usize,
    pub(super) count: usize,
}

impl Window {
    /// The window for some of its outputs alone.
    pub(super) fn band(self, outputs: Range<usize>) -> Self {
        Self {
            first: self.first + (outputs.start * self.step) as isize,
            count: outputs.len(),
            ..self
        }
    }

    /// Number of inputs that are read, zeros included.
    pub(super) fn span(&self) -> usize {
        match self.count {
            0 => 0,
            count => (count - 1) * self.step + self.taps,
        }
    }

    /// The read inputs that exist and are no padding, as places counted from `first`.
    pub(super) fn inside(&self) -> Range<usize> {
        let end = (self.given as isize - self.first).clamp(0, self.span() as isize);
        let start = (-self.first).clamp(0, end);
        start as usize..end as usize
    }

    /// The input at a place counted from `first`.
    pub(super) fn input(&self, place: usize) -> usize {
        (self.first + place as isize) as usize
    }
}

/// The outputs `start`, `start + every`, …, which a window makes with the same taps of a kernel.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) start: usize,
    pub(super) every: usize,
    pub(super) window: Window,
    /// The kernel's taps under the window, in its order.
    pub(super) taps: Vec<usize>,
}

/// The geometry of a convolution along one dimension.
#[derive(Clone, Copy)]
pub(super) struct Dimension {
    inputs: usize,
    pub(super) outputs: usize,
    kernel: usize,
    padding: usize,
    stride: usize,
}

impl Dimension {
    pub(super) fn new([inputs, kernel, padding]: [usize; 3], stride: usize) -> Self {
        Self {
            inputs,
            outputs: (inputs + 2 * padding - kernel) / stride + 1,
            kernel,
            padding,
            stride,
        }
    }

    /// The sum that makes each output.
    pub(super) fn taps(&self) -> Taps {
        let kernel = Filter {
            inputs: self.inputs,
            taps: self.kernel,
            up: 1,
            down: self.stride,
            before: self.padding as isize,
        };
        Taps::of_filter(&kernel, self.outputs)
    }

    /// The window that makes the outputs.
    pub(super) fn window(&self) -> Window {
        Window {
            given: self.inputs,
            first: -(self.padding as isize),
            step: self.stride,
            taps: self.kernel,
            count: self.outputs,
        }
    }

    /// The forward: all outputs by all taps.
    pub(super) fn forward(&self) -> Vec<Phase> {
        vec![Phase {
            start: 0,
            every: 1,
            window: self.window(),
            taps: (0..self.kernel).collect(),
        }]
    }

    /// The adjoint, which goes from outputs back to inputs.
    ///
    /// In the forward, output `t` reads input `y = t · stride + k − padding` with tap `k`. So an
    /// input meets only the taps `k` that have the same remainder by `stride` as `y + padding`, the
    /// last tap first, and no zeros between outputs are needed. For example with stride 2, 3 taps
    /// and no padding, even inputs meet the taps 2 and 0, odd ones the tap 1.
    pub(super) fn adjoint(&self) -> Vec<Phase> {
        let Self {
            kernel,
            padding,
            stride,
            ..
        } = *self;
        let phase = |remainder: usize| {
            // Inputs are y = stride · (first + i) + remainder − padding.
            let first = padding.saturating_sub(remainder).div_ceil(stride);
            let start = stride * first + remainder - padding;
            let count = self.inputs.saturating_sub(start).div_ceil(stride);
            let taps: Vec<usize> = (remainder..kernel).step_by(stride).rev().collect();
            let window = Window {
                given: self.outputs,
                first: first as isize + 1 - taps.len() as isize,
                step: 1,
                taps: taps.len(),
                count,
            };
            Phase {
                start,
                every: stride,
                window,
                taps,
            }
        };
        (0..stride)
            .map(phase)
            .filter(|p| p.window.count > 0)
            .collect()
    }
}

impl Phase {
    /// The indices of its outputs that are among these outputs.
    pub(super) fn among(&self, outputs: Range<usize>) -> Range<usize> {
        let index = |output: usize| {
            let index = output.saturating_sub(self.start).div_ceil(self.every);
            index.min(self.window.count)
        };
        index(outputs.start)..index(outputs.end)
    }
}
