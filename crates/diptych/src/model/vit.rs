//! Image tower: a Vision Transformer that turns pixels into one vector per image.
//!
//! Flow: `image` → **image tower** → `embedding`.
//! Source: `VisionTransformer` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: no file, no text, no task; every shape follows from `ClipConfig`.
//!
//! `N` images, `S` image side, `P` patch side, `G` = S / P patches a side, `L` = G² + 1 tokens,
//! `W` width, `D` embedding.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use kernels::Activation;

use super::block::{LayerNorm, Mask, Transformer, TransformerShape};
use super::config::ClipConfig;
use super::parameters::Builder;
use crate::Error;

/// A Vision Transformer.
#[derive(Module, Debug)]
pub(super) struct Vit {
    conv1: PatchEmbedding,
    class_embedding: Param<Tensor<1>>,
    positional_embedding: Param<Tensor<2>>,
    ln_pre: LayerNorm,
    transformer: Transformer,
    ln_post: LayerNorm,
    proj: Param<Tensor<2>>,
}

impl Vit {
    pub(super) fn build(
        b: &mut Builder,
        config: &ClipConfig,
        layers: usize,
        activation: Activation,
    ) -> Result<Self, Error> {
        let vision = &config.vision_cfg;
        let heads = vision.width / vision.head_width;
        let shape = TransformerShape {
            layers,
            heads,
            activation,
        };
        Ok(Self {
            conv1: PatchEmbedding {
                weight: b.param("visual.conv1.weight")?,
            },
            class_embedding: b.param("visual.class_embedding")?,
            positional_embedding: b.param("visual.positional_embedding")?,
            ln_pre: LayerNorm::build(b, "visual.ln_pre")?,
            transformer: Transformer::build(b, "visual.transformer", shape)?,
            ln_post: LayerNorm::build(b, "visual.ln_post")?,
            proj: b.param("visual.proj")?,
        })
    }

    /// Encodes pixels `[N, 3, S, S]` into image features `[N, D]`, not yet normalised.
    pub(super) fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        let patches = self.conv1.forward(pixels); // [N, G², W]
        let [n, _, w] = patches.dims();
        let class = self
            .class_embedding
            .val()
            .reshape([1, 1, w])
            .repeat_dim(0, n); // [N, 1, W]
        let tokens = Tensor::cat(vec![class, patches], 1); // [N, L, W]
        let tokens = tokens + self.positional_embedding.val().unsqueeze();
        let tokens = self
            .transformer
            .forward(self.ln_pre.forward(tokens), Mask::None);
        let class = tokens.narrow(1, 0, 1).reshape([n, w]); // [N, W]
        self.ln_post.forward(class).matmul(self.proj.val()) // [N, D]
    }
}

/// The first convolution, whose stride is its kernel: a matrix product over patches.
#[derive(Module, Debug)]
struct PatchEmbedding {
    weight: Param<Tensor<4>>,
}

impl PatchEmbedding {
    /// Maps pixels `[N, 3, S, S]` to patches `[N, G², W]`.
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let weight = self.weight.val(); // [W, 3, P, P]
        let [w, c, p, _] = weight.dims();
        let [n, _, s, _] = pixels.dims();
        let g = s / p;
        let patches: Tensor<3> = pixels
            .reshape([n, c, g, p, g, p])
            .permute([0, 2, 4, 1, 3, 5]) // [N, G, G, 3, P, P]
            .reshape([n, g * g, c * p * p]);
        burn::tensor::module::linear(patches, weight.reshape([w, c * p * p]).transpose(), None)
    }
}
