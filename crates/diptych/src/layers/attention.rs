//! Multi-head attention: of tokens to each other, to the tokens of something else, and of the next
//! token of a text that is being written.
//!
//! Source: Vaswani et al., arXiv 1706.03762; `nn.MultiheadAttention` of PyTorch, whose names and
//! shapes the parameters have.
//!
//! `N` inputs, `L` tokens, `Q` queries, `W` width, `H` heads.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::ops::{Products, attention, cross_attention, linear, next_attention};
use super::{Builder, KeysValues, Linear};
use crate::Error;

/// The tokens that a token may attend to.
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
    products: Products,
}

impl Attention {
    /// The layer of `path.in_proj_weight` `[3 W, W]`, `path.in_proj_bias` `[3 W]` and
    /// `path.out_proj`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, heads: usize) -> Result<Self, Error> {
        Ok(Self {
            in_proj_weight: b.param(format!("{path}.in_proj_weight"))?,
            in_proj_bias: b.param(format!("{path}.in_proj_bias"))?,
            out_proj: Linear::build(b, &format!("{path}.out_proj"))?,
            heads,
            products: b.products(&format!("{path}.in_proj_weight")),
        })
    }

    /// Attends in `[N, L, W]`; the shape stays.
    pub fn forward(&self, x: Tensor<3>, mask: Mask) -> Tensor<3> {
        let y = attention(self.stacked(x), self.heads, mask == Mask::Causal); // [N, L, W]
        self.out_proj.forward(y) // [N, L, W]
    }

    /// Queries, keys and values of `x` `[N, L, W]`, split into heads: `[N, H, L, W / H]` each.
    pub fn queries_keys_values(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let [n, l, w] = x.dims();
        let stacked = self.stacked(x);
        std::array::from_fn(|part| {
            let part = stacked.clone().narrow(2, part * w, w);
            part.reshape([n, l, self.heads, w / self.heads])
                .swap_dims(1, 2)
        })
    }

    /// Joins the heads' results `[N, H, L, W / H]` and projects them: `[N, L, W]`.
    pub fn output(&self, found: Tensor<4>) -> Tensor<3> {
        let [n, h, l, d] = found.dims();
        self.out_proj
            .forward(found.swap_dims(1, 2).reshape([n, l, h * d]))
    }

    /// Queries, keys and values of `x` `[N, L, W]`, side by side: `[N, L, 3 W]`.
    fn stacked(&self, x: Tensor<3>) -> Tensor<3> {
        linear(
            x,
            self.in_proj_weight.val(),
            Some(self.in_proj_bias.val()),
            &self.products,
        )
    }

    /// Projects by the rows `first..first + outputs` of the stacked weight alone.
    fn project(&self, x: Tensor<3>, first: usize, outputs: usize) -> Tensor<3> {
        let weight = self.in_proj_weight.val().narrow(0, first, outputs);
        let bias = self.in_proj_bias.val().narrow(0, first, outputs);
        linear(x, weight, Some(bias), &self.products)
    }

    /// The keys and values of a memory `[N, L, W]`, for [`Attention::find`]: `[N, L, 2 W]`.
    pub fn keys_values(&self, memory: Tensor<3>) -> Tensor<3> {
        let w = memory.dims()[2];
        self.project(memory, w, 2 * w)
    }

    /// Cross attention of `x` `[N, Q, W]` to a memory's keys and values `[N, L, 2 W]`: `[N, Q, W]`.
    pub fn find(&self, x: Tensor<3>, keys_values: Tensor<3>) -> Tensor<3> {
        let w = x.dims()[2];
        let queries = self.project(x, 0, w);
        let y = cross_attention(queries, keys_values, self.heads);
        self.out_proj.forward(y)
    }

    /// Attention of one query `[1, 1, W]`, the same for all inputs, to `x` `[N, L, W]`: `[N, W]`.
    pub fn query(&self, query: Tensor<3>, x: Tensor<3>) -> Tensor<2> {
        let [n, _, w] = x.dims();
        let queries = self.project(query, 0, w).repeat_dim(0, n);
        let y = cross_attention(queries, self.keys_values(x), self.heads); // [N, 1, W]
        self.out_proj.forward(y.reshape([n, w])) // [N, W]
    }

    /// Attention of the next tokens `[N, L, W]` of texts to themselves and to all tokens before,
    /// whose keys and values are in `kept`; those of the next tokens are added to it. Part by part
    /// this gives what [`Mask::Causal`] gives for whole texts. The shape stays, and there is no
    /// gradient.
    ///
    /// # Panics
    /// If there is no room for so many more tokens, or they are of another number of texts or
    /// width.
    pub fn next(&self, x: Tensor<3>, kept: &mut KeysValues) -> Tensor<3> {
        let [n, l, w] = x.dims();
        let stacked = self.stacked(x).inner();
        let before = kept.tokens();
        kept.push(stacked.clone().narrow(2, w, 2 * w));
        let y = if before == 0 {
            attention(stacked, self.heads, true)
        } else {
            let next = |i: usize| {
                let queries = stacked.clone().narrow(1, i, 1).narrow(2, 0, w);
                let queries = queries.reshape([n, w]);
                let y = next_attention(queries, kept.all(), before + i + 1, self.heads);
                y.reshape([n, 1, w])
            };
            Tensor::cat((0..l).map(next).collect(), 1)
        };
        self.out_proj.forward(y).inner()
    }
}

/// Attention to a memory of another width, with a projection of each.
#[derive(Module, Debug)]
pub struct CrossAttention {
    q_proj_weight: Param<Tensor<2>>,
    k_proj_weight: Param<Tensor<2>>,
    v_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Param<Tensor<1>>,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    products: Products,
}

impl CrossAttention {
    /// The layer of `path.q_proj_weight` `[W, W]`, `path.k_proj_weight` and `path.v_proj_weight`
    /// `[W, M]`, `path.in_proj_bias` `[3 W]` and `path.out_proj`, `M` being the memory's width.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, heads: usize) -> Result<Self, Error> {
        Ok(Self {
            q_proj_weight: b.param(format!("{path}.q_proj_weight"))?,
            k_proj_weight: b.param(format!("{path}.k_proj_weight"))?,
            v_proj_weight: b.param(format!("{path}.v_proj_weight"))?,
            in_proj_bias: b.param(format!("{path}.in_proj_bias"))?,
            out_proj: Linear::build(b, &format!("{path}.out_proj"))?,
            heads,
            products: b.products(&format!("{path}.q_proj_weight")),
        })
    }

    /// The keys and values of a memory `[N, L, M]`: `[N, L, 2 W]`.
    pub fn keys_values(&self, memory: Tensor<3>) -> Tensor<3> {
        let (keys, values) = (self.k_proj_weight.val(), self.v_proj_weight.val());
        let w = keys.dims()[0];
        let bias = self.in_proj_bias.val().narrow(0, w, 2 * w);
        let weight = Tensor::cat(vec![keys, values], 0); // [2 W, M]
        linear(memory, weight, Some(bias), &self.products.of_changing())
    }

    /// Cross attention of `x` `[N, Q, W]` to a memory's keys and values `[N, L, 2 W]`: `[N, Q, W]`.
    pub fn find(&self, x: Tensor<3>, keys_values: Tensor<3>) -> Tensor<3> {
        let w = x.dims()[2];
        let bias = self.in_proj_bias.val().narrow(0, 0, w);
        let queries = linear(x, self.q_proj_weight.val(), Some(bias), &self.products);
        let y = cross_attention(queries, keys_values, self.heads);
        self.out_proj.forward(y)
    }
}
