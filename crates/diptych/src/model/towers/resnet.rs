//! Image tower: CLIP's ModifiedResNet, which turns pixels into one vector per image.
//!
//! Flow: `image` → **image tower** → `embedding`.
//! Source: `ModifiedResNet` in OpenAI's `clip/model.py`, commit d05afc4: a stem of three
//! convolutions, an average pool before every strided convolution (anti-aliasing), attention
//! pooling at the end.
//! Invariant: no file, no text, no task. Activations are channels-last, so that a convolution is a
//! matrix product over rows and batch norm works on columns.
//!
//! `N` images, `H` × `W` pixels or positions, `C` channels, `D` embedding.

mod exits;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::positions::resized;
use crate::Error;
use crate::layers::ops::{add_relu, average_pool, cross_attention};
use crate::layers::{BatchNorm, Builder, Convolution, ConvolutionOptions, Linear, Phase};
use crate::model::Grid;
use crate::model::config::ClipConfig;
use crate::model::stages::{BATCH_NORM_EPSILON, BottleneckShape};

/// A ModifiedResNet.
#[derive(Module, Debug)]
pub(super) struct ModifiedResNet {
    conv1: Convolution,
    bn1: BatchNorm,
    conv2: Convolution,
    bn2: BatchNorm,
    conv3: Convolution,
    bn3: BatchNorm,
    layer1: Vec<Bottleneck>,
    layer2: Vec<Bottleneck>,
    layer3: Vec<Bottleneck>,
    layer4: Vec<Bottleneck>,
    attnpool: AttentionPool,
}

impl ModifiedResNet {
    pub(super) fn build(
        b: &mut Builder,
        config: &ClipConfig,
        stages: [usize; 4],
    ) -> Result<Self, Error> {
        let vision = &config.vision_cfg;
        let stage = |stage: usize, b: &mut Builder| -> Result<Vec<Bottleneck>, Error> {
            (0..stages[stage])
                .map(|block| Bottleneck::build(b, stage, block, vision.width))
                .collect()
        };
        Ok(Self {
            conv1: convolution(b, "visual.conv1", [3, 2])?,
            bn1: BatchNorm::build(b, "visual.bn1", BATCH_NORM_EPSILON)?,
            conv2: convolution(b, "visual.conv2", [3, 1])?,
            bn2: BatchNorm::build(b, "visual.bn2", BATCH_NORM_EPSILON)?,
            conv3: convolution(b, "visual.conv3", [3, 1])?,
            bn3: BatchNorm::build(b, "visual.bn3", BATCH_NORM_EPSILON)?,
            layer1: stage(0, b)?,
            layer2: stage(1, b)?,
            layer3: stage(2, b)?,
            layer4: stage(3, b)?,
            attnpool: AttentionPool::build(b, vision.width * 32 / vision.head_width)?,
        })
    }

    /// Encodes pixels `[N, 3, H, W]`, multiples of 32, into image features `[N, D]`, not yet
    /// normalised.
    pub(super) fn forward(&self, pixels: Tensor<4>, phase: Phase) -> Tensor<2> {
        let x = self
            .stages()
            .into_iter()
            .flatten()
            .fold(self.stem(pixels, phase), |x, block| block.forward(x, phase));
        self.attnpool.forward(x) // [N, D]
    }

    /// Maps pixels `[N, 3, H, W]` to `[N, H/4, W/4, C]`.
    fn stem(&self, pixels: Tensor<4>, phase: Phase) -> Tensor<4> {
        let x = pixels.permute([0, 2, 3, 1]); // [N, H, W, 3]
        let x = self.bn1.forward_relu(self.conv1.forward(x), phase); // [N, H/2, W/2, C/2]
        let x = self.bn2.forward_relu(self.conv2.forward(x), phase);
        let x = self.bn3.forward_relu(self.conv3.forward(x), phase); // [N, H/2, W/2, C]
        average_pool(x, 2) // [N, H/4, W/4, C]
    }

    fn stages(&self) -> [&[Bottleneck]; 4] {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
    }
}

/// A bottleneck: 1×1, 3×3 and 1×1 convolutions around a shortcut.
#[derive(Module, Debug)]
struct Bottleneck {
    conv1: Convolution,
    bn1: BatchNorm,
    conv2: Convolution,
    bn2: BatchNorm,
    conv3: Convolution,
    bn3: BatchNorm,
    downsample: Option<(Convolution, BatchNorm)>,
    #[module(skip)]
    stride: usize,
}

impl Bottleneck {
    fn build(b: &mut Builder, stage: usize, block: usize, width: usize) -> Result<Self, Error> {
        let path = format!("visual.layer{}.{block}", stage + 1);
        let shape = BottleneckShape::new(stage, block, width);
        let mut pair = |conv: &str, bn: &str, kernel| -> Result<(Convolution, BatchNorm), Error> {
            Ok((
                convolution(b, &format!("{path}.{conv}"), [kernel, 1])?,
                BatchNorm::build(b, &format!("{path}.{bn}"), BATCH_NORM_EPSILON)?,
            ))
        };
        let (conv1, bn1) = pair("conv1", "bn1", 1)?;
        let (conv2, bn2) = pair("conv2", "bn2", 3)?;
        let (conv3, bn3) = pair("conv3", "bn3", 1)?;
        let downsample = if shape.downsample() {
            Some(pair("downsample.0", "downsample.1", 1)?)
        } else {
            None
        };
        Ok(Self {
            conv1,
            bn1,
            conv2,
            bn2,
            conv3,
            bn3,
            downsample,
            stride: shape.stride,
        })
    }

    fn forward(&self, x: Tensor<4>, phase: Phase) -> Tensor<4> {
        let y = self.bn1.forward_relu(self.conv1.forward(x.clone()), phase);
        let y = self.bn2.forward_relu(self.conv2.forward(y), phase);
        let y = average_pool(y, self.stride);
        let y = self.bn3.forward(self.conv3.forward(y), phase);
        let x = match &self.downsample {
            Some((conv, bn)) => bn.forward(conv.forward(average_pool(x, self.stride)), phase),
            None => x,
        };
        add_relu(x, y)
    }
}

/// A convolution without bias, whose kernel has so many rows and columns, padded so that a stride
/// of 1 keeps the sides.
fn convolution(
    b: &mut Builder,
    path: &str,
    [kernel, stride]: [usize; 2],
) -> Result<Convolution, Error> {
    let options = ConvolutionOptions {
        stride,
        padding: [kernel / 2; 2],
        bias: false,
        ..Default::default()
    };
    Convolution::build(b, path, options)
}

/// Pooling by attention: the mean of all positions is the query, they are keys and values.
#[derive(Module, Debug)]
struct AttentionPool {
    positional_embedding: Param<Tensor<2>>,
    k_proj: Linear,
    q_proj: Linear,
    v_proj: Linear,
    c_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl AttentionPool {
    fn build(b: &mut Builder, heads: usize) -> Result<Self, Error> {
        let path = "visual.attnpool";
        Ok(Self {
            positional_embedding: b.param(format!("{path}.positional_embedding"))?,
            k_proj: Linear::build(b, &format!("{path}.k_proj"))?,
            q_proj: Linear::build(b, &format!("{path}.q_proj"))?,
            v_proj: Linear::build(b, &format!("{path}.v_proj"))?,
            c_proj: Linear::build(b, &format!("{path}.c_proj"))?,
            heads,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let [n, h, w, c] = x.dims();
        let x = x.reshape([n, h * w, c]);
        let x = Tensor::cat(vec![x.clone().mean_dim(1), x], 1); // [N, HW + 1, C]
        let grid = Grid {
            rows: h,
            columns: w,
        };
        let positions = resized(self.positional_embedding.val(), 1, grid);
        let x = x + positions.unsqueeze();
        let q = self.q_proj.forward(x.clone().narrow(1, 0, 1));
        let keys_values = vec![self.k_proj.forward(x.clone()), self.v_proj.forward(x)];
        let found = cross_attention(q, Tensor::cat(keys_values, 2), self.heads); // [N, 1, C]
        self.c_proj.forward(found.reshape([n, c])) // [N, D]
    }
}
