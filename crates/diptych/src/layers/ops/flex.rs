//! The operations on the CPU: tensors to slices, `kernels`, and back.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;
use diptych_kernels::{
    Activation, Attention, AveragePool, Convolution, Rounding, add_relu, add_relu_backward,
    batch_norm, batch_norm_backward, column_sums, layer_norm, layer_norm_backward,
    layer_norm_input_gradient,
};

use super::{Gradients, Normed, Ops};

type T = FloatTensor<Flex>;

impl Ops for Flex {
    fn convolve(x: T, weight: T, c: Convolution, rounding: Rounding) -> T {
        let [x, weight] = contiguous([x, weight]);
        let y = c.forward(rounding, values(&x), values(&weight), &[]);
        let shape = [dims::<4>(&x)[0], c.out_height(), c.out_width(), c.outputs];
        tensor(y, &shape)
    }

    fn project(x: T, weight: T, bias: T, rounding: Rounding) -> T {
        let [x, weight, bias] = contiguous([x, weight, bias]);
        let c = projection(dims(&weight));
        let y = c.forward(rounding, values(&x), values(&weight), values(&bias));
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

    fn attend(qkv: T, attention: Attention) -> T {
        let [qkv] = contiguous([qkv]);
        let [n, l, _] = dims(&qkv);
        tensor(attention.forward(values(&qkv)), &[n, l, attention.width])
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
    fn convolve_input(grad: T, weight: T, c: Convolution, rounding: Rounding) -> T {
        let [grad, weight] = contiguous([grad, weight]);
        let x = c.input_gradient(rounding, values(&grad), values(&weight));
        tensor(x, &[dims::<4>(&grad)[0], c.height, c.width, c.inputs])
    }

    fn convolve_weight(x: T, grad: T, c: Convolution, rounding: Rounding) -> T {
        let [x, grad] = contiguous([x, grad]);
        let weight = c.weight_gradient(rounding, values(&x), values(&grad));
        tensor(weight, &[c.outputs, c.inputs, c.kernel, c.kernel])
    }

    fn project_input(grad: T, weight: T, rounding: Rounding) -> T {
        let [grad, weight] = contiguous([grad, weight]);
        let c = projection(dims(&weight));
        let x = c.input_gradient(rounding, values(&grad), values(&weight));
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
    Convolution {
        height: 1,
        width: 1,
        inputs,
        outputs,
        kernel: 1,
        stride: 1,
    }
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

fn like(values: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, other.shape()))
}
