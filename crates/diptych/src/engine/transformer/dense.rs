//! The last block in the forms that keep what each token is about.

use diptych_kernels::{Then, attend, attend_biased};

use super::{Transformer, Workspace};
use crate::model::{DenseAttention, DenseForm, Grid};

impl Transformer {
    /// Puts the residual stream `x` `[N, L, W]` through the last block in another form. Its `L`
    /// tokens are `prefix` tokens, then the grid's.
    pub(in crate::engine) fn apply_dense(
        &self,
        form: DenseForm,
        (n, prefix, grid): (usize, usize, Grid),
        workspace: &mut Workspace,
    ) {
        let Some(block) = self.blocks.last() else {
            return;
        };
        let Workspace {
            x,
            normed,
            y,
            queries,
            keys_values,
            wide,
            aside,
            ..
        } = workspace;
        let w = self.shape.width;
        block.ln_1.apply(x, normed);
        keys_values.resize(2 * x.len());
        block
            .attn
            .keys_values
            .apply(&*normed, &mut *keys_values, Then::Store);
        keys_values.read_into(aside);
        let part = |part: usize| -> Vec<f32> {
            let rows = aside.chunks_exact(2 * w).map(|row| &row[part * w..][..w]);
            rows.flatten().copied().collect()
        };
        let (keys, values) = (part(0), part(1));
        // Attention to `values` with `rows` as both queries and keys.
        let mut find = |rows: &[f32], bias: Option<&[f32]>| -> Vec<f32> {
            queries.set(rows);
            let pairs = rows.chunks_exact(w).zip(values.chunks_exact(w));
            keys_values.set(
                &pairs
                    .flat_map(|(a, b)| [a, b].concat())
                    .collect::<Vec<f32>>(),
            );
            y.resize(rows.len());
            match bias {
                Some(bias) => attend_biased(n, self.shape, queries, keys_values, bias, y),
                None => attend(n, self.shape, queries, keys_values, y),
            }
            let mut found = Vec::new();
            y.read_into(&mut found);
            found
        };
        let project = || {
            let mut queries = vec![0.0; x.len()];
            block
                .attn
                .queries
                .apply(&*normed, &mut queries, Then::Store);
            queries
        };
        let found = match form.attention {
            DenseAttention::Values => values.clone(),
            DenseAttention::Queries => find(&project(), None),
            DenseAttention::QueriesAndKeys => {
                let (by_queries, by_keys) = (find(&project(), None), find(&keys, None));
                let sums = by_queries.iter().zip(by_keys).map(|(a, b)| a + b);
                sums.collect()
            }
            DenseAttention::KeysNearby { deviation } => {
                find(&keys, Some(&grid.nearness(prefix, deviation)))
            }
        };
        y.set(&found);
        let then = if form.residual {
            Then::Add
        } else {
            Then::Store
        };
        block.attn.out_proj.apply(&*y, &mut *x, then);
        if form.mlp {
            block.ln_2.apply(x, normed);
            block.mlp.add(normed, wide, x);
        }
    }
}
