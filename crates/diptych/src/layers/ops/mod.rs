//! The layers' operations, on tensors.
//!
//! On the CPU each goes to `kernels`, forward and backward (`flex`, `autodiff`), since Burn's own
//! autodiff takes them apart into many passes over memory. Elsewhere, and as the oracle of the
//! tests, they are Burn's own operations (`plain`).
//!
//! `N` inputs, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side, `L` tokens,
//! `R` rows.

mod autodiff;
mod flex;
mod maps;
mod plain;
mod products;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use diptych_kernels::{
    Activation, Attention, AveragePool, Convolution, CrossAttention, Extent, Fir, GroupNorm,
    NextAttention, Rounding,
};

pub use maps::average_pool;
pub(crate) use maps::{
    Slide, add_relu, batch_norm, convolution, filter, group_norm, modulate, transposed_convolution,
};
pub(crate) use plain::reciprocal_root;
pub(crate) use products::Products;

/// The operations that the CPU's backend computes with `kernels`.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Ops: Backend {
    /// `[N, H, W, I]` with `[O, I / G, K, K]` and `[O]`, which may be empty: `[N, H', W', O]`.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
        products: Products,
    ) -> FloatTensor<Self>;

    /// The adjoint: `[N, H', W', O]` with `[O, I / G, K, K]` and `[I]`, which may be empty:
    /// `[N, H, W, I]`.
    fn transpose_convolve(
        y: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
        products: Products,
    ) -> FloatTensor<Self>;

    /// `x Wᵀ + b`: `[R, I]` with `[O, I]` and `[O]`, which may be empty.
    fn project(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        products: Products,
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

    /// Group norm of `[N, P, C]`.
    fn norm_groups(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> FloatTensor<Self>;

    /// `[N, P, C]` times `[N, C]`.
    fn modulate(x: FloatTensor<Self>, factors: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `[N, H, W, C]`, up- and downsampled.
    fn filter(x: FloatTensor<Self>, fir: Fir) -> FloatTensor<Self>;

    /// Self-attention in `[N, L, 3 W]`: `[N, L, W]`.
    fn attend(qkv: FloatTensor<Self>, attention: Attention) -> FloatTensor<Self>;

    /// Attention of queries `[N, Q, W]` to keys and values `[N, L, 2 W]`: `[N, Q, W]`.
    fn attend_to(
        queries: FloatTensor<Self>,
        keys_values: FloatTensor<Self>,
        attention: CrossAttention,
    ) -> FloatTensor<Self>;

    /// Attention of one query per input `[N, W]` to the first of `[N, C, 2 W]` keys and values:
    /// `[N, W]`, which has no gradient.
    fn attend_next(
        queries: FloatTensor<Self>,
        keys_values: FloatTensor<Self>,
        attention: NextAttention,
    ) -> FloatTensor<Self>;

    /// The activation of every value.
    fn activate(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// `relu(x + y)`.
    fn add_relu(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Means of squares of `[N, H, W, C]`.
    fn pool(x: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self>;
}

/// The gradients of [`Ops`] for their inputs, in the inputs' order, given the output's (`grad`).
pub(crate) trait Gradients: Backend {
    fn convolve_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
        products: Products,
    ) -> FloatTensor<Self>;

    fn convolve_weight(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        convolution: Convolution,
        rounding: Rounding,
    ) -> FloatTensor<Self>;

    /// The bias's gradient `[O]`: the sums of `[N, H', W', O]` over all positions.
    fn convolve_bias(grad: FloatTensor<Self>) -> FloatTensor<Self>;

    fn transpose_convolve_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        convolution: Convolution,
        products: Products,
    ) -> FloatTensor<Self>;

    fn project_input(
        grad: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        products: Products,
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

    /// The gradient of `x` alone.
    fn norm_rows_input(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    fn norm_groups(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        norm: GroupNorm,
    ) -> [FloatTensor<Self>; 3];

    fn modulate(
        x: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 2];

    /// `map` is the input's.
    fn filter(grad: FloatTensor<Self>, map: Extent, fir: Fir) -> FloatTensor<Self>;

    fn attend(
        qkv: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        attention: Attention,
    ) -> FloatTensor<Self>;

    fn attend_to(
        queries: FloatTensor<Self>,
        keys_values: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        attention: CrossAttention,
    ) -> [FloatTensor<Self>; 2];

    fn activate(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// One gradient, which is the same for both terms.
    fn add_relu(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    fn pool(grad: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self>;
}

/// The tensors of batch norm's forward that its backward needs.
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
    #[cfg(test)]
    if crate::layers::tests::PLAIN.get() {
        return false;
    }
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

/// From so many rows on, laying out the weight, one pass over it, pays even for a single product.
const MANY_ROWS: usize = 256;

/// `x Wᵀ + b` for `x` `[…, I]`, with `weight` `[O, I]` and, if there is one, `bias` `[O]`.
pub(crate) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    products: &Products,
) -> Tensor<D> {
    let [outputs, inputs] = weight.dims();
    let mut shape = x.dims();
    let rows = shape.iter().product::<usize>() / inputs;
    let few = rows < MANY_ROWS && products.rounding == Rounding::F32;
    if (few && !products.is_constant()) || !has_kernels(&x) {
        return burn::tensor::module::linear(x, weight.transpose(), bias);
    }
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    let x = x.reshape([rows, inputs]).into_dispatch();
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    let y = Dispatch::project(x, weight, bias, products.clone());
    shape[D - 1] = outputs;
    Tensor::<2>::from_dispatch(y).reshape(shape)
}

/// Normalises the rows of `x` `[…, W]`, then scales and shifts them.
pub(crate) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    assert_eq!(
        weight.dims()[0],
        x.dims()[D - 1],
        "widths of weight and input"
    );
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
    if has_kernels(&qkv) {
        Tensor::from_dispatch(Dispatch::attend(qkv.into_dispatch(), attention))
    } else {
        plain::attention(qkv, attention)
    }
}

/// The activation of every value.
pub fn activation<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::activate(x.into_dispatch(), activation))
    } else {
        plain::activation(x, activation)
    }
}

/// Multi-head attention of queries `[N, Q, W]` to keys and values `[N, L, 2 W]`, keys first:
/// `[N, Q, W]`.
pub(crate) fn cross_attention(
    queries: Tensor<3>,
    keys_values: Tensor<3>,
    heads: usize,
) -> Tensor<3> {
    let [_, count, width] = queries.dims();
    let attention = CrossAttention {
        queries: count,
        keys: keys_values.dims()[1],
        width,
        heads,
    };
    if !has_kernels(&queries) {
        return plain::cross_attention(queries, keys_values, heads);
    }
    let (queries, keys_values) = (queries.into_dispatch(), keys_values.into_dispatch());
    Tensor::from_dispatch(Dispatch::attend_to(queries, keys_values, attention))
}

/// Multi-head attention of one query an input `[N, W]` to the first `tokens` of keys and values
/// `[N, C, 2 W]`, keys first: `[N, W]`, which has no gradient.
pub(crate) fn next_attention(
    queries: Tensor<2>,
    keys_values: Tensor<3>,
    tokens: usize,
    heads: usize,
) -> Tensor<2> {
    let [n, width] = queries.dims();
    let attention = NextAttention {
        capacity: keys_values.dims()[1],
        tokens,
        width,
        heads,
    };
    if !has_kernels(&queries) {
        let queries = queries.detach().reshape([n, 1, width]);
        let keys_values = keys_values.detach().narrow(1, 0, tokens);
        return plain::cross_attention(queries, keys_values, heads).reshape([n, width]);
    }
    let (queries, keys_values) = (queries.into_dispatch(), keys_values.into_dispatch());
    Tensor::from_dispatch(Dispatch::attend_next(queries, keys_values, attention))
}
