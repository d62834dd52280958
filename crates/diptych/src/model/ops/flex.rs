//! The fused operations on the CPU: one pass over memory each, rows shared among threads.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `K` kernel side, `R` rows.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, TensorData};
use rayon::prelude::*;

use super::{Norm, Ops, reference};

impl Ops for Flex {
    fn columns(x: FloatTensor<Self>, kernel: usize, stride: usize) -> FloatTensor<Self> {
        if x.dtype() != DType::F32 {
            return reference::columns::<Self>(x, kernel, stride);
        }
        let x = x.to_contiguous();
        let map = Map::new(x.shape().dims(), kernel, stride);
        let mut columns = vec![0f32; map.n * map.columns_len()];
        let pictures = columns.par_chunks_exact_mut(map.columns_len());
        pictures
            .zip(values(&x).par_chunks_exact(map.picture_len()))
            .for_each(|(columns, x)| {
                map.for_each_run(|place, column, len| {
                    columns[column..column + len].copy_from_slice(&x[place..place + len]);
                });
            });
        tensor(
            columns,
            &[map.n * map.h_out * map.w_out, kernel * kernel * map.c],
        )
    }

    fn fold(
        columns: FloatTensor<Self>,
        shape: [usize; 4],
        kernel: usize,
        stride: usize,
    ) -> FloatTensor<Self> {
        if columns.dtype() != DType::F32 {
            return reference::fold::<Self>(columns, shape, kernel, stride);
        }
        let columns = columns.to_contiguous();
        let map = Map::new(shape, kernel, stride);
        let mut sum = vec![0f32; map.n * map.picture_len()];
        let pictures = sum.par_chunks_exact_mut(map.picture_len());
        pictures
            .zip(values(&columns).par_chunks_exact(map.columns_len()))
            .for_each(|(sum, columns)| {
                map.for_each_run(|place, column, len| {
                    let run = &columns[column..column + len];
                    sum[place..place + len]
                        .iter_mut()
                        .zip(run)
                        .for_each(|(s, v)| *s += v);
                });
            });
        tensor(sum, &shape)
    }

    fn norm_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if x.dtype() != DType::F32 {
            return reference::norm_relu::<Self>(x, weight, bias, epsilon, relu);
        }
        let (x, weight, bias) = (
            x.to_contiguous(),
            weight.to_contiguous(),
            bias.to_contiguous(),
        );
        let [rows, c]: [usize; 2] = x.shape().dims();
        let (mean, variance) = moments(values(&x), c);
        // y = x · scale + shift
        let scale: Vec<f32> = values(&weight)
            .iter()
            .zip(&variance)
            .map(|(w, v)| w / (v + epsilon as f32).sqrt())
            .collect();
        let shift: Vec<f32> = values(&bias)
            .iter()
            .zip(mean.iter().zip(&scale))
            .map(|(b, (m, s))| b - m * s)
            .collect();
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        let mut y = vec![0f32; rows * c];
        par_rows(&mut y, c)
            .zip(par_rows_of(values(&x), c))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                    for i in 0..c {
                        // `f32::max` would hide a NaN, and with it a run that diverges.
                        let value = x[i] * scale[i] + shift[i];
                        y[i] = if value < floor { floor } else { value };
                    }
                }
            });
        (
            tensor(y, &[rows, c]),
            tensor(mean, &[c]),
            tensor(variance, &[c]),
        )
    }

    fn norm_relu_backward(
        norm: Norm<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if grad.dtype() != DType::F32 {
            return reference::norm_relu_backward::<Self>(norm, grad, epsilon, relu);
        }
        let grad = grad.to_contiguous();
        let [x, weight] = [norm.x, norm.weight].map(|t| t.to_contiguous());
        let [mean, variance] = [norm.mean, norm.variance].map(|t| t.to_contiguous());
        let output = norm.output.to_contiguous();
        let [rows, c]: [usize; 2] = x.shape().dims();
        let (mean, x, output, grad_y) = (values(&mean), values(&x), values(&output), values(&grad));
        let inverse: Vec<f32> = values(&variance)
            .iter()
            .map(|v| 1.0 / (v + epsilon as f32).sqrt())
            .collect();

        // The gradient that passes the ReLU: where the output is not above zero, none does.
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        let passed = |y: f32, g: f32| if y <= floor { 0.0 } else { g };

        // dβ = Σ g and dγ = Σ g x̂, both over rows.
        let sums = par_rows_of(x, c)
            .zip(par_rows_of(output, c).zip(par_rows_of(grad_y, c)))
            .map(|(x, (y, g))| {
                let mut sums = vec![0f32; 2 * c];
                let (beta, gamma) = sums.split_at_mut(c);
                for (x, (y, g)) in x
                    .chunks_exact(c)
                    .zip(y.chunks_exact(c).zip(g.chunks_exact(c)))
                {
                    for i in 0..c {
                        let g = passed(y[i], g[i]);
                        beta[i] += g;
                        gamma[i] += g * (x[i] - mean[i]) * inverse[i];
                    }
                }
                sums
            })
            .collect::<Vec<_>>();
        let sums = sum_rows(&sums, 2 * c);
        let (beta, gamma) = sums.split_at(c);

        // dx = γ / σ · (g − dβ / R − x̂ dγ / R)
        let r = 1.0 / rows as f32;
        let scale: Vec<f32> = values(&weight)
            .iter()
            .zip(&inverse)
            .map(|(w, i)| w * i)
            .collect();
        let mut grad_x = vec![0f32; rows * c];
        par_rows(&mut grad_x, c)
            .zip(par_rows_of(x, c).zip(par_rows_of(output, c).zip(par_rows_of(grad_y, c))))
            .for_each(|(d, (x, (y, g)))| {
                let rows = d.chunks_exact_mut(c).zip(x.chunks_exact(c));
                for ((d, x), (y, g)) in rows.zip(y.chunks_exact(c).zip(g.chunks_exact(c))) {
                    for i in 0..c {
                        let normal = (x[i] - mean[i]) * inverse[i];
                        let g = passed(y[i], g[i]);
                        d[i] = scale[i] * (g - r * beta[i] - normal * r * gamma[i]);
                    }
                }
            });
        (
            tensor(grad_x, &[rows, c]),
            tensor(gamma.to_vec(), &[c]),
            tensor(beta.to_vec(), &[c]),
        )
    }
}

/// Rows that one task takes at a time: enough to be worth a task, few enough to sum accurately.
const ROWS_PER_TASK: usize = 512;

fn par_rows(values: &mut [f32], c: usize) -> impl IndexedParallelIterator<Item = &mut [f32]> {
    values.par_chunks_mut(ROWS_PER_TASK * c)
}

fn par_rows_of(values: &[f32], c: usize) -> impl IndexedParallelIterator<Item = &[f32]> {
    values.par_chunks(ROWS_PER_TASK * c)
}

/// Mean and biased variance of every column of `[R, C]`.
fn moments(x: &[f32], c: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = (x.len() / c) as f32;
    let column_sums = |term: &(dyn Fn(usize, f32) -> f32 + Sync)| {
        let parts: Vec<Vec<f32>> = par_rows_of(x, c)
            .map(|x| {
                let mut sum = vec![0f32; c];
                for row in x.chunks_exact(c) {
                    for i in 0..c {
                        sum[i] += term(i, row[i]);
                    }
                }
                sum
            })
            .collect();
        sum_rows(&parts, c)
            .iter()
            .map(|s| s / rows)
            .collect::<Vec<f32>>()
    };
    let mean = column_sums(&|_, x| x);
    // About the mean, in a second pass: the difference of two sums would cancel.
    let variance = column_sums(&|i, x| (x - mean[i]).powi(2));
    (mean, variance)
}

/// The sum of equally long rows, in order, so that it does not depend on threads.
fn sum_rows(rows: &[Vec<f32>], len: usize) -> Vec<f32> {
    let mut sum = vec![0f64; len];
    for row in rows {
        sum.iter_mut()
            .zip(row)
            .for_each(|(s, &v)| *s += f64::from(v));
    }
    sum.into_iter().map(|s| s as f32).collect()
}

/// The geometry of one convolution.
struct Map {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    h_out: usize,
    w_out: usize,
    kernel: usize,
    stride: usize,
}

impl Map {
    fn new([n, h, w, c]: [usize; 4], kernel: usize, stride: usize) -> Self {
        let (h_out, w_out) = (h.div_ceil(stride), w.div_ceil(stride));
        Self {
            n,
            h,
            w,
            c,
            h_out,
            w_out,
            kernel,
            stride,
        }
    }

    fn picture_len(&self) -> usize {
        self.h * self.w * self.c
    }

    fn columns_len(&self) -> usize {
        self.h_out * self.w_out * self.kernel * self.kernel * self.c
    }

    /// Calls `f` with the place in the picture, the place in its columns and the length of every run
    /// of values that the two share: for each position, the part of each kernel row inside the map.
    fn for_each_run(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (k, c) = (self.kernel, self.c);
        let pad = k / 2;
        for y_out in 0..self.h_out {
            for x_out in 0..self.w_out {
                let row = (y_out * self.w_out + x_out) * k * k * c;
                // Kernel columns whose place `x_out · stride + kx − pad` lies inside the map.
                let left = x_out * self.stride;
                let first = pad.saturating_sub(left);
                let end = k.min(self.w + pad - left);
                for ky in 0..k {
                    let y = y_out * self.stride + ky;
                    if y < pad || y - pad >= self.h {
                        continue;
                    }
                    let place = ((y - pad) * self.w + left + first - pad) * c;
                    f(place, row + (ky * k + first) * c, (end - first) * c);
                }
            }
        }
    }
}

fn values(tensor: &FlexTensor) -> &[f32] {
    let (start, len) = (
        tensor.layout().start_offset(),
        tensor.layout().num_elements(),
    );
    &tensor.storage::<f32>()[start..start + len]
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}
