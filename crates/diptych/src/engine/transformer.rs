//! Residual attention blocks over rows of tokens that need no common length.
//!
//! `T` tokens of all inputs, `Q` of them asked for, `W` width.

use kernels::{Activation, Linear, Paths, Then, attend};

use super::loader::{Loader, Norm, linear};
use crate::Result;
use crate::model::BlockOptions;

/// Memory of a call, kept for the next. Sizes are those of the largest so far.
#[derive(Default)]
pub(super) struct Workspace {
    /// The residual stream, `[T, W]`.
    pub(super) x: Vec<f32>,
    /// What a layer reads or has made, `[T, W]`.
    pub(super) y: Vec<f32>,
    /// Queries, keys and values `[T, 3 W]`, or the MLP's inside.
    pub(super) wide: Vec<f32>,
    /// Two more maps, of a ResNet.
    pub(super) more: [Vec<f32>; 2],
}

/// The first `len` values of a buffer, which grows if it must.
pub(super) fn first(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// What each token attends to.
pub(super) enum Reach<'a> {
    /// All tokens of its input, of which there are so many, equally long. What is asked for is as many tokens of each.
    Input(usize),
    /// The tokens on its path; for all of `T`, and for the `Q` that are asked for.
    Path { all: &'a Paths, asked: &'a Paths },
}

/// A stack of blocks.
pub(super) struct Transformer {
    blocks: Vec<Block>,
    width: usize,
    heads: usize,
}

impl Transformer {
    pub(super) fn load(
        loader: &mut Loader,
        path: &str,
        [layers, width, heads]: [usize; 3],
        options: BlockOptions,
    ) -> Result<Self> {
        let block = |i| Block::load(loader, &format!("{path}.resblocks.{i}"), options);
        Ok(Self {
            blocks: (0..layers).map(block).collect::<Result<_>>()?,
            width,
            heads,
        })
    }

    /// Maps the residual stream `x` `[T, W]` to that of the rows that are asked for, `[Q, W]`; none are all.
    ///
    /// `asked` rises. Only those rows go through the last block's query, projection and MLP.
    pub(super) fn apply(&self, workspace: &mut Workspace, reach: &Reach, asked: Option<&[usize]>) {
        if let (Reach::Input(n), Some(asked)) = (reach, asked) {
            debug_assert!(asked.len().is_multiple_of(*n), "as many of each input");
        }
        let shape = [self.width, self.heads];
        let (last, others) = match (self.blocks.split_last(), asked) {
            (Some((last, others)), Some(asked)) => (Some((last, asked)), others),
            _ => (None, &self.blocks[..]),
        };
        for block in others {
            block.apply(workspace, shape, reach, None);
        }
        if let Some((last, asked)) = last {
            last.apply(workspace, shape, reach, Some(asked));
        }
    }
}

struct Block {
    ln_1: Norm,
    attn: Attention,
    ln_2: Norm,
    mlp: Mlp,
}

impl Block {
    fn load(loader: &mut Loader, path: &str, options: BlockOptions) -> Result<Self> {
        Ok(Self {
            ln_1: loader.norm(&format!("{path}.ln_1"), options.epsilon)?,
            attn: Attention::load(loader, &format!("{path}.attn"))?,
            ln_2: loader.norm(&format!("{path}.ln_2"), options.epsilon)?,
            mlp: Mlp::load(loader, &format!("{path}.mlp"), options.activation)?,
        })
    }

    fn apply(
        &self,
        workspace: &mut Workspace,
        [width, heads]: [usize; 2],
        reach: &Reach,
        asked: Option<&[usize]>,
    ) {
        let Workspace { x, y, wide, .. } = workspace;
        self.ln_1.apply(x, y);
        let (queries, keys_values) = first(wide, 3 * x.len()).split_at_mut(x.len());
        self.attn.keys_values.apply(y, keys_values, Then::Store);
        if let Some(asked) = asked {
            keep_rows(x, width, asked);
            keep_rows(y, width, asked);
        }
        let queries = &mut queries[..y.len()];
        self.attn.queries.apply(y, queries, Then::Store);
        match (reach, asked) {
            (Reach::Input(n), _) => attend([*n, width, heads], queries, keys_values, y),
            (Reach::Path { all, .. }, None) => all.attend([width, heads], queries, keys_values, y),
            (Reach::Path { asked, .. }, Some(_)) => {
                asked.attend([width, heads], queries, keys_values, y);
            }
        }
        self.attn.out_proj.apply(y, x, Then::Add);
        self.ln_2.apply(x, y);
        self.mlp.add(y, wide, x);
    }
}

/// Keeps some rows, which rise, and forgets the others.
pub(super) fn keep_rows(matrix: &mut Vec<f32>, width: usize, rows: &[usize]) {
    for (to, &from) in rows.iter().enumerate() {
        matrix.copy_within(from * width..(from + 1) * width, to * width);
    }
    matrix.truncate(rows.len() * width);
}

/// Attention's projections.
pub(super) struct Attention {
    pub(super) queries: Linear,
    pub(super) keys_values: Linear,
    pub(super) out_proj: Linear,
}

impl Attention {
    /// Reads query, key and value from one stacked projection `[3 W, W]`.
    pub(super) fn load(loader: &mut Loader, path: &str) -> Result<Self> {
        let weight = loader.tensor(&format!("{path}.in_proj_weight"))?;
        let bias = loader.tensor(&format!("{path}.in_proj_bias"))?;
        let (q_weight, kv_weight) = weight.split_at(weight.len() / 3);
        let (q_bias, kv_bias) = bias.split_at(bias.len() / 3);
        Ok(Self {
            queries: linear(q_weight, q_bias),
            keys_values: linear(kv_weight, kv_bias),
            out_proj: loader.linear(&format!("{path}.out_proj"))?,
        })
    }
}

/// Two linear layers with the activation between them.
pub(super) struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
    activation: Activation,
}

impl Mlp {
    pub(super) fn load(loader: &mut Loader, path: &str, activation: Activation) -> Result<Self> {
        Ok(Self {
            c_fc: loader.linear(&format!("{path}.c_fc"))?,
            c_proj: loader.linear(&format!("{path}.c_proj"))?,
            activation,
        })
    }

    /// Adds the MLP of `y` to `x`, both `[Q, W]`.
    pub(super) fn add(&self, y: &[f32], wide: &mut Vec<f32>, x: &mut [f32]) {
        let rows = y.len() / self.c_fc.inputs();
        let hidden = first(wide, rows * self.c_fc.outputs());
        self.c_fc.apply(y, hidden, Then::Activate(self.activation));
        self.c_proj.apply(hidden, x, Then::Add);
    }
}
