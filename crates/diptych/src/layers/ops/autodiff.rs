//! Forward and backward of the operations, tied together for autodiff.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Grads;
use burn::backend::autodiff::ops::{Backward, Ops as Parents, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};
use diptych_kernels::{
    Activation, Attention, AveragePool, Convolution, CrossAttention, Extent, Fir, GroupNorm,
    NextAttention,
};

use super::{Gradients, Normed, Ops, Products};

/// Defines a backward: what it remembers of the forward (`$state`), and the gradients of its
/// parents, given that and the output's gradient.
///
/// The remembered tensors are mostly the forward's own, which the neighbouring operations keep as
/// well, so they cost no extra memory.
macro_rules! backward {
    ($name:ident, $parents:literal, $state:ty, |$remembered:pat_param, $grad:ident| $gradients:expr) => {
        #[derive(Debug)]
        struct $name;

        impl<B: Gradients> Backward<B, $parents> for $name {
            type State = $state;

            fn backward(
                self,
                ops: Parents<Self::State, $parents>,
                grads: &mut Grads,
                _checkpointer: &mut Checkpointer,
            ) {
                let $grad = grads.consume::<B>(&ops.node);
                let $remembered = ops.state;
                let gradients: [FloatTensor<B>; $parents] = $gradients;
                for (node, gradient) in ops.parents.into_iter().zip(gradients) {
                    if let Some(node) = node {
                        grads.register::<B>(node.id, gradient);
                    }
                }
            }
        }
    };
}

/// Ties an output to its parents: `$state` is taken only where one of them is trained.
macro_rules! track {
    ($backward:ident, [$($parent:expr),*], $state:expr, $output:expr) => {{
        let prepared = $backward.prepare::<C>([$($parent.node()),*]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish($state, $output),
            OpsKind::UnTracked(prepared) => prepared.finish($output),
        }
    }};
}

type GroupNormed<B> = (FloatTensor<B>, FloatTensor<B>, GroupNorm);
type AttendedTo<B> = (FloatTensor<B>, FloatTensor<B>, CrossAttention);

backward!(
    NormColumns,
    3,
    (Normed<B>, f64, bool),
    |(normed, epsilon, relu), grad| { <B as Gradients>::norm_columns(normed, grad, epsilon, relu) }
);

backward!(
    Attend,
    1,
    (FloatTensor<B>, Attention),
    |(qkv, attention), grad| { [<B as Gradients>::attend(qkv, grad, attention)] }
);

backward!(
    Activate,
    1,
    (FloatTensor<B>, Activation),
    |(x, activation), grad| { [<B as Gradients>::activate(x, grad, activation)] }
);

backward!(NormGroups, 3, GroupNormed<B>, |(x, weight, norm), grad| {
    <B as Gradients>::norm_groups(x, weight, grad, norm)
});

backward!(
    Modulate,
    2,
    (FloatTensor<B>, FloatTensor<B>),
    |(x, factors), grad| { <B as Gradients>::modulate(x, factors, grad) }
);

backward!(Filter, 1, (Extent, Fir), |(map, fir), grad| {
    [<B as Gradients>::filter(grad, map, fir)]
});

backward!(
    AttendTo,
    2,
    AttendedTo<B>,
    |(queries, keys_values, attention), grad| {
        <B as Gradients>::attend_to(queries, keys_values, grad, attention)
    }
);

backward!(AddRelu, 2, FloatTensor<B>, |output, grad| {
    let gradient = <B as Gradients>::add_relu(output, grad);
    [gradient.clone(), gradient]
});

backward!(Pool, 1, AveragePool, |pool, grad| [<B as Gradients>::pool(
    grad, pool
)]);

/// The factors of a product. Each is kept only if the gradient of the other is asked for: a frozen
/// layer keeps no input, and the first convolution keeps no weight.
#[derive(Clone, Debug)]
struct Factors<B: Gradients> {
    x: Option<FloatTensor<B>>,
    weight: Option<FloatTensor<B>>,
}

impl<B: Gradients> Factors<B> {
    fn of<C: CheckpointStrategy>(x: &T<B, C>, weight: &T<B, C>) -> Self {
        Self {
            x: weight.is_tracked().then(|| x.primitive().clone()),
            weight: x.is_tracked().then(|| weight.primitive().clone()),
        }
    }
}

/// Defines the backward of a product with a bias: what it remembers beside the factors, and the
/// gradients of weight, bias and input, each of which is computed only where it is asked for.
macro_rules! backward_of_product {
    (
        $name:ident, $more:ty, |$remembered:pat_param, $grad:ident|
        weight($x:ident) $of_weight:expr, bias $of_bias:expr, input($weight:ident) $of_input:expr
    ) => {
        #[derive(Debug)]
        struct $name;

        impl<B: Gradients> Backward<B, 3> for $name {
            type State = (Factors<B>, $more);

            fn backward(
                self,
                ops: Parents<Self::State, 3>,
                grads: &mut Grads,
                _checkpointer: &mut Checkpointer,
            ) {
                let $grad = grads.consume::<B>(&ops.node);
                let [input, weight, bias] = ops.parents;
                let (factors, $remembered) = ops.state;
                if let (Some(node), Some($x)) = (weight, factors.x) {
                    grads.register::<B>(node.id, $of_weight);
                }
                if let Some(node) = bias {
                    grads.register::<B>(node.id, $of_bias);
                }
                if let (Some(node), Some($weight)) = (input, factors.weight) {
                    grads.register::<B>(node.id, $of_input);
                }
            }
        }
    };
}

backward_of_product!(
    Project, Products, |products, grad|
    weight(x) B::project_weight(x, grad.clone(), products.rounding),
    bias B::project_bias(grad.clone()),
    input(weight) B::project_input(grad, weight, products)
);

backward_of_product!(
    Convolve, (Convolution, Products), |(convolution, products), grad|
    weight(x) B::convolve_weight(x, grad.clone(), convolution, products.rounding),
    bias B::convolve_bias(grad.clone()),
    input(weight) B::convolve_input(grad, weight, convolution, products)
);

// A transposed convolution runs backwards: its gradient stands where a convolution has `x`, and its
// input `y` where a convolution has the output's gradient.
backward_of_product!(
    TransposeConvolve, (Convolution, Products), |(convolution, products), grad|
    weight(y) B::convolve_weight(grad.clone(), y, convolution, products.rounding),
    bias B::convolve_bias(grad.clone()),
    input(weight) B::transpose_convolve_input(grad, weight, convolution, products)
);

/// Backward of [`Ops::norm_rows`]; the parameters' gradients are computed only if asked for.
#[derive(Debug)]
struct NormRows;

impl<B: Gradients> Backward<B, 3> for NormRows {
    type State = (FloatTensor<B>, FloatTensor<B>, f64);

    fn backward(
        self,
        ops: Parents<Self::State, 3>,
        grads: &mut Grads,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight, epsilon) = ops.state;
        if let [Some(of_x), None, None] = ops.parents {
            let grad = B::norm_rows_input(x, weight, grad, epsilon);
            grads.register::<B>(of_x.id, grad);
            return;
        }
        let gradients = B::norm_rows(x, weight, grad, epsilon);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The name of a float tensor that autodiff follows.
type T<B, C> = FloatTensor<Autodiff<B, C>>;

impl<B: Ops + Gradients, C: CheckpointStrategy> Ops for Autodiff<B, C> {
    fn convolve(
        x: T<B, C>,
        weight: T<B, C>,
        bias: T<B, C>,
        c: Convolution,
        products: Products,
    ) -> T<B, C> {
        let (values, kernel) = (x.primitive().clone(), weight.primitive().clone());
        let shift = bias.primitive().clone();
        let y = <B as Ops>::convolve(values, kernel, shift, c, products.clone());
        let state = (Factors::of::<C>(&x, &weight), (c, products));
        track!(Convolve, [x, weight, bias], state, y)
    }

    fn transpose_convolve(
        y: T<B, C>,
        weight: T<B, C>,
        bias: T<B, C>,
        c: Convolution,
        products: Products,
    ) -> T<B, C> {
        let (values, kernel) = (y.primitive().clone(), weight.primitive().clone());
        let shift = bias.primitive().clone();
        let x = <B as Ops>::transpose_convolve(values, kernel, shift, c, products.clone());
        let state = (Factors::of::<C>(&y, &weight), (c, products));
        track!(TransposeConvolve, [y, weight, bias], state, x)
    }

    fn norm_groups(x: T<B, C>, weight: T<B, C>, bias: T<B, C>, norm: GroupNorm) -> T<B, C> {
        let (values, gain) = (x.primitive().clone(), weight.primitive().clone());
        let shift = bias.primitive().clone();
        let y = <B as Ops>::norm_groups(values.clone(), gain.clone(), shift, norm);
        track!(NormGroups, [x, weight, bias], (values, gain, norm), y)
    }

    fn modulate(x: T<B, C>, factors: T<B, C>) -> T<B, C> {
        let state = (x.primitive().clone(), factors.primitive().clone());
        let y = <B as Ops>::modulate(state.0.clone(), state.1.clone());
        track!(Modulate, [x, factors], state, y)
    }

    fn filter(x: T<B, C>, fir: Fir) -> T<B, C> {
        let [_, height, width, _] = x.primitive().shape().dims();
        let y = <B as Ops>::filter(x.primitive().clone(), fir.clone());
        track!(Filter, [x], (Extent { height, width }, fir), y)
    }

    fn attend_to(queries: T<B, C>, keys_values: T<B, C>, attention: CrossAttention) -> T<B, C> {
        let (q, kv) = (queries.primitive().clone(), keys_values.primitive().clone());
        let y = <B as Ops>::attend_to(q.clone(), kv.clone(), attention);
        track!(AttendTo, [queries, keys_values], (q, kv, attention), y)
    }

    fn attend_next(queries: T<B, C>, keys_values: T<B, C>, attention: NextAttention) -> T<B, C> {
        let (q, kv) = (queries.primitive().clone(), keys_values.primitive().clone());
        T::<B, C>::new(<B as Ops>::attend_next(q, kv, attention))
    }

    fn project(x: T<B, C>, weight: T<B, C>, bias: T<B, C>, products: Products) -> T<B, C> {
        let (values, matrix) = (x.primitive().clone(), weight.primitive().clone());
        let bias_values = bias.primitive().clone();
        let y = <B as Ops>::project(values, matrix, bias_values, products.clone());
        let factors = Factors::of::<C>(&x, &weight);
        track!(Project, [x, weight, bias], (factors, products), y)
    }

    fn norm_columns(
        x: T<B, C>,
        weight: T<B, C>,
        bias: T<B, C>,
        epsilon: f64,
        relu: bool,
    ) -> (T<B, C>, T<B, C>, T<B, C>) {
        let (values, gain) = (x.primitive().clone(), weight.primitive().clone());
        let shift = bias.primitive().clone();
        let (y, mean, variance) =
            <B as Ops>::norm_columns(values.clone(), gain.clone(), shift, epsilon, relu);
        let normed = Normed {
            x: values,
            weight: gain,
            mean: mean.clone(),
            variance: variance.clone(),
            output: y.clone(),
        };
        let y = track!(NormColumns, [x, weight, bias], (normed, epsilon, relu), y);
        (y, T::<B, C>::new(mean), T::<B, C>::new(variance))
    }

    fn norm_rows(x: T<B, C>, weight: T<B, C>, bias: T<B, C>, epsilon: f64) -> T<B, C> {
        let (values, gain) = (x.primitive().clone(), weight.primitive().clone());
        let y = <B as Ops>::norm_rows(
            values.clone(),
            gain.clone(),
            bias.primitive().clone(),
            epsilon,
        );
        track!(NormRows, [x, weight, bias], (values, gain, epsilon), y)
    }

    fn attend(qkv: T<B, C>, attention: Attention) -> T<B, C> {
        let values = qkv.primitive().clone();
        let y = <B as Ops>::attend(values.clone(), attention);
        track!(Attend, [qkv], (values, attention), y)
    }

    fn activate(x: T<B, C>, activation: Activation) -> T<B, C> {
        let values = x.primitive().clone();
        let y = <B as Ops>::activate(values.clone(), activation);
        track!(Activate, [x], (values, activation), y)
    }

    fn add_relu(x: T<B, C>, y: T<B, C>) -> T<B, C> {
        let output = <B as Ops>::add_relu(x.primitive().clone(), y.primitive().clone());
        track!(AddRelu, [x, y], output.clone(), output)
    }

    fn pool(x: T<B, C>, pool: AveragePool) -> T<B, C> {
        let y = <B as Ops>::pool(x.primitive().clone(), pool);
        track!(Pool, [x], pool, y)
    }
}
