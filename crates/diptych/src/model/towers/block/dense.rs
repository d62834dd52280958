//! The last block in the forms that keep what each token is about.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::{Mask, Transformer};
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

    /// Maps `x` `[N, L, W]` by the last block in another form; the shape stays. Its `L` tokens are
    /// `prefix` tokens, then the grid's.
    pub(in crate::model::towers) fn dense(
        &self,
        x: Tensor<3>,
        form: DenseForm,
        (prefix, grid): (usize, Grid),
    ) -> Tensor<3> {
        let Some(block) = self.resblocks.last() else {
            return x;
        };
        let [queries, keys, values] = block
            .attn
            .queries_keys_values(block.ln_1.forward(x.clone()));
        // Products of each token's vector with every token's, over √d: `[N, H, L, L]`.
        let by_itself = |of: Tensor<4>| {
            let scale = (of.dims()[3] as f64).sqrt().recip();
            of.clone().matmul(of.swap_dims(2, 3)) * scale
        };
        let found = match form.attention {
            DenseAttention::Values => values,
            DenseAttention::Queries => softmax(by_itself(queries), 3).matmul(values),
            DenseAttention::QueriesAndKeys => {
                let shares = softmax(by_itself(queries), 3) + softmax(by_itself(keys), 3);
                shares.matmul(values)
            }
            DenseAttention::KeysNearby { deviation } => {
                let l = x.dims()[1];
                let near = TensorData::new(grid.nearness(prefix, deviation), [1, 1, l, l]);
                let near = Tensor::from_data(near, &x.device());
                softmax(by_itself(keys) + near, 3).matmul(values)
            }
        };
        let y = block.attn.output(found); // [N, L, W]
        let y = if form.residual { x + y } else { y };
        if form.mlp {
            y.clone() + block.mlp.forward(block.ln_2.forward(y))
        } else {
            y
        }
    }
}
