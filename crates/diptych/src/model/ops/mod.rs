//! Operations with a backward of their own, where autodiff's decomposition costs too much.
//!
//! Each is a function on tensors. Below it is a trait method that any backend has in terms of plain
//! tensor operations (`reference`), and that the CPU backend has as fused loops (`flex`); `autodiff`
//! ties forward and backward together. Tests hold the fused loops against the reference.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `K` kernel side, `R` rows.

mod autodiff;
mod flex;
mod reference;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::module::linear;

/// What the fused operations need of a backend.
#[backend_extension(Flex, Autodiff, Cube: cfg(any(feature = "cuda", feature = "wgpu")))]
pub(super) trait Ops: Backend {
    /// Gathers every position's neighbourhood: `[N, H, W, C]` → `[N·H'·W', K·K·C]`.
    fn columns(x: FloatTensor<Self>, kernel: usize, stride: usize) -> FloatTensor<Self> {
        reference::columns::<Self>(x, kernel, stride)
    }

    /// The adjoint of [`Ops::columns`]: adds every neighbourhood back to the places of `[N, H, W, C]`.
    fn fold(
        columns: FloatTensor<Self>,
        shape: [usize; 4],
        kernel: usize,
        stride: usize,
    ) -> FloatTensor<Self> {
        reference::fold::<Self>(columns, shape, kernel, stride)
    }

    /// Batch norm of `[R, C]` by its own statistics, then ReLU if `relu`: the output and the batch's
    /// mean and biased variance, `[C]`.
    fn norm_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        reference::norm_relu::<Self>(x, weight, bias, epsilon, relu)
    }

    /// The gradients of [`Ops::norm_relu`] for `x`, `weight` and `bias`, given what it took and gave
    /// (`norm`) and the output's gradient.
    fn norm_relu_backward(
        #[extension_type] norm: Norm<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        reference::norm_relu_backward::<Self>(norm, grad, epsilon, relu)
    }
}

/// What the backward of batch norm remembers of its forward.
#[derive(burn::backend::ExtensionType)]
pub(super) struct Norm<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    output: FloatTensor<B>,
}

/// Convolves channels-last `x` `[N, H, W, C]` with `weight` `[O, C, K, K]`, K odd, padded by K / 2,
/// into `[N, H / stride, W / stride, O]`.
///
/// A matrix product over gathered neighbourhoods; gathering and its backward are one pass each.
pub(super) fn convolution(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let [n, h, w, c] = x.dims();
    let [o, _, k, _] = weight.dims();
    let weight = weight
        .permute([0, 2, 3, 1])
        .reshape([o, k * k * c])
        .transpose(); // [KKC, O]
    if k == 1 && stride == 1 {
        return linear(x.reshape([n * h * w, c]), weight, None).reshape([n, h, w, o]);
    }
    let columns = Dispatch::columns(x.into_dispatch(), k, stride);
    let y = linear(Tensor::<2>::from_dispatch(columns), weight, None);
    y.reshape([n, h.div_ceil(stride), w.div_ceil(stride), o])
}

/// What [`batch_norm`] gives.
pub(super) struct BatchNormOutput {
    /// `[N, H, W, C]`.
    pub(super) output: Tensor<4>,
    /// The batch's mean, `[C]`, detached.
    pub(super) mean: Tensor<1>,
    /// The batch's biased variance, `[C]`, detached.
    pub(super) variance: Tensor<1>,
}

/// Batch norm of `x` `[N, H, W, C]` by the batch's own statistics, then ReLU if `relu`.
pub(super) fn batch_norm(
    x: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
    relu: bool,
) -> BatchNormOutput {
    let [n, h, w, c] = x.dims();
    let (output, mean, variance) = Dispatch::norm_relu(
        x.reshape([n * h * w, c]).into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        relu,
    );
    BatchNormOutput {
        output: Tensor::<2>::from_dispatch(output).reshape([n, h, w, c]),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}
