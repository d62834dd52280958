//! The operations as Burn's own, for GPUs and as the oracle of the tests.

use burn::tensor::activation::{gelu, relu, sigmoid};
use burn::tensor::module::conv2d;
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions};
use burn::tensor::{Tensor, module};
use diptych_kernels::{Activation, Attention, AveragePool};

pub(super) fn convolution(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let pad = weight.dims()[2] / 2;
    let options = ConvOptions::new([stride; 2], [pad; 2], [1; 2], 1);
    conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
}

/// The output, the mean and the biased variance; the latter two detached.
pub(super) fn batch_norm(
    x: Tensor<2>,
    [weight, bias]: [Tensor<1>; 2],
    epsilon: f64,
    with_relu: bool,
) -> (Tensor<2>, Tensor<1>, Tensor<1>) {
    let mean = x.clone().mean_dim(0); // [1, C]
    let centred = x - mean.clone();
    let variance = centred.clone().square().mean_dim(0);
    let normal = centred / (variance.clone() + epsilon).sqrt();
    let y = normal * weight.unsqueeze() + bias.unsqueeze();
    let y = if with_relu { relu(y) } else { y };
    let [mean, variance] = [mean, variance].map(|t| t.squeeze_dim(0).detach());
    (y, mean, variance)
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
        Activation::Gelu => gelu(x),
        Activation::Relu => relu(x),
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
        Activation::GeluTanh => {
            let cube = x.clone().powi_scalar(3).mul_scalar(0.044_715);
            let slope = (8.0 / std::f64::consts::PI).sqrt();
            x.clone() * sigmoid((x + cube).mul_scalar(slope))
        }
    }
}

pub(super) fn average_pool(x: Tensor<4>, pool: AveragePool) -> Tensor<4> {
    let n = x.dims()[0];
    let (h, w, s) = (pool.height / pool.side, pool.width / pool.side, pool.side);
    let x: Tensor<6> = x.reshape([n, h, s, w, s, pool.channels]);
    x.mean_dim(4).mean_dim(2).reshape([n, h, w, pool.channels])
}
