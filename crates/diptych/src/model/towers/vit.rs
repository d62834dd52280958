//! Image tower: a Vision Transformer that turns pixels into one vector per image.
//!
//! Flow: `image` → **image tower** → `embedding`.
//! Source: `VisionTransformer` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: no file, no text, no task; every shape follows from `ClipConfig`.
//!
//! `N` images, `H` × `W` pixels, `P` patch side, `G` patches, `L` = G + 1 tokens, `W` width, `D`
//! embedding.

mod exits;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::block::{Transformer, TransformerShape};
use super::positions::resized;
use crate::Error;
use crate::layers::ops::{Products, linear};
use crate::layers::{Attention, Builder, LayerNorm, Mask, Mlp};
use crate::model::Grid;
use crate::model::config::{ClipConfig, ImagePool};

/// A Vision Transformer.
#[derive(Module, Debug)]
pub(super) struct Vit {
    conv1: PatchEmbedding,
    class_embedding: Option<Param<Tensor<1>>>,
    positional_embedding: Param<Tensor<2>>,
    ln_pre: Option<LayerNorm>,
    transformer: Transformer,
    ln_post: LayerNorm,
    proj: Option<Param<Tensor<2>>>,
    head: Option<AttentionHead>,
}

impl Vit {
    pub(super) fn build(
        b: &mut Builder,
        config: &ClipConfig,
        layers: usize,
    ) -> Result<Self, Error> {
        let vision = &config.vision_cfg;
        let options = config.vision_blocks();
        let shape = TransformerShape {
            layers,
            heads: vision.width / vision.head_width,
            options,
        };
        let is_clip = vision.pool_type == ImagePool::Tok;
        Ok(Self {
            conv1: PatchEmbedding {
                weight: b.param("visual.conv1.weight")?,
                bias: if is_clip {
                    None
                } else {
                    Some(b.param("visual.conv1.bias")?)
                },
                products: b.products("visual.conv1.weight"),
            },
            class_embedding: if is_clip {
                Some(b.param("visual.class_embedding")?)
            } else {
                None
            },
            positional_embedding: b.param("visual.positional_embedding")?,
            ln_pre: if is_clip {
                Some(LayerNorm::build(b, "visual.ln_pre", options.epsilon)?)
            } else {
                None
            },
            transformer: Transformer::build(b, "visual.transformer", shape)?,
            ln_post: LayerNorm::build(b, "visual.ln_post", options.epsilon)?,
            proj: if is_clip {
                Some(b.param("visual.proj")?)
            } else {
                None
            },
            head: if is_clip {
                None
            } else {
                Some(AttentionHead::build(b, shape)?)
            },
        })
    }

    /// Encodes pixels `[N, 3, H, W]` into image features `[N, D]`, not yet normalised.
    pub(super) fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.pool(self.transformer.forward(self.embed(pixels), Mask::None))
    }

    /// The blocks' input, `[N, L, W]`: class token and patches with their positions.
    fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        let prefix = usize::from(self.class_embedding.is_some());
        let grid = self.conv1.grid(&pixels);
        let positions = resized(self.positional_embedding.val(), prefix, grid);
        let mut tokens = self.conv1.forward(pixels); // [N, G, W]
        let [n, _, w] = tokens.dims();
        if let Some(class) = &self.class_embedding {
            let class = class.val().reshape([1, 1, w]).repeat_dim(0, n); // [N, 1, W]
            tokens = Tensor::cat(vec![class, tokens], 1); // [N, L, W]
        }
        let tokens = tokens + positions.unsqueeze();
        match &self.ln_pre {
            Some(norm) => norm.forward(tokens),
            None => tokens,
        }
    }

    /// Pools the blocks' output `[N, L, W]` into features `[N, D]`.
    fn pool(&self, tokens: Tensor<3>) -> Tensor<2> {
        if let Some(head) = &self.head {
            return head.forward(self.ln_post.forward(tokens)); // [N, W], and D is W
        }
        let [n, _, w] = tokens.dims();
        let class = self.ln_post.forward(tokens.narrow(1, 0, 1).reshape([n, w])); // [N, W]
        match &self.proj {
            Some(proj) => class.matmul(proj.val()), // [N, D]
            None => class,
        }
    }
}

/// SigLIP's pooling: a learned query attends to all patches, then an MLP.
///
/// Source: `MAPHead` in google-research/big_vision `models/vit.py`.
#[derive(Module, Debug)]
struct AttentionHead {
    probe: Param<Tensor<3>>,
    attn: Attention,
    ln: LayerNorm,
    mlp: Mlp,
}

impl AttentionHead {
    fn build(b: &mut Builder, shape: TransformerShape) -> Result<Self, Error> {
        let path = "visual.head";
        Ok(Self {
            probe: b.param(format!("{path}.probe"))?,
            attn: Attention::build(b, &format!("{path}.attn"), shape.heads)?,
            ln: LayerNorm::build(b, &format!("{path}.ln"), shape.options.epsilon)?,
            mlp: Mlp::build(b, &format!("{path}.mlp"), shape.options.activation)?,
        })
    }

    /// Maps `[N, L, W]` to `[N, W]`.
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let found = self.attn.query(self.probe.val(), x); // [N, W]
        found.clone() + self.mlp.forward(self.ln.forward(found))
    }
}

/// The first convolution, whose stride is its kernel: a matrix product over patches.
#[derive(Module, Debug)]
struct PatchEmbedding {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    products: Products,
}

impl PatchEmbedding {
    /// Whole patches in pixels `[N, 3, H, W]`. A rest on the right and at the bottom is left out:
    /// 384 pixels have 27 patches of 14, and 6 are left.
    fn grid(&self, pixels: &Tensor<4>) -> Grid {
        let [_, _, p, _] = self.weight.dims();
        let [_, _, height, width] = pixels.dims();
        Grid {
            rows: height / p,
            columns: width / p,
        }
    }

    /// Maps pixels `[N, 3, H, W]` to patches `[N, G, W]`.
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let Grid { rows, columns } = self.grid(&pixels);
        let weight = self.weight.val(); // [W, 3, P, P]
        let [w, c, p, _] = weight.dims();
        let [n, _, height, width] = pixels.dims();
        let pixels = if (rows * p, columns * p) == (height, width) {
            pixels
        } else {
            pixels.narrow(2, 0, rows * p).narrow(3, 0, columns * p)
        };
        let patches: Tensor<3> = pixels
            .reshape([n, c, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]) // [N, rows, columns, 3, P, P]
            .reshape([n, rows * columns, c * p * p]);
        let bias = self.bias.as_ref().map(|bias| bias.val());
        linear(
            patches,
            weight.reshape([w, c * p * p]),
            bias,
            &self.products,
        )
    }
}
