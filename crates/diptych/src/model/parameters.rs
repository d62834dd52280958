//! Every parameter of an architecture: its name, its shape, how CLIP initialises it.
//!
//! The table is the one truth that checkpoints are checked against and fresh models are drawn from.
//! Sources: `CLIP.initialize_parameters` in OpenAI's `clip/model.py`, commit d05afc4; PyTorch's
//! defaults where CLIP leaves them (linear and convolution: uniform within ±1/√fan_in; attention's
//! input projection: Xavier uniform).

use super::config::{ClipConfig, ImagePool, Layers};
use super::stages::{BottleneckShape, EXPANSION};
use crate::Error;
use crate::tensor_data::TensorData;

/// A named parameter or running statistic of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its key in an open_clip state dict.
    pub name: String,
    /// Its shape there; empty for a scalar.
    pub shape: Vec<usize>,
    /// How a fresh model draws it.
    pub init: Init,
}

/// A distribution to draw a fresh parameter from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f32),
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
    /// Uniform within ± this bound.
    Uniform(f32),
}

/// The temperature's start: exp(t) = 1 / 0.07 (paper, section 2.5).
const LOGIT_SCALE_START: f32 = 2.659_26;

/// Where a model's tensors come from.
pub trait Source {
    /// The tensor `name` in f32, in the shape of the architecture's table.
    ///
    /// # Errors
    /// What keeps the tensor from being read.
    fn read(&mut self, name: &str) -> Result<TensorData, Error>;
}

/// All parameters of `config`'s model, in a state dict's order.
pub fn parameters(config: &ClipConfig) -> Vec<Parameter> {
    let mut table = Table(Vec::new());
    match config.vision_cfg.layers {
        Layers::Vit(layers) => table.vit(config, layers),
        Layers::ResNet(stages) => table.resnet(config, stages),
    }
    table.text(config);
    let scale = config.init_logit_scale.unwrap_or(LOGIT_SCALE_START);
    table.push("logit_scale", &[], Init::Constant(scale));
    if let Some(bias) = config.init_logit_bias {
        table.push("logit_bias", &[], Init::Constant(bias));
    }
    table.0
}

/// The standard deviation `width^-½`.
fn inverse_sqrt(width: usize) -> f32 {
    (width as f32).powf(-0.5)
}

/// Xavier's bound for the stacked projection `[3 width, width]`.
fn xavier(width: usize) -> f32 {
    (6.0 / (4 * width) as f32).sqrt()
}

struct Table(Vec<Parameter>);

impl Table {
    fn push(&mut self, name: impl Into<String>, shape: &[usize], init: Init) {
        self.0.push(Parameter {
            name: name.into(),
            shape: shape.to_vec(),
            init,
        });
    }

    fn norm(&mut self, path: &str, width: usize, scale: f32) {
        self.push(format!("{path}.weight"), &[width], Init::Constant(scale));
        self.push(format!("{path}.bias"), &[width], Init::Constant(0.0));
    }

    fn linear(&mut self, path: &str, out: usize, inputs: usize, weight: Option<f32>) {
        let default = Init::Uniform(inverse_sqrt(inputs));
        let weight = weight.map_or(default, Init::Normal);
        self.push(format!("{path}.weight"), &[out, inputs], weight);
        self.push(format!("{path}.bias"), &[out], default);
    }

    /// `layers` residual blocks; `clip` says whether CLIP's own initialisation applies (the text
    /// tower) or PyTorch's (the ViT).
    fn transformer(&mut self, path: &str, size: BlockSize, clip: bool) {
        let BlockSize {
            layers,
            width,
            mlp_width,
        } = size;
        let output = inverse_sqrt(width) * (2.0 * layers as f32).powf(-0.5);
        let draw = |std: f32| clip.then_some(std);
        for i in 0..layers {
            let path = format!("{path}.resblocks.{i}");
            self.norm(&format!("{path}.ln_1"), width, 1.0);
            let in_proj =
                draw(inverse_sqrt(width)).map_or(Init::Uniform(xavier(width)), Init::Normal);
            self.attention(&format!("{path}.attn"), width, in_proj, draw(output));
            self.norm(&format!("{path}.ln_2"), width, 1.0);
            let fc = draw(inverse_sqrt(2 * width));
            self.mlp(&format!("{path}.mlp"), width, mlp_width, [fc, draw(output)]);
        }
    }

    fn attention(&mut self, path: &str, width: usize, in_proj: Init, output: Option<f32>) {
        self.push(
            format!("{path}.in_proj_weight"),
            &[3 * width, width],
            in_proj,
        );
        self.push(
            format!("{path}.in_proj_bias"),
            &[3 * width],
            Init::Constant(0.0),
        );
        self.linear(&format!("{path}.out_proj"), width, width, output);
        // nn.MultiheadAttention starts its output bias at zero.
        if let Some(bias) = self.0.last_mut() {
            bias.init = Init::Constant(0.0);
        }
    }

    fn mlp(&mut self, path: &str, width: usize, hidden: usize, [fc, proj]: [Option<f32>; 2]) {
        self.linear(&format!("{path}.c_fc"), hidden, width, fc);
        self.linear(&format!("{path}.c_proj"), width, hidden, proj);
    }

    fn vit(&mut self, config: &ClipConfig, layers: usize) {
        let v = &config.vision_cfg;
        let (width, patch) = (v.width, v.patch_size.unwrap_or(v.image_size));
        let patches = (v.image_size / patch).pow(2);
        let is_clip = v.pool_type == ImagePool::Tok;
        let tokens = patches + usize::from(is_clip);
        let scale = Init::Normal(inverse_sqrt(width));
        let fan_in = Init::Uniform(inverse_sqrt(3 * patch * patch));
        self.push("visual.positional_embedding", &[tokens, width], scale);
        self.push("visual.conv1.weight", &[width, 3, patch, patch], fan_in);
        if is_clip {
            self.push("visual.class_embedding", &[width], scale);
            self.push("visual.proj", &[width, config.embed_dim], scale);
            self.norm("visual.ln_pre", width, 1.0);
        } else {
            self.push("visual.conv1.bias", &[width], Init::Constant(0.0));
            self.push("visual.head.probe", &[1, 1, width], scale);
            self.attention(
                "visual.head.attn",
                width,
                Init::Uniform(xavier(width)),
                None,
            );
            self.norm("visual.head.ln", width, 1.0);
            self.mlp(
                "visual.head.mlp",
                width,
                config.vision_mlp_width(),
                [None; 2],
            );
        }
        let size = BlockSize {
            layers,
            width,
            mlp_width: config.vision_mlp_width(),
        };
        self.transformer("visual.transformer", size, false);
        self.norm("visual.ln_post", width, 1.0);
    }

    fn convolution(&mut self, path: &str, [out, inputs, kernel]: [usize; 3]) {
        let bound = Init::Uniform(inverse_sqrt(inputs * kernel * kernel));
        self.push(
            format!("{path}.weight"),
            &[out, inputs, kernel, kernel],
            bound,
        );
    }

    fn batch_norm(&mut self, path: &str, channels: usize, scale: f32) {
        self.norm(path, channels, scale);
        self.push(
            format!("{path}.running_mean"),
            &[channels],
            Init::Constant(0.0),
        );
        self.push(
            format!("{path}.running_var"),
            &[channels],
            Init::Constant(1.0),
        );
    }

    fn resnet(&mut self, config: &ClipConfig, stages: [usize; 4]) {
        let v = &config.vision_cfg;
        let stem = [
            [v.width / 2, 3, 3],
            [v.width / 2, v.width / 2, 3],
            [v.width, v.width / 2, 3],
        ];
        for (i, shape) in stem.into_iter().enumerate() {
            self.convolution(&format!("visual.conv{}", i + 1), shape);
            self.batch_norm(&format!("visual.bn{}", i + 1), shape[0], 1.0);
        }
        for (stage, &blocks) in stages.iter().enumerate() {
            for block in 0..blocks {
                let path = format!("visual.layer{}.{block}", stage + 1);
                let shape = BottleneckShape::new(stage, block, v.width);
                let (inputs, inner) = (shape.inputs, shape.inner);
                let outer = inner * EXPANSION;
                self.convolution(&format!("{path}.conv1"), [inner, inputs, 1]);
                self.batch_norm(&format!("{path}.bn1"), inner, 1.0);
                self.convolution(&format!("{path}.conv2"), [inner, inner, 3]);
                self.batch_norm(&format!("{path}.bn2"), inner, 1.0);
                self.convolution(&format!("{path}.conv3"), [outer, inner, 1]);
                // A block starts as its shortcut: its last scale is zero.
                self.batch_norm(&format!("{path}.bn3"), outer, 0.0);
                if shape.downsample() {
                    self.convolution(&format!("{path}.downsample.0"), [outer, inputs, 1]);
                    self.batch_norm(&format!("{path}.downsample.1"), outer, 1.0);
                }
            }
        }
        let width = v.width * 32;
        let tokens = (v.image_size / 32).pow(2) + 1;
        let std = inverse_sqrt(width);
        let path = "visual.attnpool";
        self.push(
            format!("{path}.positional_embedding"),
            &[tokens, width],
            Init::Normal(std),
        );
        for projection in ["k_proj", "q_proj", "v_proj"] {
            self.linear(&format!("{path}.{projection}"), width, width, Some(std));
        }
        self.linear(
            &format!("{path}.c_proj"),
            config.embed_dim,
            width,
            Some(std),
        );
    }

    fn text(&mut self, config: &ClipConfig) {
        let t = &config.text_cfg;
        self.push(
            "positional_embedding",
            &[t.context_length, t.width],
            Init::Normal(0.01),
        );
        let projection = Init::Normal(inverse_sqrt(t.width));
        match t.proj_bias {
            true => self.linear("text_projection", config.embed_dim, t.width, None),
            false => self.push("text_projection", &[t.width, config.embed_dim], projection),
        }
        self.push(
            "token_embedding.weight",
            &[t.vocab_size, t.width],
            Init::Normal(0.02),
        );
        let (layers, width) = (t.layers, t.width);
        let size = BlockSize {
            layers,
            width,
            mlp_width: config.text_mlp_width(),
        };
        self.transformer("transformer", size, true);
        self.norm("ln_final", t.width, 1.0);
    }
}

#[derive(Clone, Copy)]
struct BlockSize {
    layers: usize,
    width: usize,
    mlp_width: usize,
}
