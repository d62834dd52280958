//! Multi-head attention.
//!
//! Source: Vaswani et al., arXiv 1706.03762; `nn.MultiheadAttention` of PyTorch.
//!
//! `N` inputs, `L` tokens, `W` width, `H` heads.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use diptych_kernels::Rounding;

use super::ops::{attention, linear};
use super::{Builder, Linear};
use crate::Error;

/// What a token may attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Every token.
    None,
    /// Itself and the tokens before it.
    Causal,
}

/// Multi-head attention, with query, key and value stacked in one projection.
#[derive(Module, Debug)]
pub struct Attention {
    in_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Param<Tensor<1>>,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    rounding: Rounding,
}

impl Attention {
    /// The layer whose parameters are called `path.…`.
    ///
    /// # Errors
    /// What the source reports.
    pub fn build(b: &mut Builder, path: &str, heads: usize) -> Result<Self, Error> {
        Ok(Self {
            in_proj_weight: b.param(format!("{path}.in_proj_weight"))?,
            in_proj_bias: b.param(format!("{path}.in_proj_bias"))?,
            out_proj: Linear::build(b, &format!("{path}.out_proj"))?,
            heads,
            rounding: b.rounding(),
        })
    }

    /// Attends in `[N, L, W]`; the shape stays.
    pub fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let y = attention(self.stacked(x), self.heads, mask == Mask::Causal); // [N, L, W]
        self.out_proj.forward(y) // [N, L, W]
    }

    /// Queries, keys and values of `[N, L, W]`, a head apart: `[N, H, L, W / H]` each.
    pub fn queries_keys_values(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let [n, l, w] = x.dims();
        let stacked = self.stacked(x);
        std::array::from_fn(|part| {
            let part = stacked.clone().narrow(2, part * w, w);
            part.reshape([n, l, self.heads, w / self.heads])
                .swap_dims(1, 2)
        })
    }

    /// What the heads found, `[N, H, L, W / H]`, put together and projected: `[N, L, W]`.
    pub fn output(&self, found: Tensor<4>) -> Tensor<3> {
        let [n, h, l, d] = found.dims();
        self.out_proj
            .forward(found.swap_dims(1, 2).reshape([n, l, h * d]))
    }

    /// Queries, keys and values of `[N, L, W]`, `[N, L, 3 W]`.
    fn stacked(&self, x: Tensor<3>) -> Tensor<3> {
        linear(
            x,
            self.in_proj_weight.val(),
            self.in_proj_bias.val(),
            self.rounding,
        )
    }

    /// What one query `[1, 1, W]` finds in `x` `[N, L, W]`: `[N, W]`.
    pub fn query(&self, query: Tensor<3>, x: Tensor<3>) -> Tensor<2> {
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
pub(crate) fn attend(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, heads: usize) -> Tensor<2> {
    let [n, _, w] = k.dims();
    let split = |x: Tensor<3>| {
        let l = x.dims()[1];
        x.reshape([n, l, heads, w / heads]).swap_dims(1, 2) // [N, H, L, W/H]
    };
    let options = Default::default();
    let y = burn::tensor::module::attention(split(q), split(k), split(v), None, None, options);
    y.reshape([n, w])
}
