//! The stages of a ModifiedResNet: which convolutions a block has.
//!
//! Source: `Bottleneck` in OpenAI's `clip/model.py`, commit d05afc4.

/// Batch norm's ε, PyTorch's default.
pub(crate) const BATCH_NORM_EPSILON: f64 = 1e-5;

/// A bottleneck's output has four times its inner channels.
pub(super) const EXPANSION: usize = 4;

/// The channels and stride of the `block`-th bottleneck of a stage (both from 0).
pub(crate) struct BottleneckShape {
    pub(crate) inputs: usize,
    pub(crate) inner: usize,
    pub(crate) stride: usize,
}

impl BottleneckShape {
    pub(crate) fn new(stage: usize, block: usize, width: usize) -> Self {
        let inner = width << stage;
        let first = block == 0;
        let inputs = match (stage, first) {
            (0, true) => width,
            (_, true) => inner / 2 * EXPANSION,
            (_, false) => inner * EXPANSION,
        };
        Self {
            inputs,
            inner,
            stride: if first && stage > 0 { 2 } else { 1 },
        }
    }

    /// Whether the shortcut needs a convolution of its own.
    pub(crate) fn downsample(&self) -> bool {
        self.stride > 1 || self.inputs != self.inner * EXPANSION
    }
}
