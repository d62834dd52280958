//! The operations on the CPU: tensors to slices, `kernels`, and back.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;
use diptych_kernels::{
    Activation, Attention, AveragePool, Convolution, CrossAttention, Direction, Extent, Fir,
    GroupNorm, NextAttention, Rounding, add_relu, add_relu_backward, batch_norm,
    batch_norm_backward, column_sums, layer_norm, layer_norm_backward, layer_norm_input_gradient,
    modulate, modulate_backward,
};

use super::{Gradients, Normed, Ops, Products};

type T = FloatTensor<Flex>;

impl Ops for Flex {
    fn convolve(x: T, weight: T, bias: T, c: Convolution, products: Products) -> T {
        let [x, bias] = contiguous([x, bias]);
        let y = products.apply(&c, Direction::Forward, [&x, &weight, &bias]);
        tensor(y, &made(&x, c))
    }

    fn transpose_convolve(y: T, weight: T, bias: T, c: Convolution, products: Products) -> T {
        let [y, bias] = contiguous([y, bias]);
        let x = products.apply(&c, Direction::Adjoint, [&y, &weight, &bias]);
        tensor(x, &[dims::<4>(&y)[0], c.height, c.width, c.inputs])
    }

    fn project(x: T, weight: T, bias: T, products: Products) -> T {
        let [x, bias] = contiguous([x, bias]);
        let c = projection(dims(&weight));
        let y = products.apply(&c, Direction::Forward, [&x, &weight, &bias]);
        tensor(y, &[dims::<2>(&x)[0], c.outputs])
    }

    fn norm_columns(x: T, weight: T, bias: T, epsilon: f64, relu: bool) -> (T, T, T) {
        let [x, weight, bias] = contiguous([x, weight, bias]);
        let [rows, c] = dims(&x);
        let norm = norm(epsilon, relu);
        let (y, mean, variance) = batch_norm(norm, values(&x), values(&weight), values(&bias));
        (
            tensor(y, &[rows, c]),
            tensor(mean, &[c]),
            tensor(variance, &[c]),
        )
    }

    fn norm_rows(x: T, weight: T, bias: T, epsilon: f64) -> T {
        let [x, weight, bias] = contiguous([x, weight, bias]);
        let y = layer_norm(epsilon as f32, values(&x), values(&weight), values(&bias));
        tensor(y, &dims::<2>(&x))
    }

    fn norm_groups(x: T, weight: T, bias: T, norm: GroupNorm) -> T {
        let [x, weight, bias] = contiguous([x, weight, bias]);
        like(norm.forward(values(&x), values(&weight), values(&bias)), &x)
    }

    fn modulate(x: T, factors: T) -> T {
        let [x, factors] = contiguous([x, factors]);
        let [_, _, c] = dims(&x);
        like(modulate(c, values(&x), values(&factors)), &x)
    }

    fn filter(x: T, fir: Fir) -> T {
        let [x] = contiguous([x]);
        let [n, height, width, c] = dims(&x);
        let map = Extent { height, width };
        let made = fir.output(map);
        let y = fir.forward(map, c, values(&x));
        tensor(y, &[n, made.height, made.width, c])
    }

    fn attend(qkv: T, attention: Attention) -> T {
        let [qkv] = contiguous([qkv]);
        let [n, l, _] = dims(&qkv);
        tensor(attention.forward(values(&qkv)), &[n, l, attention.width])
    }

    fn attend_to(queries: T, keys_values: T, attention: CrossAttention) -> T {
        let [queries, keys_values] = contiguous([queries, keys_values]);
        let found = attention.forward(values(&queries), values(&keys_values));
        like(found, &queries)
    }

    fn attend_next(queries: T, keys_values: T, attention: NextAttention) -> T {
        let [queries, keys_values] = contiguous([queries, keys_values]);
        let found = attention.forward(values(&queries), values(&keys_values));
        like(found, &queries)
    }

    fn activate(x: T, activation: Activation) -> T {
        let [x] = contiguous([x]);
        like(activation.forward(values(&x)), &x)
    }

    fn add_relu(x: T, y: T) -> T {
        let [x, y] = contiguous([x, y]);
        like(add_relu(values(&x), values(&y)), &x)
    }

    fn pool(x: T, pool: AveragePool) -> T {
        let [x] = contiguous([x]);
        let [n, h, w, c] = dims(&x);
        let shape = [n, h / pool.side, w / pool.side, c];
        tensor(pool.forward(values(&x)), &shape)
    }
}

impl Gradients for Flex {
    fn convolve_input(grad: T, weight: T, c: Convolution, products: Products) -> T {
        let [grad] = contiguous([grad]);
        let x = products.apply(&c, Direction::Adjoint, [&grad, &weight, &none()]);
        tensor(x, &[dims::<4>(&grad)[0], c.height, c.width, c.inputs])
    }

    fn convolve_weight(x: T, grad: T, c: Convolution, rounding: Rounding) -> T {
        let [x, grad] = contiguous([x, grad]);
        let weight = c.weight_gradient(rounding, values(&x), values(&grad));
        let shape = [
            c.outputs,
            c.inputs / c.groups,
            c.kernel.height,
            c.kernel.width,
        ];
        tensor(weight, &shape)
    }

    fn convolve_bias(grad: T) -> T {
        let [grad] = contiguous([grad]);
        let [.., outputs] = dims::<4>(&grad);
        tensor(column_sums(values(&grad), outputs), &[outputs])
    }

    fn transpose_convolve_input(grad: T, weight: T, c: Convolution, products: Products) -> T {
        let [grad] = contiguous([grad]);
        let y = products.apply(&c, Direction::Forward, [&grad, &weight, &none()]);
        tensor(y, &made(&grad, c))
    }

    fn project_input(grad: T, weight: T, products: Products) -> T {
        let [grad] = contiguous([grad]);
        let c = projection(dims(&weight));
        let x = products.apply(&c, Direction::Adjoint, [&grad, &weight, &none()]);
        tensor(x, &[dims::<2>(&grad)[0], c.inputs])
    }

    fn project_weight(x: T, grad: T, rounding: Rounding) -> T {
        let [x, grad] = contiguous([x, grad]);
        let c = projection([dims::<2>(&grad)[1], dims::<2>(&x)[1]]);
        let weight = c.weight_gradient(rounding, values(&x), values(&grad));
        tensor(weight, &[c.outputs, c.inputs])
    }

    fn project_bias(grad: T) -> T {
        let [grad] = contiguous([grad]);
        let [_, outputs] = dims(&grad);
        tensor(column_sums(values(&grad), outputs), &[outputs])
    }

    fn norm_columns(forward: Normed<Self>, grad: T, epsilon: f64, relu: bool) -> [T; 3] {
        let maps = contiguous([forward.x, forward.output, grad]);
        let columns = contiguous([forward.weight, forward.mean, forward.variance]);
        let [rows, c] = dims(&maps[0]);
        let gradients = batch_norm_backward(
            norm(epsilon, relu),
            maps.each_ref().map(values),
            columns.each_ref().map(values),
        );
        [
            tensor(gradients.x, &[rows, c]),
            tensor(gradients.weight, &[c]),
            tensor(gradients.bias, &[c]),
        ]
    }

    fn norm_rows(x: T, weight: T, grad: T, epsilon: f64) -> [T; 3] {
        let [x, weight, grad] = contiguous([x, weight, grad]);
        let [rows, w] = dims(&x);
        let (of_x, of_weight, of_bias) =
            layer_norm_backward(epsilon as f32, values(&x), values(&weight), values(&grad));
        [
            tensor(of_x, &[rows, w]),
            tensor(of_weight, &[w]),
            tensor(of_bias, &[w]),
        ]
    }

    fn norm_rows_input(x: T, weight: T, grad: T, epsilon: f64) -> T {
        let [x, weight, grad] = contiguous([x, weight, grad]);
        let gradient =
            layer_norm_input_gradient(epsilon as f32, values(&x), values(&weight), values(&grad));
        like(gradient, &x)
    }

    fn norm_groups(x: T, weight: T, grad: T, norm: GroupNorm) -> [T; 3] {
        let [x, weight, grad] = contiguous([x, weight, grad]);
        let gradients = norm.backward(values(&x), values(&weight), values(&grad));
        [
            like(gradients.x, &x),
            like(gradients.weight, &weight),
            like(gradients.bias, &weight),
        ]
    }

    fn modulate(x: T, factors: T, grad: T) -> [T; 2] {
        let [x, factors, grad] = contiguous([x, factors, grad]);
        let [_, _, c] = dims(&x);
        let (of_x, of_factors) = modulate_backward(c, values(&x), values(&factors), values(&grad));
        [like(of_x, &x), like(of_factors, &factors)]
    }

    fn filter(grad: T, map: Extent, fir: Fir) -> T {
        let [grad] = contiguous([grad]);
        let [n, _, _, c] = dims(&grad);
        let x = fir.backward(map, c, values(&grad));
        tensor(x, &[n, map.height, map.width, c])
    }

    fn attend_to(queries: T, keys_values: T, grad: T, attention: CrossAttention) -> [T; 2] {
        let [queries, keys_values, grad] = contiguous([queries, keys_values, grad]);
        let (of_queries, of_keys_values) =
            attention.backward(values(&queries), values(&keys_values), values(&grad));
        [
            like(of_queries, &queries),
            like(of_keys_values, &keys_values),
        ]
    }

    fn attend(qkv: T, grad: T, attention: Attention) -> T {
        let [qkv, grad] = contiguous([qkv, grad]);
        let gradient = attention.backward(values(&qkv), values(&grad));
        tensor(gradient, &dims::<3>(&qkv))
    }

    fn activate(x: T, grad: T, activation: Activation) -> T {
        let [x, grad] = contiguous([x, grad]);
        like(activation.backward(values(&x), values(&grad)), &x)
    }

    fn add_relu(output: T, grad: T) -> T {
        let [output, grad] = contiguous([output, grad]);
        like(add_relu_backward(values(&output), values(&grad)), &output)
    }

    fn pool(grad: T, pool: AveragePool) -> T {
        let [grad] = contiguous([grad]);
        let n = dims::<4>(&grad)[0];
        let shape = [n, pool.height, pool.width, pool.channels];
        tensor(pool.backward(values(&grad)), &shape)
    }
}

/// A projection by a weight `[outputs, inputs]` is a convolution of single positions.
fn projection([outputs, inputs]: [usize; 2]) -> Convolution {
    Convolution::linear(inputs, outputs)
}

/// The shape of a convolution's output for maps `[N, H, W, I]`.
fn made(x: &FlexTensor, c: Convolution) -> [usize; 4] {
    let Extent { height, width } = c.output();
    [dims::<4>(x)[0], height, width, c.outputs]
}

fn norm(epsilon: f64, relu: bool) -> diptych_kernels::Norm {
    diptych_kernels::Norm {
        epsilon: epsilon as f32,
        relu,
    }
}

fn contiguous<const N: usize>(tensors: [FlexTensor; N]) -> [FlexTensor; N] {
    tensors.map(|t| t.to_contiguous())
}

fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}

pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    let (start, len) = (
        tensor.layout().start_offset(),
        tensor.layout().num_elements(),
    );
    &tensor.storage::<f32>()[start..start + len]
}

/// No bias.
fn none() -> FlexTensor {
    tensor(Vec::new(), &[0])
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

fn like(values: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, other.shape()))
}
