//! Batch norm of channels-last maps.
//!
//! Source: Ioffe & Szegedy, arXiv 1502.03167; `nn.BatchNorm2d` of PyTorch.
//!
//! `N` inputs, `H` × `W` positions, `C` channels.

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::Builder;
use super::ops::batch_norm;
use crate::Error;

/// The share of a batch in batch norm's running statistics, PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// The statistics that batch norm normalises by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the batch, which also moves the running statistics.
    Train,
    /// From the batch, and the running statistics stay: the first of two passes over it.
    Rehearse,
    /// From the running statistics.
    Infer,
}

/// Batch norm over every dimension but the last.
#[derive(Module, Debug)]
pub struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    /// Whether it is frozen: it then normalises by its running statistics, which never move.
    #[module(skip)]
    frozen: bool,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    /// The layer whose parameters and statistics are called `path.…`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, epsilon: f64) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            running_mean: RunningState::new(b.tensor(format!("{path}.running_mean"))?),
            running_var: RunningState::new(b.tensor(format!("{path}.running_var"))?),
            frozen: b.is_frozen(&format!("{path}.weight")),
            epsilon,
        })
    }

    /// Normalises, scales and shifts `[N, H, W, C]`; the shape stays.
    pub fn forward(&self, x: Tensor<4>, phase: Phase) -> Tensor<4> {
        match phase {
            Phase::Infer => self.infer(x),
            _ if self.frozen => self.infer(x),
            Phase::Train | Phase::Rehearse => self.by_batch(x, phase, false),
        }
    }

    /// [`BatchNorm::forward`], then ReLU.
    pub fn forward_relu(&self, x: Tensor<4>, phase: Phase) -> Tensor<4> {
        match phase {
            Phase::Infer => relu(self.infer(x)),
            _ if self.frozen => relu(self.infer(x)),
            Phase::Train | Phase::Rehearse => self.by_batch(x, phase, true),
        }
    }

    fn infer(&self, x: Tensor<4>) -> Tensor<4> {
        let deviation = (self.running_var.value() + self.epsilon).sqrt();
        let scale = self.weight.val() / deviation; // [C]
        let shift = self.bias.val() - self.running_mean.value() * scale.clone();
        x * scale.unsqueeze() + shift.unsqueeze()
    }

    fn by_batch(&self, x: Tensor<4>, phase: Phase, relu: bool) -> Tensor<4> {
        let [n, h, w, _] = x.dims();
        let rows = n * h * w;
        let parameters = [self.weight.val(), self.bias.val()];
        let norm = batch_norm(x, parameters, self.epsilon, relu);
        if phase == Phase::Train {
            // The running variance is the unbiased one, as in PyTorch.
            let unbiased = rows as f64 / (rows.max(2) - 1) as f64;
            blend(&self.running_mean, norm.mean);
            blend(&self.running_var, norm.variance.mul_scalar(unbiased));
        }
        norm.output
    }
}

/// Moves a running statistic towards a batch's.
fn blend(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let kept = running.value_sync().mul_scalar(1.0 - MOMENTUM);
    running.update(kept + batch.detach().mul_scalar(MOMENTUM));
    // Without this the update waits for the next one, and a checkpoint would lack it.
    running.value_sync();
}
