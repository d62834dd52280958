//! The stack of residual blocks that both towers are made of.
//!
//! Source: `ResidualAttentionBlock`, `Transformer` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: a parameter's path in the module tree is its key in an open_clip state dict, and its
//! shape is the shape there (a linear weight is `[out, in]`).
//!
//! `N` inputs, `L` tokens, `W` width.

mod dense;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::Error;
use crate::layers::{Attention, Builder, LayerNorm, Mask, Mlp};
use crate::model::config::BlockOptions;

/// A pre-norm residual block: attention, then MLP.
#[derive(Module, Debug)]
struct ResidualBlock {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

impl ResidualBlock {
    fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.ln_1.forward(x), mask); // [N, L, W]
        x.clone() + self.mlp.forward(self.ln_2.forward(x)) // [N, L, W]
    }
}

/// The stack of residual blocks that both towers share.
#[derive(Module, Debug)]
pub(super) struct Transformer {
    resblocks: Vec<ResidualBlock>,
}

/// The numbers a [`Transformer`] is built from.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransformerShape {
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) options: BlockOptions,
}

impl Transformer {
    pub(super) fn build(
        b: &mut Builder,
        path: &str,
        shape: TransformerShape,
    ) -> Result<Self, Error> {
        let block = |i: usize, b: &mut Builder| -> Result<ResidualBlock, Error> {
            let path = format!("{path}.resblocks.{i}");
            let options = shape.options;
            Ok(ResidualBlock {
                ln_1: LayerNorm::build(b, &format!("{path}.ln_1"), options.epsilon)?,
                attn: Attention::build(b, &format!("{path}.attn"), shape.heads)?,
                ln_2: LayerNorm::build(b, &format!("{path}.ln_2"), options.epsilon)?,
                mlp: Mlp::build(b, &format!("{path}.mlp"), options.activation)?,
            })
        };
        let resblocks = (0..shape.layers)
            .map(|i| block(i, b))
            .collect::<Result<_, _>>()?;
        Ok(Self { resblocks })
    }

    /// Maps `[N, L, W]` to `[N, L, W]`.
    pub(super) fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        self.resblocks
            .iter()
            .fold(x, |x, block| block.forward(x, mask))
    }
}
