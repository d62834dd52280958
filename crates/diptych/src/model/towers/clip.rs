//! Both towers and the temperature between them.
//!
//! Flow: `Pixels`, `Tokens` → **CLIP** → features, before normalisation.
//! Source: `CLIP` in OpenAI's `clip/model.py`, commit d05afc4.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::block::{Transformer, TransformerShape};
use super::build::BuildOptions;
use super::resnet::ModifiedResNet;
use super::vit::Vit;
use crate::Error;
use crate::image::Pixels;
use crate::layers::{Builder, Embedding, LayerNorm, Linear, Phase, plain_values};
use crate::model::config::{ClipConfig, Layers, Reading};
use crate::model::exits::{ImageExit, TextExit};
use crate::model::parameters::Source;
use crate::text::Tokens;

/// Inputs that go through a tower at once: large enough for the matrix products, small enough for
/// memory.
const CHUNK: usize = 32;

/// The differentiable model: an image tower, a text tower, a learned temperature.
///
/// The module tree is open_clip's, so a parameter's path is its key in a checkpoint.
#[derive(Module, Debug)]
pub struct ClipModel {
    visual: ImageTower,
    pub(super) transformer: Transformer,
    pub(super) token_embedding: Embedding,
    pub(super) positional_embedding: Param<Tensor<2>>,
    pub(super) ln_final: LayerNorm,
    pub(super) text_projection: Projection,
    #[module(skip)]
    pub(super) reading: Reading,
    logit_scale: Param<Tensor<1>>,
    logit_bias: Option<Param<Tensor<1>>>,
}

/// The image tower's kind.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a model")]
enum ImageTower {
    /// Vision Transformer.
    Vit(Vit),
    /// ModifiedResNet.
    ResNet(ModifiedResNet),
}

/// Text features into the shared embedding.
#[derive(Module, Debug)]
pub(super) enum Projection {
    /// `x W`, with `W` `[W, D]`: CLIP's.
    Matrix(Param<Tensor<2>>),
    /// `x Wᵀ + b`: SigLIP's.
    Linear(Linear),
}

impl Projection {
    /// Maps `[N, W]` to `[N, D]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Matrix(weight) => x.matmul(weight.val()),
            Self::Linear(linear) => linear.forward(x),
        }
    }
}

impl ClipModel {
    /// Builds the towers on `device` from named tensors.
    ///
    /// # Errors
    /// If `source` can't give a tensor, or gives one with another number of dimensions.
    pub fn build(
        config: &ClipConfig,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, Error> {
        Self::build_with(config, source, device, BuildOptions::default())
    }

    /// [`ClipModel::build`], with options.
    ///
    /// # Errors
    /// As [`ClipModel::build`]; [`Error::Precision`] for one that no gradient is computed in.
    pub fn build_with(
        config: &ClipConfig,
        source: &mut dyn Source,
        device: &Device,
        options: BuildOptions,
    ) -> Result<Self, Error> {
        let b = Builder::new(source, device).precision(options.precision)?;
        let b = &mut b.freeze(move |name| options.freeze.holds(name));
        let text = &config.text_cfg;
        let shape = TransformerShape {
            layers: text.layers,
            heads: text.heads,
            options: config.text_blocks(),
        };
        Ok(Self {
            visual: match config.vision_cfg.layers {
                Layers::Vit(layers) => ImageTower::Vit(Vit::build(b, config, layers)?),
                Layers::ResNet(stages) => {
                    ImageTower::ResNet(ModifiedResNet::build(b, config, stages)?)
                }
            },
            transformer: Transformer::build(b, "transformer", shape)?,
            token_embedding: Embedding::build(b, "token_embedding")?,
            positional_embedding: b.param("positional_embedding")?,
            ln_final: LayerNorm::build(b, "ln_final", shape.options.epsilon)?,
            text_projection: if text.proj_bias {
                Projection::Linear(Linear::build(b, "text_projection")?)
            } else {
                Projection::Matrix(b.param("text_projection")?)
            },
            reading: config.reading(),
            logit_scale: b.param("logit_scale")?,
            logit_bias: match config.init_logit_bias {
                Some(_) => Some(b.param("logit_bias")?),
                None => None,
            },
        })
    }

    /// Encodes pixels `[N, 3, H, W]` into image features `[N, D]`, not yet normalised. For another
    /// size than the model was trained with, its positions are resized as open_clip does.
    ///
    /// # Panics
    /// If the tower takes no such pictures, which [`ImageExit::check`] of [`ImageExit::Pooled`]
    /// says before.
    pub fn image_features(&self, pixels: Tensor<4>, phase: Phase) -> Tensor<2> {
        match &self.visual {
            ImageTower::Vit(tower) => tower.forward(pixels),
            ImageTower::ResNet(tower) => tower.forward(pixels, phase),
        }
    }

    /// The features of pixels `[N, 3, H, W]` at each exit, `[N, L, C]`; batch norm takes its
    /// running statistics.
    ///
    /// # Panics
    /// If the tower has no such exit, or takes no such pictures; [`ImageExit::check`] says it
    /// before.
    pub fn image_exits(&self, pixels: Tensor<4>, exits: &[ImageExit]) -> Vec<Tensor<3>> {
        match &self.visual {
            ImageTower::Vit(tower) => tower.exits(pixels, exits),
            ImageTower::ResNet(tower) => tower.exits(pixels, exits, Phase::Infer),
        }
    }

    /// [`ClipModel::image_exits`], a chunk at a time, without a graph.
    pub(crate) fn image_exits_of(&self, pixels: &Pixels, exits: &[ImageExit]) -> Vec<Vec<f32>> {
        let mut features = vec![Vec::new(); exits.len()];
        for chunk in self.chunks(pixels) {
            for (features, more) in features.iter_mut().zip(self.image_exits(chunk, exits)) {
                features.extend(plain_values(more));
            }
        }
        features
    }

    /// Image features `[N, D]` of pixels `[N, 3, S, S]`, a chunk at a time, without a graph.
    pub(crate) fn image_features_of(&self, pixels: &Pixels) -> Vec<f32> {
        let features = |chunk| plain_values(self.image_features(chunk, Phase::Infer));
        self.chunks(pixels).flat_map(features).collect()
    }

    /// Pixels as tensors of some pictures each.
    fn chunks<'a>(&self, pixels: &'a Pixels) -> impl Iterator<Item = Tensor<4>> + 'a {
        let (device, size) = (self.device(), pixels.size());
        let chunks = pixels.as_slice().chunks((CHUNK * size.values()).max(1));
        chunks.map(move |chunk| {
            let n = chunk.len() / size.values();
            let data = TensorData::new(chunk.to_vec(), [n, 3, size.height, size.width]);
            Tensor::from_data(data, &device)
        })
    }

    /// [`ClipModel::text_exit`] of all tokens, a chunk at a time, without a graph: `[N, L, C]`, 0
    /// after a text's end if nothing is read there.
    pub(crate) fn text_exit_of(
        &self,
        tokens: &Tokens,
        exit: TextExit,
        channels: usize,
    ) -> Vec<f32> {
        let (device, l) = (self.device(), tokens.context_length());
        let mut features = vec![0f32; tokens.len() * l * channels];
        let texts = features.chunks_exact_mut(l * channels).zip(tokens.rows());
        let mut texts = texts.collect::<Vec<_>>().into_iter();
        for first in (0..tokens.len()).step_by(CHUNK) {
            let rows = first..tokens.len().min(first + CHUNK);
            let (ids, _) = self.token_tensors(tokens, rows.clone(), &device);
            let longest = ids.dims()[1];
            let found = plain_values(self.text_exit(ids, exit));
            let found = found.chunks_exact(longest * channels);
            for ((text, row), found) in texts.by_ref().take(rows.len()).zip(found) {
                let read = if self.reading.reads_padding() {
                    l
                } else {
                    self.reading.end(row) + 1
                };
                text[..read * channels].copy_from_slice(&found[..read * channels]);
            }
        }
        features
    }

    /// Text features `[N, D]`, a chunk at a time, without a graph.
    pub(crate) fn text_features_of(&self, tokens: &Tokens) -> Vec<f32> {
        let device = self.device();
        let features = |first: usize| {
            let rows = first..tokens.len().min(first + CHUNK);
            let (ids, ends) = self.token_tensors(tokens, rows, &device);
            plain_values(self.text_features(ids, ends))
        };
        (0..tokens.len())
            .step_by(CHUNK)
            .flat_map(features)
            .collect()
    }

    fn device(&self) -> Device {
        self.devices().into_iter().next().unwrap_or_default()
    }

    /// The inputs of [`ClipModel::text_features`] for some rows: tokens `[N, L]`, cut to the
    /// longest text if nothing is read beyond it, and the positions `[N]` where features are read.
    pub fn token_tensors(
        &self,
        tokens: &Tokens,
        rows: Range<usize>,
        device: &Device,
    ) -> (Tensor<2, Int>, Tensor<1, Int>) {
        let n = rows.len();
        let lengths = tokens.lengths()[rows.clone()].iter().copied();
        let longest = if self.reading.reads_padding() {
            tokens.context_length()
        } else {
            lengths.max().unwrap_or(1)
        };
        let rows = || tokens.rows().skip(rows.start).take(n);
        let ids: Vec<i32> = rows()
            .flat_map(|row| &row[..longest])
            .map(|&id| id as i32)
            .collect();
        let ends: Vec<i32> = rows().map(|row| self.reading.end(row) as i32).collect();
        (
            Tensor::from_data(TensorData::new(ids, [n, longest]), device),
            Tensor::from_data(TensorData::new(ends, [n]), device),
        )
    }

    /// The factor `exp(t)` that turns cosines into logits, as a tensor `[1]`.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val().exp()
    }

    /// The bias added to logits, as a tensor `[1]`, if the model was made for the sigmoid loss.
    pub fn logit_bias(&self) -> Option<Tensor<1>> {
        self.logit_bias.as_ref().map(|bias| bias.val())
    }

    /// The model with its temperature kept to `exp(t)` in 1 … 100 (paper, section 2.5).
    pub fn clamp_logit_scale(mut self) -> Self {
        self.logit_scale = self
            .logit_scale
            .map(|t| t.clamp(0.0, 100f64.ln()).detach().require_grad());
        self
    }
}
