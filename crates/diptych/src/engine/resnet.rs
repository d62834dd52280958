//! The ModifiedResNet, channels last, its batch norms folded into the convolutions before them.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `D` embedding.

use diptych_kernels::{Activation, AveragePool, Linear, PackedConvolution, Rows, Then, attend};
use rayon::prelude::*;

use super::loader::Loader;
use super::transformer::Workspace;
use crate::Result;
use crate::image::Pixels;
use crate::model::{BATCH_NORM_EPSILON, BottleneckShape, ClipConfig};

/// Pictures that are worked on at a time: their maps are large.
const PICTURES: usize = 4;

const RELU: Then = Then::Activate(Activation::Relu);

pub(super) struct ResNet {
    side: usize,
    stem: [PackedConvolution; 3],
    blocks: Vec<Bottleneck>,
    pool: AttentionPool,
}

struct Bottleneck {
    convolutions: [PackedConvolution; 3],
    downsample: Option<PackedConvolution>,
    stride: usize,
}

/// Pooling by attention: the mean of all positions is the query, they are keys and values.
struct AttentionPool {
    heads: usize,
    /// `[H W + 1, C]`.
    positions: Vec<f32>,
    queries: Linear,
    keys_values: Linear,
    c_proj: Linear,
}

impl ResNet {
    pub(super) fn load(
        loader: &mut Loader,
        config: &ClipConfig,
        stages: [usize; 4],
    ) -> Result<Self> {
        let vision = &config.vision_cfg;
        let width = vision.width;
        let mut stem = |i: usize, inputs, stride| {
            let (conv, norm) = (format!("visual.conv{i}"), format!("visual.bn{i}"));
            loader.convolution(&conv, &norm, BATCH_NORM_EPSILON, [inputs, 3, stride])
        };
        let stem = [
            stem(1, 3, 2)?,
            stem(2, width / 2, 1)?,
            stem(3, width / 2, 1)?,
        ];
        let mut blocks = Vec::new();
        for (stage, count) in stages.into_iter().enumerate() {
            for block in 0..count {
                let path = format!("visual.layer{}.{block}", stage + 1);
                let shape = BottleneckShape::new(stage, block, width);
                blocks.push(Bottleneck::load(loader, &path, &shape)?);
            }
        }
        Ok(Self {
            side: vision.image_size,
            stem,
            blocks,
            pool: AttentionPool::load(loader, width * 32 / vision.head_width)?,
        })
    }

    /// Adds the features `[N, D]` of `pixels` to `features`.
    pub(super) fn encode(
        &self,
        pixels: &Pixels,
        workspace: &mut Workspace,
        features: &mut Vec<f32>,
    ) {
        for chunk in pixels
            .as_slice()
            .chunks(PICTURES * 3 * self.side * self.side)
        {
            self.encode_chunk(chunk, workspace, features);
        }
    }

    fn encode_chunk(&self, pixels: &[f32], workspace: &mut Workspace, features: &mut Vec<f32>) {
        let Workspace { y, maps, .. } = workspace;
        let [x, ..] = maps;
        let n = channels_last(pixels, self.side, x);
        let mut side = self.side;
        for convolution in &self.stem {
            let made = convolution.out_side(side);
            y.resize(n * made * made * convolution.outputs());
            convolution.apply([side; 2], x, y, RELU);
            std::mem::swap(x, y);
            side = made;
        }
        side = average(x, [side, 2], n, y);
        std::mem::swap(x, y);
        for block in &self.blocks {
            side = block.apply(n, side, workspace);
        }
        self.pool.apply(n, workspace, features);
    }
}

impl Bottleneck {
    fn load(loader: &mut Loader, path: &str, shape: &BottleneckShape) -> Result<Self> {
        let mut load = |conv: &str, norm: &str, inputs, kernel| {
            let (conv, norm) = (format!("{path}.{conv}"), format!("{path}.{norm}"));
            loader.convolution(&conv, &norm, BATCH_NORM_EPSILON, [inputs, kernel, 1])
        };
        Ok(Self {
            convolutions: [
                load("conv1", "bn1", shape.inputs, 1)?,
                load("conv2", "bn2", shape.inner, 3)?,
                load("conv3", "bn3", shape.inner, 1)?,
            ],
            downsample: match shape.downsample() {
                true => Some(load("downsample.0", "downsample.1", shape.inputs, 1)?),
                false => None,
            },
            stride: shape.stride,
        })
    }

    /// Maps the first of the maps, `[N, side, side, C]`; the new side.
    fn apply(&self, n: usize, side: usize, workspace: &mut Workspace) -> usize {
        let Workspace { y, wide, maps, .. } = workspace;
        let [x, two, shortcut] = maps;
        let [conv1, conv2, conv3] = &self.convolutions;
        wide.resize(n * side * side * conv1.outputs());
        two.resize(wide.len());
        conv1.apply([side; 2], x, wide, RELU);
        conv2.apply([side; 2], wide, two, RELU);
        let mut made = side;
        if self.stride > 1 {
            made = average(two, [side, self.stride], n, y);
            std::mem::swap(two, y);
        }
        if let Some(downsample) = &self.downsample {
            if self.stride > 1 {
                average(x, [side, self.stride], n, y);
                std::mem::swap(x, y);
            }
            shortcut.resize(n * made * made * downsample.outputs());
            downsample.apply([made; 2], x, shortcut, Then::Store);
            std::mem::swap(x, shortcut);
        }
        conv3.apply([made; 2], two, x, Then::AddActivate(Activation::Relu));
        made
    }
}

/// Averages squares of `x` `[N, side, side, C]` into `out`; the new side.
fn average(x: &Rows, [side, square]: [usize; 2], n: usize, out: &mut Rows) -> usize {
    let pool = AveragePool {
        height: side,
        width: side,
        channels: x.len() / (n * side * side),
        side: square,
    };
    pool.forward_into(x, out);
    side / square
}

/// Planes `[N, 3, S, S]` to `out` `[N, S, S, 3]`; `N`.
fn channels_last(pixels: &[f32], side: usize, out: &mut Rows) -> usize {
    let plane = side * side;
    out.resize(pixels.len());
    // A line at a time.
    out.write_parts(3 * side, |i, mut out| {
        let (picture, y) = (i / side, i % side);
        let planes = &pixels[picture * 3 * plane + y * side..];
        let mut line = vec![0f32; 3 * side];
        for (x, out) in line.chunks_exact_mut(3).enumerate() {
            out.copy_from_slice(&[planes[x], planes[plane + x], planes[2 * plane + x]]);
        }
        out.write(0, &line);
    });
    pixels.len() / (3 * plane)
}

impl AttentionPool {
    fn load(loader: &mut Loader, heads: usize) -> Result<Self> {
        let path = "visual.attnpool";
        let mut stack = |what: &str| -> Result<Vec<f32>> {
            let mut keys = loader.tensor(&format!("{path}.k_proj.{what}"))?;
            keys.extend(loader.tensor(&format!("{path}.v_proj.{what}"))?);
            Ok(keys)
        };
        let (weight, bias) = (stack("weight")?, stack("bias")?);
        Ok(Self {
            heads,
            positions: loader.tensor(&format!("{path}.positional_embedding"))?,
            queries: loader.linear(&format!("{path}.q_proj"))?,
            keys_values: loader.packed(&weight, &bias),
            c_proj: loader.projection_with_bias(&format!("{path}.c_proj"))?,
        })
    }

    /// Pools `x` `[N, H W, C]` and adds the features `[N, D]`.
    fn apply(&self, n: usize, workspace: &mut Workspace, features: &mut Vec<f32>) {
        let Workspace {
            x,
            y,
            queries,
            keys_values,
            aside,
            maps,
            ..
        } = workspace;
        let c = self.queries.inputs();
        let l = self.positions.len() / c;
        maps[0].read_into(x);
        aside.resize(n * l * c, 0.0);
        let pictures = aside
            .par_chunks_exact_mut(l * c)
            .zip(x.par_chunks_exact((l - 1) * c));
        pictures.for_each(|(y, x)| {
            let (mean, rest) = y.split_at_mut(c);
            mean.fill(0.0);
            for row in x.chunks_exact(c) {
                mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
            }
            mean.iter_mut().for_each(|mean| *mean /= (l - 1) as f32);
            rest.copy_from_slice(x);
            y.iter_mut().zip(&self.positions).for_each(|(y, p)| *y += p);
        });
        y.set(aside);
        keys_values.resize(2 * y.len());
        self.keys_values.apply(&*y, &mut *keys_values, Then::Store);
        let means: Vec<usize> = (0..n).map(|i| i * l).collect();
        y.keep(c, &means);
        queries.resize(n * c);
        self.queries.apply(&*y, &mut *queries, Then::Store);
        attend([n, c, self.heads], queries, keys_values, y);
        y.read_into(x);
        let found = Rows::of(diptych_kernels::Rounding::F32, x);
        let done = features.len();
        features.resize(done + n * self.c_proj.outputs(), 0.0);
        self.c_proj
            .apply(&found, &mut features[done..], Then::Store);
    }
}
