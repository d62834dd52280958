//! The operations on channels-last maps.
//!
//! `N` inputs, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side, `C`
//! channels, `G` groups.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use diptych_kernels::{AveragePool, Convolution, Extent, Fir, GroupNorm};

use super::{Ops, Products, has_kernels, plain};

/// Stride, padding and groups of a convolution, under PyTorch's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slide {
    /// Input positions from one output position to the next.
    pub(crate) stride: usize,
    /// Zeros above and below, and left and right.
    pub(crate) padding: [usize; 2],
    /// Parts that the channels are split into.
    pub(crate) groups: usize,
}

/// Convolves channels-last `x` `[N, H, W, I]` with `weight` `[O, I / G, K, K]` and adds `bias`
/// `[O]`: `[N, H', W', O]`.
pub(crate) fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    slide: Slide,
    products: &Products,
) -> Tensor<4> {
    if !has_kernels(&x) {
        return plain::convolution(x, weight, bias, slide);
    }
    let [_, height, width, inputs] = x.dims();
    let convolution = shape([height, width], [inputs, weight.dims()[0]], &weight, slide);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    let (x, weight, bias) = (
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    Tensor::from_dispatch(Dispatch::convolve(
        x,
        weight,
        bias,
        convolution,
        products.clone(),
    ))
}

/// The transposed convolution of `x` `[N, H, W, I]` with `weight` `[I, O / G, K, K]`, and `bias`
/// `[O]` added: `[N, H', W', O]` with `H' = (H − 1) · stride − 2 padding + K + more`.
pub(crate) fn transposed_convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    slide: Slide,
    more: usize,
    products: &Products,
) -> Tensor<4> {
    if !has_kernels(&x) {
        return plain::transposed_convolution(x, weight, bias, slide, more);
    }
    let [_, height, width, inputs] = x.dims();
    let [_, each, kernel_height, kernel_width] = weight.dims();
    let side = |side: usize, kernel: usize, padding: usize| {
        (side - 1) * slide.stride + kernel + more - 2 * padding
    };
    let sides = [
        side(height, kernel_height, slide.padding[0]),
        side(width, kernel_width, slide.padding[1]),
    ];
    let convolution = shape(sides, [each * slide.groups, inputs], &weight, slide);
    let bias = bias.unwrap_or_else(|| Tensor::zeros([0], &x.device()));
    let (x, weight, bias) = (
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    let y = Dispatch::transpose_convolve(x, weight, bias, convolution, products.clone());
    Tensor::from_dispatch(y)
}

fn shape(
    [height, width]: [usize; 2],
    [inputs, outputs]: [usize; 2],
    weight: &Tensor<4>,
    slide: Slide,
) -> Convolution {
    let [_, _, kernel_height, kernel_width] = weight.dims();
    Convolution {
        height,
        width,
        inputs,
        outputs,
        kernel: Extent {
            height: kernel_height,
            width: kernel_width,
        },
        padding: Extent {
            height: slide.padding[0],
            width: slide.padding[1],
        },
        stride: slide.stride,
        groups: slide.groups,
    }
}

/// The result of [`batch_norm`].
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
    if !has_kernels(&x) {
        return plain::batch_norm(x, [weight, bias], epsilon, relu);
    }
    let shape = x.dims();
    let [n, h, w, c] = shape;
    let x = x.reshape([n * h * w, c]);
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

/// Normalises the groups of channels of each picture of `x` `[N, H, W, C]`, then scales and shifts
/// by `[C]`.
pub(crate) fn group_norm(
    x: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    groups: usize,
    epsilon: f64,
) -> Tensor<4> {
    let shape = x.dims();
    let [n, h, w, c] = shape;
    assert_eq!(weight.dims()[0], c, "channels of weight and input");
    let x: Tensor<3> = x.reshape([n, h * w, c]);
    if !has_kernels(&x) {
        return plain::group_norm(x, [weight, bias], groups, epsilon).reshape(shape);
    }
    let norm = GroupNorm {
        positions: h * w,
        groups,
        epsilon: epsilon as f32,
    };
    let (x, weight, bias) = (
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    Tensor::<3>::from_dispatch(Dispatch::norm_groups(x, weight, bias, norm)).reshape(shape)
}

/// `x` `[N, H, W, C]` times `factors` `[N, C]`.
pub(crate) fn modulate(x: Tensor<4>, factors: Tensor<2>) -> Tensor<4> {
    let shape = x.dims();
    let [n, h, w, c] = shape;
    assert_eq!(factors.dims(), [n, c], "pictures and channels of styles");
    if !has_kernels(&x) {
        return x * factors.reshape([n, 1, 1, c]);
    }
    let x: Tensor<3> = x.reshape([n, h * w, c]);
    let y = Dispatch::modulate(x.into_dispatch(), factors.into_dispatch());
    Tensor::<3>::from_dispatch(y).reshape(shape)
}

/// Up- and downsamples `x` `[N, H, W, C]`.
pub(crate) fn filter(x: Tensor<4>, fir: &Fir) -> Tensor<4> {
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::filter(x.into_dispatch(), fir.clone()))
    } else {
        plain::filter(x, fir)
    }
}

/// `relu(x + y)`.
pub(crate) fn add_relu(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::add_relu(x.into_dispatch(), y.into_dispatch()))
    } else {
        burn::tensor::activation::relu(x + y)
    }
}

/// Means of `side` × `side` squares of `[N, H, W, C]`: `[N, H / side, W / side, C]`.
///
/// # Panics
/// If `side` does not divide height and width.
pub fn average_pool(x: Tensor<4>, side: usize) -> Tensor<4> {
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
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::pool(x.into_dispatch(), pool))
    } else {
        plain::average_pool(x, pool)
    }
}
