//! Residual attention blocks over rows of tokens that need no common length.
//!
//! `T` tokens of all inputs, `Q` of them asked for, `W` width.

mod dense;

use diptych_kernels::{Activation, Heads, Linear, Normed, Paths, Rows, Then, attend, keep_rows};

use super::loader::{Loader, Norm};
use super::precision::Formats;
use crate::Result;
use crate::model::BlockOptions;

/// Memory of a call, kept for the next. Sizes are those of the largest so far.
pub(super) struct Workspace {
    /// The formats that it is for.
    pub(super) formats: Formats,
    /// The residual stream, `[T, W]`, or values that become features.
    pub(super) x: Vec<f32>,
    /// `x` after layer norm, `[T, W]`.
    pub(super) normed: Normed,
    /// Attention's result, `[T, W]`.
    pub(super) y: Rows,
    /// `[T, W]`.
    pub(super) queries: Rows,
    /// `[T, 2 W]`.
    pub(super) keys_values: Rows,
    /// The MLP's inside, or patches.
    pub(super) wide: Rows,
    /// Embeddings of patches, or features.
    pub(super) aside: Vec<f32>,
    /// A ResNet's maps.
    pub(super) maps: [Rows; 3],
}

impl Workspace {
    /// Whether it is for a tower whose numbers are kept in these formats.
    pub(super) fn is_for(&self, formats: Formats) -> bool {
        self.formats.kept == formats.kept && self.formats.weights == formats.weights
    }

    /// For a tower whose numbers are kept in these formats.
    pub(super) fn new(formats: Formats) -> Self {
        let rows = || Rows::new(formats.kept);
        Self {
            formats,
            x: Vec::new(),
            normed: Normed::new(formats.kept, formats.weights),
            y: rows(),
            queries: rows(),
            keys_values: rows(),
            wide: rows(),
            aside: Vec::new(),
            maps: [rows(), rows(), rows()],
        }
    }
}

/// The tokens that each token attends to.
pub(super) enum Reach<'a> {
    /// All tokens of its own input. There are so many inputs, of equal lengths, and equally many
    /// tokens of each are asked for.
    Input(usize),
    /// The tokens on its path: `all` has the paths of all `T` tokens, `asked` those of the `Q`
    /// asked for.
    Path { all: &'a Paths, asked: &'a Paths },
}

/// A stack of blocks.
pub(super) struct Transformer {
    blocks: Vec<Block>,
    shape: Heads,
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
            shape: Heads { width, heads },
        })
    }

    /// Number of blocks.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Puts the residual stream `x` `[T, W]` through one block, every row.
    pub(super) fn apply_block(&self, block: usize, workspace: &mut Workspace, reach: &Reach) {
        self.blocks[block].apply(workspace, self.shape, reach, None);
    }

    /// Puts the residual stream `x` `[T, W]` through all blocks and keeps the rows `asked` of the
    /// result, `[Q, W]`, or all rows if that is none.
    ///
    /// `asked` rises. In the last block only those rows get queries, the output projection and the
    /// MLP.
    pub(super) fn apply(&self, workspace: &mut Workspace, reach: &Reach, asked: Option<&[usize]>) {
        if let (Reach::Input(n), Some(asked)) = (reach, asked) {
            debug_assert!(asked.len().is_multiple_of(*n), "as many of each input");
        }
        let shape = self.shape;
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
        shape: Heads,
        reach: &Reach,
        asked: Option<&[usize]>,
    ) {
        let Workspace {
            x,
            normed,
            y,
            queries,
            keys_values,
            wide,
            ..
        } = workspace;
        self.ln_1.apply(x, normed);
        keys_values.resize(2 * x.len());
        self.attn
            .keys_values
            .apply(&*normed, &mut *keys_values, Then::Store);
        if let Some(asked) = asked {
            keep_rows(x, shape.width, asked);
            normed.keep(shape.width, asked);
        }
        queries.resize(x.len());
        self.attn
            .queries
            .apply(&*normed, &mut *queries, Then::Store);
        y.resize(x.len());
        match (reach, asked) {
            (Reach::Input(n), _) => attend(*n, shape, queries, keys_values, y),
            (Reach::Path { all, .. }, None) => all.attend(shape, queries, keys_values, y),
            (Reach::Path { asked, .. }, Some(_)) => {
                asked.attend(shape, queries, keys_values, y);
            }
        }
        self.attn.out_proj.apply(&*y, &mut *x, Then::Add);
        self.ln_2.apply(x, normed);
        self.mlp.add(normed, wide, x);
    }
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
            queries: loader.packed(q_weight, q_bias),
            keys_values: loader.packed(kv_weight, kv_bias),
            out_proj: loader.out_proj(&format!("{path}.out_proj"))?,
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
    pub(super) fn add(&self, y: &Normed, wide: &mut Rows, x: &mut Vec<f32>) {
        wide.resize(y.len() / self.c_fc.inputs() * self.c_fc.outputs());
        let activate = Then::Activate(self.activation);
        self.c_fc.apply(y, &mut *wide, activate);
        self.c_proj.apply(&*wide, x, Then::Add);
    }
}
