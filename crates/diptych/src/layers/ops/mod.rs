//! The layers' operations, on tensors.
//!
//! On the CPU each goes to `kernels`, forward and backward (`flex`, `autodiff`), since Burn's own
//! autodiff takes them apart into many passes over memory. Elsewhere, and as the oracle of the tests,
//! they are Burn's own operations (`plain`).
//!
//! `N` inputs, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side, `L` tokens,
//! `R` rows.

mod autodiff;
mod flex;
mod plain;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use diptych_kernels::{Activation, Attention, AveragePool, Convolution, Rounding};

/// What the CPU's backend computes with `kernels`.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Ops: Backend {
    /// `[N, H, W, I]` with `[O, I, K, K]`: `[N, H', W', O]`.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    /// `x Wᵀ + b`: `[R, I]` with `[O, I]` and `[O]`.
    fn project(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    /// Batch norm of `[R, C]`, then ReLU if `relu`: the output and the batch's mean and biased
    /// variance, `[C]`.
    fn norm_columns(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Layer norm of `[R, W]`.
    fn norm_rows(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// Self-attention in `[N, L, 3 W]`: `[N, L, W]`.
    fn attend(qkv: FloatTensor<Self>, attention: Attention) -> FloatTensor<Self>;

    /// The activation of every value.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// `relu(x + y)`.
    fn add_relu(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Means of squares of `[N, H, W, C]`.
    fn pool(x: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self>;
}

/// The gradients of [`Ops`], given that of the output (`grad`): of the inputs, in their order.
pub(crate) trait Gradients: Backend {
    fn convolve_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    fn convolve_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        convolution: Convolution,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    fn project_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    fn project_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    fn project_bias(grad: FloatTensor<Self>) -> FloatTensor<Self>;

    fn norm_columns(
        norm: Normed<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> [FloatTensor<Self>; 3];

    fn norm_rows(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> [FloatTensor<Self>; 3];

    /// That of `x` alone.
    fn norm_rows_input(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    fn attend(
        qkv: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        attention: Attention,
    ) -> FloatTensor<Self>;

    fn activate(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// One gradient, of both terms.
    fn add_relu(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    fn pool(grad: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self>;
}

/// What the backward of batch norm remembers of its forward.
#[derive(Clone, Debug)]
pub(crate) struct Normed<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    output: FloatTensor<B>,
}

/// Whether `kernels` computes on this tensor.
pub fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device().inner() == Device::flex()
}

/// A tensor's values in f32; without a copy, where nothing else holds it.
pub fn plain_values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let data = x.into_data().convert::<f32>();
    data.try_into_vec().unwrap_or_else(|error| {
        // It was converted to f32 above, so the type can't differ.
        unreachable!("values in f32: {error:?}")
    })
}

/// Convolves channels-last `x` `[N, H, W, I]` with `weight` `[O, I, K, K]`, K odd, padded by K / 2,
/// into `[N, H / stride, W / stride, O]`.
pub(crate) fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
    rounding: Rounding,
) -> Tensor<4> {
    if !has_kernels(&x) {
        return plain::convolution(x, weight, stride);
    }
    let [_, height, width, inputs] = x.dims();
    let [outputs, _, kernel, _] = weight.dims();
    let convolution = Convolution {
        height,
        width,
        inputs,
        outputs,
        kernel,
        stride,
    };
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::convolve(x, weight, convolution, rounding))
}

/// Rows from which packing the weight, one pass over it, pays.
const MANY_ROWS: usize = 256;

/// `x Wᵀ + b` for `x` `[…, I]`, with `weight` `[O, I]` and `bias` `[O]`.
pub(crate) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    rounding: Rounding,
) -> Tensor<D> {
    let [outputs, inputs] = weight.dims();
    let mut shape = x.dims();
    let rows = shape.iter().product::<usize>() / inputs;
    let few = rows < MANY_ROWS && rounding == Rounding::F32;
    if few || !has_kernels(&x) {
        return burn::tensor::module::linear(x, weight.transpose(), Some(bias));
    }
    let x = x.reshape([rows, inputs]).into_dispatch();
    let y = Dispatch::project(x, weight.into_dispatch(), bias.into_dispatch(), rounding);
    shape[D - 1] = outputs;
    Tensor::<2>::from_dispatch(y).reshape(shape)
}

/// What [`batch_norm`] gives.
pub(crate) struct BatchNormOutput {
    /// `[N, H, W, C]`.
    pub(crate) output: Tensor<4>,
    /// The batch's mean, `[C]`, detached.
    pub(crate) mean: Tensor<1>,
    /// The batch's biased variance, `[C]`, detached.
    pub(crate) variance: Tensor<1>,
}

/// Batch norm of `x` `[N, H, W, C]` by the batch's own statistics, then ReLU if `relu`.
pub(crate) fn batch_norm(
    x: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
    relu: bool,
) -> BatchNormOutput {
    let shape = x.dims();
    let [n, h, w, c] = shape;
    let x = x.reshape([n * h * w, c]);
    if !has_kernels(&x) {
        let (output, mean, variance) = plain::batch_norm(x, [weight, bias], epsilon, relu);
        return BatchNormOutput {
            output: output.reshape(shape),
            mean,
            variance,
        };
    }
    let (output, mean, variance) = Dispatch::norm_columns(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        relu,
    );
    BatchNormOutput {
        output: Tensor::<2>::from_dispatch(output).reshape(shape),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// Normalises the rows of `x` `[…, W]`, then scales and shifts them.
pub(crate) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    if !has_kernels(&x) {
        return burn::tensor::module::layer_norm(x, weight, Some(bias), epsilon);
    }
    let shape = x.dims();
    let width = shape[D - 1];
    let rows = shape.iter().product::<usize>() / width;
    let y = Dispatch::norm_rows(
        x.reshape([rows, width]).into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
    );
    Tensor::<2>::from_dispatch(y).reshape(shape)
}

/// Multi-head self-attention in stacked queries, keys and values `[N, L, 3 W]`: `[N, L, W]`.
pub(crate) fn attention(qkv: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [_, tokens, stacked] = qkv.dims();
    let attention = Attention {
        tokens,
        width: stacked / 3,
        heads,
        causal,
    };
    match has_kernels(&qkv) {
        true => Tensor::from_dispatch(Dispatch::attend(qkv.into_dispatch(), attention)),
        false => plain::attention(qkv, attention),
    }
}

/// The activation of every value.
pub(crate) fn activation<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::activate(x.into_dispatch(), activation)),
        false => plain::activation(x, activation),
    }
}

/// `relu(x + y)`.
pub(crate) fn add_relu(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::add_relu(x.into_dispatch(), y.into_dispatch())),
        false => burn::tensor::activation::relu(x + y),
    }
}

/// Means of `side` × `side` squares of `[N, H, W, C]`.
pub(crate) fn average_pool(x: Tensor<4>, side: usize) -> Tensor<4> {
    if side == 1 {
        return x;
    }
    let [_, height, width, channels] = x.dims();
    let pool = AveragePool {
        height,
        width,
        channels,
        side,
    };
    match has_kernels(&x) {
        true => Tensor::from_dispatch(Dispatch::pool(x.into_dispatch(), pool)),
        false => plain::average_pool(x, pool),
    }
}
