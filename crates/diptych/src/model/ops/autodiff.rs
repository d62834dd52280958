//! Forward and backward of the fused operations, tied together for autodiff on any backend.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Parents, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};

use super::{Norm, Ops};

/// Backward of [`Ops::columns`].
#[derive(Debug)]
struct Columns;

impl<B: Ops> Backward<B, 1> for Columns {
    type State = ([usize; 4], usize, usize);

    fn backward(
        self,
        ops: Parents<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x] = ops.parents;
        let (shape, kernel, stride) = ops.state;
        if let Some(node) = x {
            grads.register::<B>(node.id, B::fold(grad, shape, kernel, stride));
        }
    }
}

/// Backward of [`Ops::norm_relu`]. The state is the forward's own tensors, which the neighbouring
/// operations keep as well, so it costs no memory.
#[derive(Debug)]
struct BatchNorm;

type NormState<B> = [FloatTensor<B>; 5];

impl<B: Ops> Backward<B, 3> for BatchNorm {
    type State = (NormState<B>, f64, bool);

    fn backward(
        self,
        ops: Parents<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let ([x, weight, mean, variance, output], epsilon, relu) = ops.state;
        let norm = Norm {
            x,
            weight,
            mean,
            variance,
            output,
        };
        let (x, weight, bias) = B::norm_relu_backward(norm, grad, epsilon, relu);
        for (node, grad) in ops.parents.into_iter().zip([x, weight, bias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: Ops, C: CheckpointStrategy> Ops for Autodiff<B, C> {
    fn columns(x: FloatTensor<Self>, kernel: usize, stride: usize) -> FloatTensor<Self> {
        let shape = x.primitive().shape().dims();
        let output = B::columns(x.primitive().clone(), kernel, stride);
        match Columns.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((shape, kernel, stride), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn norm_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (output, mean, variance) = B::norm_relu(
            x.primitive().clone(),
            weight.primitive().clone(),
            bias.primitive().clone(),
            epsilon,
            relu,
        );
        let parents = [x.node(), weight.node(), bias.node()];
        let tracked = match BatchNorm.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = [
                    x.primitive().clone(),
                    weight.primitive().clone(),
                    mean.clone(),
                    variance.clone(),
                    output.clone(),
                ];
                prep.finish((state, epsilon, relu), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (
            tracked,
            FloatTensor::<Self>::new(mean),
            FloatTensor::<Self>::new(variance),
        )
    }
}
