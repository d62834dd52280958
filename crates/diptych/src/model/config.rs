//! The architecture of a CLIP model, read from and written as open_clip's JSON (`model_cfg`).
//!
//! Source: `CLIPVisionCfg`, `CLIPTextCfg` in open_clip's `model.py`, 3.3.0.
//! Invariant: a field that changes the architecture is either understood or refused by name; no
//! default is guessed from a model's name.

use diptych_kernels::Activation;
use serde::{Deserialize, Serialize};

use super::fixed;
use crate::Error;
use crate::image::Size;

/// A CLIP architecture: two towers and the width of the embedding they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Width `D` of the shared embedding.
    pub embed_dim: usize,
    /// The image tower.
    pub vision_cfg: VisionConfig,
    /// The text tower.
    pub text_cfg: TextConfig,
    /// Whether the transformers use QuickGELU, `x · sigmoid(1.702 x)`, instead of GELU.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quick_gelu: bool,
    /// Initial temperature, `t` of `exp(t)`; ln(1 / 0.07) by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_logit_scale: Option<f32>,
    /// Initial bias on logits; a model that has one was made for the sigmoid loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_logit_bias: Option<f32>,
}

/// The image tower: a Vision Transformer where `layers` is a number, a ModifiedResNet where it is
/// a list of four.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Side `S` of the square input, in pixels.
    pub image_size: usize,
    /// Depth.
    pub layers: Layers,
    /// ViT: width of the residual stream. ResNet: channels after the stem.
    pub width: usize,
    /// ViT: side of a patch, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_size: Option<usize>,
    /// Width of one attention head, 64 by default.
    #[serde(default = "default_head_width")]
    pub head_width: usize,
    /// ViT: hidden width of the MLP over its width, 4 by default.
    #[serde(
        default = "default_mlp_ratio",
        skip_serializing_if = "is_default_mlp_ratio"
    )]
    pub mlp_ratio: f64,
    /// ViT: pooling of its tokens into one vector.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pool_type: ImagePool,
    /// ViT: layer norm, where it is not PyTorch's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_kwargs: Option<NormOptions>,
    /// ViT: the form of GELU, where it is not the exact one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act_kwargs: Option<ActivationOptions>,
}

/// The pooling of a Vision Transformer's tokens into one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImagePool {
    /// By a class token, which is projected: CLIP's way.
    #[default]
    Tok,
    /// By a learned query that attends to all patches: SigLIP's way, big_vision's `map`. Such a
    /// tower has no class token, no layer norm before its blocks and no projection, and its
    /// patch embedding has a bias.
    Map,
}

/// The pooling of a text's tokens into one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextPool {
    /// At the highest id, which is the end token.
    #[default]
    Argmax,
    /// At the last position of the whole context, padding or not.
    Last,
}

/// The part of a row of token ids that its features depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) is_causal: bool,
    pub(crate) pool: TextPool,
}

impl Reading {
    /// Whether features depend on the padding after a text's end.
    pub(crate) fn reads_padding(self) -> bool {
        !self.is_causal || self.pool == TextPool::Last
    }

    /// The place in a row where its features are read.
    ///
    /// For CLIP that is the first place of the highest id, as in OpenAI's `encode_text`: a text
    /// that spells the end token out ends there. For SigLIP it is the last of the context,
    /// which padding fills.
    pub(crate) fn end(self, row: &[u32]) -> usize {
        match self.pool {
            TextPool::Argmax => {
                let highest = row.iter().max();
                row.iter().position(|id| Some(id) == highest).unwrap_or(0)
            }
            TextPool::Last => row.len().saturating_sub(1),
        }
    }
}

/// open_clip's `norm_kwargs`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormOptions {
    /// Added to the variance.
    pub eps: f64,
}

/// open_clip's `act_kwargs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationOptions {
    /// The form of GELU.
    pub approximate: Approximation,
}

/// A form of GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approximation {
    /// By the error function.
    None,
    /// By the hyperbolic tangent.
    Tanh,
}

/// Layer norm's ε, PyTorch's default, which every CLIP model of OpenAI's kind uses.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Options of the blocks of one tower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BlockOptions {
    pub(crate) activation: Activation,
    pub(crate) epsilon: f64,
}

/// Depth of an image tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layers {
    /// Residual attention blocks of a Vision Transformer.
    Vit(usize),
    /// Bottleneck blocks in each of a ModifiedResNet's four stages.
    ResNet([usize; 4]),
}

/// The text tower: a Transformer, causal and read at the end token unless the fields say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Tokens in a text, start and end included.
    pub context_length: usize,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Residual attention blocks.
    pub layers: usize,
    /// Hidden width of the MLP over its width, 4 by default.
    #[serde(
        default = "default_mlp_ratio",
        skip_serializing_if = "is_default_mlp_ratio"
    )]
    pub mlp_ratio: f64,
    /// Pooling of its tokens into one vector.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pool_type: TextPool,
    /// Whether a token sees those after it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_causal_mask: bool,
    /// Whether the projection has a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub proj_bias: bool,
    /// Layer norm, where it is not PyTorch's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_kwargs: Option<NormOptions>,
    /// The form of GELU, where it is not the exact one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act_kwargs: Option<ActivationOptions>,
    /// Name of the tokenizer, if it is not CLIP's standard one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hf_tokenizer_name: Option<String>,
    /// Options that open_clip hands to its tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer_kwargs: Option<serde_json::Value>,
}

fn default_head_width() -> usize {
    64
}

fn default_mlp_ratio() -> f64 {
    4.0
}

fn is_default_mlp_ratio(ratio: &f64) -> bool {
    *ratio == default_mlp_ratio()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl VisionConfig {
    /// Size of the pictures that it was trained with.
    pub fn size(&self) -> Size {
        Size::square(self.image_size)
    }
}

impl ClipConfig {
    /// Reads `model_cfg`, or a file of `models/`.
    ///
    /// # Errors
    /// [`Error::Architecture`] naming `origin` if a field is missing, unknown or out of range.
    pub fn from_json(origin: &str, mut json: serde_json::Value) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Architecture {
            origin: origin.into(),
            reason,
        };
        fixed::take_out(&mut json).map_err(refuse)?;
        let config: Self = serde_json::from_value(json).map_err(|e| refuse(e.to_string()))?;
        config.check().map_err(refuse)?;
        Ok(config)
    }

    /// The part of a row of token ids that the text tower's features depend on.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            is_causal: !self.text_cfg.no_causal_mask,
            pool: self.text_cfg.pool_type,
        }
    }

    /// Options of the image tower's blocks (ViT).
    pub(crate) fn vision_blocks(&self) -> BlockOptions {
        let vision = &self.vision_cfg;
        self.blocks(vision.act_kwargs, vision.norm_kwargs)
    }

    /// Options of the text tower's blocks.
    pub(crate) fn text_blocks(&self) -> BlockOptions {
        self.blocks(self.text_cfg.act_kwargs, self.text_cfg.norm_kwargs)
    }

    fn blocks(&self, act: Option<ActivationOptions>, norm: Option<NormOptions>) -> BlockOptions {
        let tanh = act.is_some_and(|act| act.approximate == Approximation::Tanh);
        BlockOptions {
            activation: match (self.quick_gelu, tanh) {
                (true, _) => Activation::QuickGelu,
                (false, true) => Activation::GeluTanh,
                (false, false) => Activation::Gelu,
            },
            epsilon: norm.map_or(LAYER_NORM_EPSILON, |norm| norm.eps),
        }
    }

    /// Hidden width of the image tower's MLP (ViT).
    pub(crate) fn vision_mlp_width(&self) -> usize {
        (self.vision_cfg.width as f64 * self.vision_cfg.mlp_ratio) as usize
    }

    /// Hidden width of the text tower's MLP.
    pub(crate) fn text_mlp_width(&self) -> usize {
        (self.text_cfg.width as f64 * self.text_cfg.mlp_ratio) as usize
    }

    /// Says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let v = &self.vision_cfg;
        let t = &self.text_cfg;
        for (name, start) in [
            ("init_logit_scale", self.init_logit_scale),
            ("init_logit_bias", self.init_logit_bias),
        ] {
            if start.is_some_and(|value| !(-1e3..=1e3).contains(&value)) {
                return Err(format!("`{name}` is {start:?}, wanted a number up to 1000"));
            }
        }
        let positive = [
            ("embed_dim", self.embed_dim),
            ("vision_cfg.image_size", v.image_size),
            ("vision_cfg.width", v.width),
            ("vision_cfg.head_width", v.head_width),
            ("text_cfg.vocab_size", t.vocab_size),
            ("text_cfg.width", t.width),
            ("text_cfg.heads", t.heads),
        ];
        // A bound far above any published model keeps a hostile config from asking for all memory.
        const LIMIT: usize = 1 << 20;
        const LAYER_LIMIT: usize = 1 << 12;
        // Positions of another number become so many, however few a checkpoint has.
        const POSITION_LIMIT: usize = 1 << 16;
        for (name, value) in positive {
            if value == 0 || value > LIMIT {
                return Err(format!("`{name}` is {value}, wanted 1 to {LIMIT}"));
            }
        }
        if !(2..=POSITION_LIMIT).contains(&t.context_length) {
            return Err(format!(
                "`text_cfg.context_length` is {}, wanted 2, a start and an end token, to {POSITION_LIMIT}",
                t.context_length
            ));
        }
        for (name, width, ratio) in [
            ("vision_cfg", v.width, v.mlp_ratio),
            ("text_cfg", t.width, t.mlp_ratio),
        ] {
            if !(width as f64 * ratio >= 1.0 && ratio <= 64.0) {
                return Err(format!(
                    "`{name}.mlp_ratio` is {ratio}, wanted at most 64 and a hidden width of at least 1"
                ));
            }
        }
        for (name, norm) in [("vision_cfg", v.norm_kwargs), ("text_cfg", t.norm_kwargs)] {
            if norm.is_some_and(|norm| !(0.0..1.0).contains(&norm.eps)) {
                return Err(format!(
                    "`{name}.norm_kwargs` is {norm:?}, wanted an `eps` from 0 to 1"
                ));
            }
        }
        if v.pool_type == ImagePool::Map && v.width != self.embed_dim {
            return Err(format!(
                "`vision_cfg.width` is {}, `embed_dim` {}; with `pool_type` `map` they are one",
                v.width, self.embed_dim
            ));
        }
        let depth = |name: &str, layers: usize| {
            if (1..=LAYER_LIMIT).contains(&layers) {
                Ok(())
            } else {
                Err(format!("`{name}` is {layers}, wanted 1 to {LAYER_LIMIT}"))
            }
        };
        let side = |step: &str, parts: usize| {
            let most = POSITION_LIMIT.isqrt();
            if parts <= most {
                Ok(())
            } else {
                Err(format!(
                    "`vision_cfg.image_size` is {}, {parts} times {step}; wanted at most {most} times",
                    v.image_size
                ))
            }
        };
        depth("text_cfg.layers", t.layers)?;
        divides("text_cfg.width", t.width, "text_cfg.heads", t.heads)?;
        match v.layers {
            Layers::Vit(layers) => {
                let patch = v.patch_size.ok_or(
                    "`vision_cfg.patch_size` is missing, and a Vision Transformer needs it",
                )?;
                if patch == 0 {
                    return Err("`vision_cfg.patch_size` is 0, wanted at least 1".into());
                }
                depth("vision_cfg.layers", layers)?;
                side("`vision_cfg.patch_size`", v.image_size / patch)?;
                // A rest of pixels is left out, as a convolution without padding leaves it out.
                if patch > v.image_size {
                    return Err(format!(
                        "`vision_cfg.patch_size` is {patch}, more than `vision_cfg.image_size`, {}",
                        v.image_size
                    ));
                }
                divides(
                    "vision_cfg.width",
                    v.width,
                    "vision_cfg.head_width",
                    v.head_width,
                )
            }
            Layers::ResNet(stages) => {
                for stage in stages {
                    depth("vision_cfg.layers", stage)?;
                }
                divides(
                    "vision_cfg.image_size",
                    v.image_size,
                    "the ResNet's total stride",
                    32,
                )?;
                side("the ResNet's total stride", v.image_size / 32)?;
                divides("vision_cfg.width", v.width, "the stem's halves", 2)?;
                divides(
                    "32 × vision_cfg.width",
                    32 * v.width,
                    "head_width",
                    v.head_width,
                )
            }
        }
    }
}

/// Checks that `b` divides `a`, or names both.
fn divides(a_name: &str, a: usize, b_name: &str, b: usize) -> Result<(), String> {
    if a.is_multiple_of(b) {
        Ok(())
    } else {
        Err(format!(
            "`{a_name}` is {a}, which `{b_name}`, {b}, does not divide"
        ))
    }
}
