//! Every parameter of an architecture: its name, its shape, how CLIP initialises it.
//!
//! The table is the one truth that checkpoints are checked against and fresh models are drawn from.
//! Sources: `CLIP.initialize_parameters` in OpenAI's `clip/model.py`, commit d05afc4; PyTorch's
//! defaults where CLIP leaves them (linear and convolution: uniform within ±1/√fan_in; attention's
//! input projection: Xavier uniform).

use super::config::{ClipConfig, ImagePool, Layers};
use super::stages::{BottleneckShape, EXPANSION};
use super::table::{Init, Table};
use crate::Error;
use crate::tensor_data::TensorData;

/// The temperature's start: exp(t) = 1 / 0.07 (paper, section 2.5).
const LOGIT_SCALE_START: f32 = 2.659_26;

const ZERO: Init = Init::Constant(0.0);
const ONE: Init = Init::Constant(1.0);

/// A source of a model's tensors.
pub trait Source {
    /// The tensor `name` in f32, in the shape of the architecture's table.
    ///
    /// # Errors
    /// If the tensor can't be read; the error says why.
    fn read(&mut self, name: &str) -> Result<TensorData, Error>;
}

/// All parameters of `config`'s model, in a state dict's order.
pub fn parameters(config: &ClipConfig) -> Table {
    let visual = match config.vision_cfg.layers {
        Layers::Vit(layers) => vit(config, layers),
        Layers::ResNet(stages) => resnet(config, stages),
    };
    let scale = config.init_logit_scale.unwrap_or(LOGIT_SCALE_START);
    let table = Table::new()
        .part("visual", visual)
        .and(text(config))
        .tensor("logit_scale", &[], Init::Constant(scale));
    match config.init_logit_bias {
        Some(bias) => table.tensor("logit_bias", &[], Init::Constant(bias)),
        None => table,
    }
}

/// The standard deviation `width^-½`.
fn inverse_sqrt(width: usize) -> f32 {
    (width as f32).powf(-0.5)
}

/// Xavier's bound for the stacked projection `[3 width, width]`.
fn xavier(width: usize) -> Init {
    Init::Uniform((6.0 / (4 * width) as f32).sqrt())
}

fn norm(width: usize, scale: Init) -> Table {
    Table::new()
        .tensor("weight", &[width], scale)
        .tensor("bias", &[width], ZERO)
}

/// A linear layer; PyTorch's initialisation where `weight` is none.
fn linear(out: usize, inputs: usize, weight: Option<Init>) -> Table {
    let default = Init::Uniform(inverse_sqrt(inputs));
    Table::new()
        .tensor("weight", &[out, inputs], weight.unwrap_or(default))
        .tensor("bias", &[out], default)
}

fn attention(width: usize, in_proj: Init, output: Option<Init>) -> Table {
    let output = output.unwrap_or(Init::Uniform(inverse_sqrt(width)));
    Table::new()
        .tensor("in_proj_weight", &[3 * width, width], in_proj)
        .tensor("in_proj_bias", &[3 * width], ZERO)
        .tensor("out_proj.weight", &[width, width], output)
        // nn.MultiheadAttention starts its output bias at zero.
        .tensor("out_proj.bias", &[width], ZERO)
}

fn mlp(width: usize, hidden: usize, [fc, proj]: [Option<Init>; 2]) -> Table {
    Table::new()
        .part("c_fc", linear(hidden, width, fc))
        .part("c_proj", linear(width, hidden, proj))
}

/// The sizes of a stack of residual blocks.
#[derive(Clone, Copy)]
struct BlockSize {
    layers: usize,
    width: usize,
    mlp_width: usize,
}

/// Residual blocks; `is_clip` says whether CLIP's own initialisation applies (the text tower) or
/// PyTorch's (the ViT).
fn transformer(size: BlockSize, is_clip: bool) -> Table {
    let BlockSize {
        layers,
        width,
        mlp_width,
    } = size;
    let output = inverse_sqrt(width) * (2.0 * layers as f32).powf(-0.5);
    let draw = |std: f32| is_clip.then_some(Init::Normal(std));
    let in_proj = draw(inverse_sqrt(width)).unwrap_or(xavier(width));
    let fc = draw(inverse_sqrt(2 * width));
    let block = Table::new()
        .part("ln_1", norm(width, ONE))
        .part("attn", attention(width, in_proj, draw(output)))
        .part("ln_2", norm(width, ONE))
        .part("mlp", mlp(width, mlp_width, [fc, draw(output)]));
    let blocks = (0..layers).map(|i| (format!("resblocks.{i}"), block.clone()));
    blocks.fold(Table::new(), |table, (path, block)| {
        table.part(&path, block)
    })
}

fn vit(config: &ClipConfig, layers: usize) -> Table {
    let v = &config.vision_cfg;
    let (width, patch) = (v.width, v.patch_size.unwrap_or(v.image_size));
    let patches = (v.image_size / patch).pow(2);
    let is_clip = v.pool_type == ImagePool::Tok;
    let tokens = patches + usize::from(is_clip);
    let mlp_width = config.vision_mlp_width();
    let scale = Init::Normal(inverse_sqrt(width));
    let fan_in = Init::Uniform(inverse_sqrt(3 * patch * patch));
    let head = if is_clip {
        Table::new()
            .tensor("class_embedding", &[width], scale)
            .tensor("proj", &[width, config.embed_dim], scale)
            .part("ln_pre", norm(width, ONE))
    } else {
        Table::new()
            .tensor("conv1.bias", &[width], ZERO)
            .tensor("head.probe", &[1, 1, width], scale)
            .part("head.attn", attention(width, xavier(width), None))
            .part("head.ln", norm(width, ONE))
            .part("head.mlp", mlp(width, mlp_width, [None; 2]))
    };
    let size = BlockSize {
        layers,
        width,
        mlp_width,
    };
    Table::new()
        .tensor("positional_embedding", &[tokens, width], scale)
        .tensor("conv1.weight", &[width, 3, patch, patch], fan_in)
        .and(head)
        .part("transformer", transformer(size, false))
        .part("ln_post", norm(width, ONE))
}

/// The weight of a convolution from `inputs` to `out` channels, `kernel` pixels square.
fn convolution(out: usize, inputs: usize, kernel: usize) -> Table {
    let bound = Init::Uniform(inverse_sqrt(inputs * kernel * kernel));
    Table::new().tensor("weight", &[out, inputs, kernel, kernel], bound)
}

fn batch_norm(channels: usize, scale: Init) -> Table {
    norm(channels, scale)
        .tensor("running_mean", &[channels], ZERO)
        .tensor("running_var", &[channels], ONE)
}

fn bottleneck(shape: &BottleneckShape) -> Table {
    let (inputs, inner) = (shape.inputs, shape.inner);
    let outer = inner * EXPANSION;
    let block = Table::new()
        .part("conv1", convolution(inner, inputs, 1))
        .part("bn1", batch_norm(inner, ONE))
        .part("conv2", convolution(inner, inner, 3))
        .part("bn2", batch_norm(inner, ONE))
        .part("conv3", convolution(outer, inner, 1))
        // A block starts as its shortcut: its last scale is zero.
        .part("bn3", batch_norm(outer, ZERO));
    if !shape.downsample() {
        return block;
    }
    block
        .part("downsample.0", convolution(outer, inputs, 1))
        .part("downsample.1", batch_norm(outer, ONE))
}

fn resnet(config: &ClipConfig, stages: [usize; 4]) -> Table {
    let v = &config.vision_cfg;
    let half = v.width / 2;
    let mut table = Table::new()
        .part("conv1", convolution(half, 3, 3))
        .part("bn1", batch_norm(half, ONE))
        .part("conv2", convolution(half, half, 3))
        .part("bn2", batch_norm(half, ONE))
        .part("conv3", convolution(v.width, half, 3))
        .part("bn3", batch_norm(v.width, ONE));
    for (stage, &blocks) in stages.iter().enumerate() {
        for block in 0..blocks {
            let shape = BottleneckShape::new(stage, block, v.width);
            let path = format!("layer{}.{block}", stage + 1);
            table = table.part(&path, bottleneck(&shape));
        }
    }
    table.part("attnpool", attention_pool(config))
}

fn attention_pool(config: &ClipConfig) -> Table {
    let width = config.vision_cfg.width * 32;
    let tokens = (config.vision_cfg.image_size / 32).pow(2) + 1;
    let scale = Init::Normal(inverse_sqrt(width));
    let projection = || linear(width, width, Some(scale));
    Table::new()
        .tensor("positional_embedding", &[tokens, width], scale)
        .part("k_proj", projection())
        .part("q_proj", projection())
        .part("v_proj", projection())
        .part("c_proj", linear(config.embed_dim, width, Some(scale)))
}

fn text(config: &ClipConfig) -> Table {
    let t = &config.text_cfg;
    let (width, dim) = (t.width, config.embed_dim);
    let positions = Init::Normal(0.01);
    let table = Table::new().tensor(
        "positional_embedding",
        &[t.context_length, width],
        positions,
    );
    let table = if t.proj_bias {
        table.part("text_projection", linear(dim, width, None))
    } else {
        let scale = Init::Normal(inverse_sqrt(width));
        table.tensor("text_projection", &[width, dim], scale)
    };
    let size = BlockSize {
        layers: t.layers,
        width,
        mlp_width: config.text_mlp_width(),
    };
    let tokens = Init::Normal(0.02);
    table
        .tensor("token_embedding.weight", &[t.vocab_size, width], tokens)
        .part("transformer", transformer(size, true))
        .part("ln_final", norm(width, ONE))
}
