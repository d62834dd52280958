//! The last block in the forms that keep what each token is about.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::{Mask, Transformer, linear};
use crate::model::{DenseAttention, DenseForm, Grid};

impl Transformer {
    /// Number of blocks.
    pub(in crate::model::towers) fn len(&self) -> usize {
        self.resblocks.len()
    }

    /// Maps `[N, L, W]` to `[N, L, W]` by one block.
    pub(in crate::model::towers) fn block(
        &self,
        block: usize,
        x: Tensor<3>,
        mask: Mask,
    ) -> Tensor<3> {
        self.resblocks[block].forward(x, mask)
    }

    /// Maps `[N, L, W]`, of `prefix` tokens and a grid's, to `[N, L, W]` by the last block in another form.
    pub(in crate::model::towers) fn dense(
        &self,
        x: Tensor<3>,
        form: DenseForm,
        (prefix, grid): (usize, Grid),
    ) -> Tensor<3> {
        let Some(block) = self.resblocks.last() else {
            return x;
        };
        let attn = &block.attn;
        let qkv = linear(
            block.ln_1.forward(x.clone()),
            attn.in_proj_weight.val(),
            attn.in_proj_bias.val(),
            attn.rounding,
        ); // [N, L, 3 W]
        let [n, l, w] = x.dims();
        let d = w / attn.heads;
        let part = |i: usize| {
            let part = qkv.clone().narrow(2, i * w, w);
            part.reshape([n, l, attn.heads, d]).swap_dims(1, 2) // [N, H, L, D]
        };
        // How each token looks at the others that `of` is near.
        let by_itself = |of: Tensor<4>| {
            let scores = of.clone().matmul(of.swap_dims(2, 3)) / (d as f64).sqrt();
            scores // [N, H, L, L]
        };
        let values = part(2);
        let y = match form.attention {
            DenseAttention::Values => values,
            DenseAttention::Queries => softmax(by_itself(part(0)), 3).matmul(values),
            DenseAttention::QueriesAndKeys => {
                let shares = softmax(by_itself(part(0)), 3) + softmax(by_itself(part(1)), 3);
                shares.matmul(values)
            }
            DenseAttention::KeysNearby { deviation } => {
                let near = TensorData::new(grid.nearness(prefix, deviation), [1, 1, l, l]);
                let near = Tensor::from_data(near, &x.device());
                softmax(by_itself(part(1)) + near, 3).matmul(values)
            }
        };
        let y = attn.out_proj.forward(y.swap_dims(1, 2).reshape([n, l, w]));
        let y = if form.residual { x + y } else { y };
        if form.mlp {
            y.clone() + block.mlp.forward(block.ln_2.forward(y))
        } else {
            y
        }
    }
}
