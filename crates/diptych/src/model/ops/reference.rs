//! The fused operations in terms of plain tensor operations, for any backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, Slice};

use super::Norm;

// GPUs fuse these on their own.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl super::Ops for burn::backend::Cube {}

/// Places of the `i`-th of `K·K` neighbours in a map padded by `K / 2`.
fn window([n, h, w, c]: [usize; 4], i: usize, kernel: usize, stride: usize) -> [Slice; 4] {
    let (y, x) = (i / kernel, i % kernel);
    let range = |from: usize, len: usize, step: usize| {
        Slice::new(from as isize, Some((from + len) as isize), step as isize)
    };
    [
        range(0, n, 1),
        range(y, h, stride),
        range(x, w, stride),
        range(0, c, 1),
    ]
}

/// `[n, h, w, c]` padded by `pad` on the sides of the map.
fn padded([n, h, w, c]: [usize; 4], pad: usize) -> [usize; 4] {
    [n, h + 2 * pad, w + 2 * pad, c]
}

pub(super) fn columns<B: Backend>(
    x: FloatTensor<B>,
    kernel: usize,
    stride: usize,
) -> FloatTensor<B> {
    let shape: [usize; 4] = x.shape().dims();
    let pad = kernel / 2;
    let zeros = B::float_zeros(
        Shape::new(padded(shape, pad)),
        &x.device(),
        x.dtype().into(),
    );
    let [n, h, w, c] = shape;
    let middle = [0..n, pad..pad + h, pad..pad + w, 0..c].map(Slice::from);
    let x = B::float_slice_assign(zeros, &middle, x);
    let parts = (0..kernel * kernel)
        .map(|i| B::float_slice(x.clone(), &window(shape, i, kernel, stride)))
        .collect();
    let rows = n * h.div_ceil(stride) * w.div_ceil(stride);
    B::float_reshape(
        B::float_cat(parts, 3),
        Shape::new([rows, kernel * kernel * c]),
    )
}

pub(super) fn fold<B: Backend>(
    columns: FloatTensor<B>,
    shape: [usize; 4],
    kernel: usize,
    stride: usize,
) -> FloatTensor<B> {
    let [n, h, w, c] = shape;
    let pad = kernel / 2;
    let (h_out, w_out) = (h.div_ceil(stride), w.div_ceil(stride));
    let (device, dtype) = (columns.device(), columns.dtype());
    let columns = B::float_reshape(columns, Shape::new([n, h_out, w_out, kernel * kernel * c]));
    let mut sum = B::float_zeros(Shape::new(padded(shape, pad)), &device, dtype.into());
    for i in 0..kernel * kernel {
        let channels = [0..n, 0..h_out, 0..w_out, i * c..(i + 1) * c].map(Slice::from);
        let part = B::float_slice(columns.clone(), &channels);
        let places = window(shape, i, kernel, stride);
        let part = B::float_add(B::float_slice(sum.clone(), &places), part);
        sum = B::float_slice_assign(sum, &places, part);
    }
    let middle = [0..n, pad..pad + h, pad..pad + w, 0..c].map(Slice::from);
    B::float_slice(sum, &middle)
}

type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

pub(super) fn norm_relu<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
    relu: bool,
) -> Three<B> {
    let norm = B::batch_norm_train(x, weight, bias, epsilon);
    let output = if relu {
        B::relu(norm.output)
    } else {
        norm.output
    };
    (output, norm.mean, norm.variance)
}

pub(super) fn norm_relu_backward<B: Backend>(
    norm: Norm<B>,
    grad: FloatTensor<B>,
    epsilon: f64,
    relu: bool,
) -> Three<B> {
    let grad = if relu {
        B::relu_backward(norm.output, grad)
    } else {
        grad
    };
    let back =
        B::batch_norm_train_backward(norm.x, norm.weight, norm.mean, norm.variance, epsilon, grad);
    (back.x_grad, back.gamma_grad, back.beta_grad)
}
