//! The layers both towers are made of: linear, layer norm, attention, MLP, residual block.
//!
//! Source: `ResidualAttentionBlock`, `Transformer` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: a parameter's path in the module tree is its key in an open_clip state dict, and its
//! shape is the shape there (a linear weight is `[out, in]`).
//!
//! `N` inputs, `L` tokens, `W` width, `H` heads.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kernels::{Activation, Precision};

use super::ops::{activation, attention, layer_norm, linear};
use super::parameters::Builder;
use crate::Error;

/// Layer norm's ε, PyTorch's default, which every CLIP model uses.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// `y = x Wᵀ + b`, with `weight` `[out, in]` and `bias` `[out]`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    precision: Precision,
}

impl Linear {
    pub(super) fn build(b: &mut Builder, path: &str) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            precision: b.precision(),
        })
    }

    /// Maps `[…, in]` to `[…, out]`.
    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear(x, self.weight.val(), self.bias.val(), self.precision)
    }
}

/// Normalises the last dimension to mean 0 and variance 1, then scales and shifts it.
#[derive(Module, Debug)]
pub(super) struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl LayerNorm {
    pub(super) fn build(b: &mut Builder, path: &str) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
        })
    }

    /// Normalises `[…, W]`; the shape stays.
    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let parameters = [self.weight.val(), self.bias.val()];
        layer_norm(x, parameters, LAYER_NORM_EPSILON)
    }
}

/// What a token may attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mask {
    /// Every token.
    None,
    /// Itself and the tokens before it.
    Causal,
}

/// Multi-head self-attention, with query, key and value stacked in one projection.
#[derive(Module, Debug)]
struct Attention {
    in_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Param<Tensor<1>>,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    precision: Precision,
}

impl Attention {
    fn build(b: &mut Builder, path: &str, heads: usize) -> Result<Self, Error> {
        Ok(Self {
            in_proj_weight: b.param(format!("{path}.in_proj_weight"))?,
            in_proj_bias: b.param(format!("{path}.in_proj_bias"))?,
            out_proj: Linear::build(b, &format!("{path}.out_proj"))?,
            heads,
            precision: b.precision(),
        })
    }

    fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let qkv = linear(
            x,
            self.in_proj_weight.val(),
            self.in_proj_bias.val(),
            self.precision,
        ); // [N, L, 3 W]
        let y = attention(qkv, self.heads, mask == Mask::Causal); // [N, L, W]
        self.out_proj.forward(y) // [N, L, W]
    }
}

/// Two linear layers with the activation between them.
#[derive(Module, Debug)]
struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
    /// It belongs to the checkpoint, never to a guess.
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn build(b: &mut Builder, path: &str, activation: Activation) -> Result<Self, Error> {
        Ok(Self {
            c_fc: Linear::build(b, &format!("{path}.c_fc"))?,
            c_proj: Linear::build(b, &format!("{path}.c_proj"))?,
            activation,
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = activation(self.c_fc.forward(x), self.activation);
        self.c_proj.forward(hidden)
    }
}

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
    pub(super) activation: Activation,
}

impl Transformer {
    pub(super) fn build(
        b: &mut Builder,
        path: &str,
        shape: TransformerShape,
    ) -> Result<Self, Error> {
        let block = |i: usize, b: &mut Builder| -> Result<ResidualBlock, Error> {
            let path = format!("{path}.resblocks.{i}");
            Ok(ResidualBlock {
                ln_1: LayerNorm::build(b, &format!("{path}.ln_1"))?,
                attn: Attention::build(b, &format!("{path}.attn"), shape.heads)?,
                ln_2: LayerNorm::build(b, &format!("{path}.ln_2"))?,
                mlp: Mlp::build(b, &format!("{path}.mlp"), shape.activation)?,
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
