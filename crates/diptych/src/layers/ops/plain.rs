//! The operations as Burn's own, for GPUs and as the oracle of the tests.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions, ConvTransposeOptions};
use burn::tensor::{Int, Tensor, module};
use diptych_kernels::{Activation, Attention, AveragePool, Extent, Fir};

use super::maps::{BatchNormOutput, Slide};

pub(super) fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    slide: Slide,
) -> Tensor<4> {
    let options = ConvOptions::new([slide.stride; 2], slide.padding, [1; 2], slide.groups);
    conv2d(x.permute([0, 3, 1, 2]), weight, bias, options).permute([0, 2, 3, 1])
}

pub(super) fn transposed_convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    slide: Slide,
    more: usize,
) -> Tensor<4> {
    let (stride, groups) = ([slide.stride; 2], slide.groups);
    let options = ConvTransposeOptions::new(stride, slide.padding, [more; 2], [1; 2], groups);
    conv_transpose2d(x.permute([0, 3, 1, 2]), weight, bias, options).permute([0, 2, 3, 1])
}

/// Upsamples by a transposed convolution of each channel, along rows and then columns, and selects
/// the positions that are kept.
pub(super) fn filter(x: Tensor<4>, fir: &Fir) -> Tensor<4> {
    let [_, height, width, c] = x.dims();
    let made = fir.output(Extent { height, width });
    let taps = Tensor::<1>::from_floats(&fir.taps[..], &x.device());
    let t = fir.taps.len();
    let x = x.permute([0, 3, 1, 2]); // [N, C, H, W]
    let along = |x: Tensor<4>, dim: usize, outputs: usize| {
        let mut shape = [c, 1, 1, 1];
        shape[dim] = t;
        let weight = taps
            .clone()
            .reshape([1, 1, shape[2], shape[3]])
            .expand(shape);
        let mut stride = [1; 2];
        stride[dim - 2] = fir.up;
        let options = ConvTransposeOptions::new(stride, [0; 2], [0; 2], [1; 2], c);
        let full = conv_transpose2d(x, weight, None, options);
        // The place `length` holds a zero, for kept positions that lie outside the result.
        let mut shape = full.dims();
        let length = shape[dim];
        shape[dim] = 1;
        let zero = Tensor::zeros(shape, &full.device());
        let kept = (0..outputs).map(|output| {
            let place = (output * fir.down + t - 1) as isize - fir.padding[0];
            let place = usize::try_from(place).unwrap_or(length);
            place.min(length) as i64
        });
        let kept: Vec<i64> = kept.collect();
        let kept = Tensor::<1, Int>::from_ints(&kept[..], &full.device());
        Tensor::cat(vec![full, zero], dim).select(dim, kept)
    };
    let x = along(along(x, 2, made.height), 3, made.width);
    x.permute([0, 2, 3, 1])
}

/// Group norm of `x` `[N, P, C]`.
pub(super) fn group_norm(
    x: Tensor<3>,
    [weight, bias]: [Tensor<1>; 2],
    groups: usize,
    epsilon: f64,
) -> Tensor<3> {
    let [n, p, c] = x.dims();
    let x: Tensor<3> = x
        .reshape([n, p, groups, c / groups])
        .swap_dims(1, 2) // [N, G, P, C / G]
        .reshape([n, groups, p * c / groups]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let normal = centred * reciprocal_root(variance + epsilon);
    let normal: Tensor<3> = normal
        .reshape([n, groups, p, c / groups])
        .swap_dims(1, 2)
        .reshape([n, p, c]);
    normal * weight.unsqueeze() + bias.unsqueeze()
}

/// `1 / √x` by one step of Newton's method from the root itself, which is a constant here. The step
/// changes nothing but the gradient, which is made of products: that of Burn's `sqrt` is a power,
/// and GPUs take powers by logarithms, a few 1e-6 off. The gradient of a batch norm's weight is a
/// sum that nearly cancels, and was 2e-3 off then.
pub(crate) fn reciprocal_root<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let root = x.clone().detach().sqrt().recip();
    let step = (x * root.clone().square()).mul_scalar(-0.5).add_scalar(1.5);
    root * step
}

/// Attention of queries `[N, Q, W]` to keys and values `[N, L, 2 W]`, keys first: `[N, Q, W]`.
pub(super) fn cross_attention(
    queries: Tensor<3>,
    keys_values: Tensor<3>,
    heads: usize,
) -> Tensor<3> {
    let [n, q, w] = queries.dims();
    let split = |x: Tensor<3>| {
        let l = x.dims()[1];
        x.reshape([n, l, heads, w / heads]).swap_dims(1, 2) // [N, H, L, W/H]
    };
    let (keys, values) = (
        keys_values.clone().narrow(2, 0, w),
        keys_values.narrow(2, w, w),
    );
    let options = Default::default();
    let y = module::attention(
        split(queries),
        split(keys),
        split(values),
        None,
        None,
        options,
    );
    y.swap_dims(1, 2).reshape([n, q, w])
}

/// Batch norm of `x` `[N, H, W, C]`.
pub(super) fn batch_norm(
    x: Tensor<4>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
    with_relu: bool,
) -> BatchNormOutput {
    let means = |x: Tensor<4>| x.mean_dim(2).mean_dim(1).mean_dim(0); // [1, 1, 1, C]
    let mean = means(x.clone());
    let centred = x - mean.clone();
    let variance = means(centred.clone().square());
    let normal = centred * reciprocal_root(variance.clone() + epsilon);
    let y = normal * weight.unsqueeze() + bias.unsqueeze();
    let detached = |x: Tensor<4>| x.flatten(0, 3).detach();
    BatchNormOutput {
        output: if with_relu { relu(y) } else { y },
        mean: detached(mean),
        variance: detached(variance),
    }
}

pub(super) fn attention(qkv: Tensor<3>, shape: Attention) -> Tensor<3> {
    let n = qkv.dims()[0];
    let (l, w) = (shape.tokens, shape.width);
    let heads = |i: usize| {
        let part = qkv.clone().narrow(2, i * w, w); // [N, L, W]
        part.reshape([n, l, shape.heads, w / shape.heads])
            .swap_dims(1, 2) // [N, H, L, W/H]
    };
    let options = AttentionModuleOptions {
        is_causal: shape.causal,
        ..Default::default()
    };
    let y = module::attention(heads(0), heads(1), heads(2), None, None, options);
    y.swap_dims(1, 2).reshape([n, l, w])
}

pub(super) fn activation<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        // By `erf`: the gradient of Burn's `gelu` is that of the form by tanh, up to 1e-3 off.
        Activation::Gelu => {
            let share = (x.clone() * FRAC_1_SQRT_2).erf().add_scalar(1.0);
            (x * share).mul_scalar(0.5)
        }
        Activation::Relu => relu(x),
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
        Activation::GeluTanh => {
            let slope = (8.0 / std::f64::consts::PI).sqrt();
            let curve = x.clone().square().mul_scalar(0.044_715).add_scalar(1.0);
            x.clone() * sigmoid((x * curve).mul_scalar(slope))
        }
    }
}

pub(super) fn average_pool(x: Tensor<4>, pool: AveragePool) -> Tensor<4> {
    let n = x.dims()[0];
    let (h, w, s) = (pool.height / pool.side, pool.width / pool.side, pool.side);
    let x: Tensor<6> = x.reshape([n, h, s, w, s, pool.channels]);
    x.mean_dim(4).mean_dim(2).reshape([n, h, w, pool.channels])
}
