//! The last block in the forms that keep what each token is about.

use diptych_kernels::{Rows, Then, attend, attend_biased};

use super::{Transformer, Workspace};
use crate::model::{DenseAttention, DenseForm, Grid};

impl Transformer {
    /// Puts the residual stream `x` `[N, L, W]` of inputs whose tokens are `prefix` and a grid's through the last block in
    /// another form.
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
        let w = self.width;
        block.ln_1.apply(x, normed);
        keys_values.resize(2 * x.len());
        block
            .attn
            .keys_values
            .apply(&*normed, &mut *keys_values, Then::Store);
        keys_values.read_into(aside);
        let take = |part: usize| -> Vec<f32> {
            let rows = aside.chunks_exact(2 * w);
            rows.flat_map(|row| &row[part * w..][..w])
                .copied()
                .collect()
        };
        let (keys, values) = (take(0), take(1));
        let shape = [n, w, self.heads];
        // What `rows` find by themselves in the values.
        let mut find = |rows: &Rows, values_of: &[f32], bias: Option<&[f32]>, y: &mut Rows| {
            let mut flat = Vec::new();
            rows.read_into(&mut flat);
            let pairs = flat.chunks_exact(w).zip(values_of.chunks_exact(w));
            let stacked: Vec<f32> = pairs.flat_map(|(a, b)| [a, b].concat()).collect();
            keys_values.set(&stacked);
            y.resize(rows.len());
            match bias {
                Some(bias) => attend_biased(shape, rows, keys_values, bias, y),
                None => attend(shape, rows, keys_values, y),
            }
        };
        if !matches!(
            form.attention,
            DenseAttention::Values | DenseAttention::KeysNearby { .. }
        ) {
            queries.resize(x.len());
            block
                .attn
                .queries
                .apply(&*normed, &mut *queries, Then::Store);
        }
        match form.attention {
            DenseAttention::Values => y.set(&values),
            DenseAttention::Queries => find(queries, &values, None, y),
            DenseAttention::KeysNearby { deviation } => {
                queries.set(&keys);
                find(queries, &values, Some(&grid.nearness(prefix, deviation)), y);
            }
            DenseAttention::QueriesAndKeys => {
                find(queries, &values, None, y);
                let (mut by_queries, mut by_keys) = (Vec::new(), Vec::new());
                y.read_into(&mut by_queries);
                queries.set(&keys);
                find(queries, &values, None, y);
                y.read_into(&mut by_keys);
                by_queries
                    .iter_mut()
                    .zip(by_keys)
                    .for_each(|(a, b)| *a += b);
                y.set(&by_queries);
            }
        }
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
