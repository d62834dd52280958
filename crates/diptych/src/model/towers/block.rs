//! The layers both towers are made of: linear, layer norm, attention, MLP, residual block.
//!
//! Source: `ResidualAttentionBlock`, `Transformer` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: a parameter's path in the module tree is its key in an open_clip state dict, and its
//! shape is the shape there (a linear weight is `[out, in]`).
//!
//! `N` inputs, `L` tokens, `W` width, `H` heads.

mod dense;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use diptych_kernels::{Activation, Rounding};

use super::build::Builder;
use super::ops::{activation, attention, layer_norm, linear};
use crate::Error;
use crate::model::config::BlockOptions;

/// `y = x Wᵀ + b`, with `weight` `[out, in]` and `bias` `[out]`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    rounding: Rounding,
}

impl Linear {
    pub(super) fn build(b: &mut Builder, path: &str) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            rounding: b.rounding(),
        })
    }

    /// Maps `[…, in]` to `[…, out]`.
    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        linear(x, self.weight.val(), self.bias.val(), self.rounding)
    }
}

/// Normalises the last dimension to mean 0 and variance 1, then scales and shifts it.
#[derive(Module, Debug)]
pub(super) struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    pub(super) fn build(b: &mut Builder, path: &str, epsilon: f64) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: b.param(format!("{path}.bias"))?,
            epsilon,
        })
    }

    /// Normalises `[…, W]`; the shape stays.
    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let parameters = [self.weight.val(), self.bias.val()];
        layer_norm(x, parameters, self.epsilon)
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

/// Multi-head attention, with query, key and value stacked in one projection.
#[derive(Module, Debug)]
pub(super) struct Attention {
    in_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Param<Tensor<1>>,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    rounding: Rounding,
}

impl Attention {
    pub(super) fn build(b: &mut Builder, path: &str, heads: usize) -> Result<Self, Error> {
        Ok(Self {
            in_proj_weight: b.param(format!("{path}.in_proj_weight"))?,
            in_proj_bias: b.param(format!("{path}.in_proj_bias"))?,
            out_proj: Linear::build(b, &format!("{path}.out_proj"))?,
            heads,
            rounding: b.rounding(),
        })
    }

    fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let qkv = linear(
            x,
            self.in_proj_weight.val(),
            self.in_proj_bias.val(),
            self.rounding,
        ); // [N, L, 3 W]
        let y = attention(qkv, self.heads, mask == Mask::Causal); // [N, L, W]
        self.out_proj.forward(y) // [N, L, W]
    }

    /// What each token of `[N, L, W]` finds that attends to itself alone: `[N, L, W]`.
    pub(super) fn values(&self, x: Tensor<3>) -> Tensor<3> {
        let w = x.dims()[2];
        let weight = self.in_proj_weight.val().narrow(0, 2 * w, w);
        let bias = self.in_proj_bias.val().narrow(0, 2 * w, w);
        self.out_proj
            .forward(linear(x, weight, bias, self.rounding))
    }

    /// What one query `[1, 1, W]` finds in `x` `[N, L, W]`: `[N, W]`.
    pub(super) fn query(&self, query: Tensor<3>, x: Tensor<3>) -> Tensor<2> {
        let [n, _, w] = x.dims();
        let (weight, bias) = (self.in_proj_weight.val(), self.in_proj_bias.val());
        let project = |x: Tensor<3>, first: usize, rows: usize| {
            let weight = weight.clone().narrow(0, first, rows);
            linear(
                x,
                weight,
                bias.clone().narrow(0, first, rows),
                self.rounding,
            )
        };
        let q = project(query, 0, w).repeat_dim(0, n);
        let kv = project(x, w, 2 * w); // [N, L, 2 W]
        let (k, v) = (kv.clone().narrow(2, 0, w), kv.narrow(2, w, w));
        self.out_proj.forward(attend(q, k, v, self.heads)) // [N, W]
    }
}

/// What single queries `[N, 1, W]` find by keys `[N, L, W]` in values `[N, L, W]`: `[N, W]`.
pub(super) fn attend(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, heads: usize) -> Tensor<2> {
    let [n, _, w] = k.dims();
    let split = |x: Tensor<3>| {
        let l = x.dims()[1];
        x.reshape([n, l, heads, w / heads]).swap_dims(1, 2) // [N, H, L, W/H]
    };
    let options = Default::default();
    let y = burn::tensor::module::attention(split(q), split(k), split(v), None, None, options);
    y.reshape([n, w])
}

/// Two linear layers with the activation between them.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    c_fc: Linear,
    c_proj: Linear,
    /// It belongs to the checkpoint, never to a guess.
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    pub(super) fn build(
        b: &mut Builder,
        path: &str,
        activation: Activation,
    ) -> Result<Self, Error> {
        Ok(Self {
            c_fc: Linear::build(b, &format!("{path}.c_fc"))?,
            c_proj: Linear::build(b, &format!("{path}.c_proj"))?,
            activation,
        })
    }

    pub(super) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
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
