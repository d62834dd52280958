//! The ModifiedResNet, channels last, its batch norms folded into the convolutions before them.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `D` embedding.

mod exits;

use diptych_kernels::{
    Activation, AveragePool, Heads, Linear, PackedConvolution, Rows, Then, attend,
};
use rayon::prelude::*;

use super::loader::Loader;
use super::transformer::Workspace;
use crate::Result;
use crate::image::{Pixels, Size};
use crate::model::{BATCH_NORM_EPSILON, BottleneckShape, ClipConfig};

/// Pictures that are worked on at a time: their maps are large.
const PICTURES: usize = 4;

const RELU: Then = Then::Activate(Activation::Relu);

pub(super) struct ResNet {
    /// Size of the pictures that it was trained with.
    size: Size,
    stem: [PackedConvolution; 3],
    stages: [Vec<Bottleneck>; 4],
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
        let mut stage = |stage: usize| -> Result<Vec<Bottleneck>> {
            let blocks = (0..stages[stage]).map(|block| {
                let path = format!("visual.layer{}.{block}", stage + 1);
                Bottleneck::load(loader, &path, &BottleneckShape::new(stage, block, width))
            });
            blocks.collect()
        };
        Ok(Self {
            size: vision.size(),
            stem,
            stages: [stage(0)?, stage(1)?, stage(2)?, stage(3)?],
            pool: AttentionPool::load(loader, width * 32 / vision.head_width)?,
        })
    }

    /// Adds the features `[N, D]` of `pixels`, which are of the tower's size, to `features`.
    pub(super) fn encode(
        &self,
        pixels: &Pixels,
        workspace: &mut Workspace,
        features: &mut Vec<f32>,
    ) {
        for chunk in self.chunks(pixels) {
            let mut map = self.stem(chunk, self.size, workspace);
            for block in self.stages.iter().flatten() {
                map = block.apply(map, workspace);
            }
            self.pool
                .apply(map.n, &self.pool.positions, workspace, features);
        }
    }

    fn chunks<'a>(&self, pixels: &'a Pixels) -> impl Iterator<Item = &'a [f32]> {
        pixels.as_slice().chunks(PICTURES * pixels.size().values())
    }

    /// Sets `maps[0]` to the stem's output, `[N, H / 4, W / 4, C]`, and returns its shape.
    fn stem(&self, pixels: &[f32], size: Size, workspace: &mut Workspace) -> Map {
        let Workspace { y, maps, .. } = workspace;
        let [x, ..] = maps;
        let mut map = channels_last(pixels, size, x);
        for convolution in &self.stem {
            let made = Map {
                height: convolution.out_side(map.height),
                width: convolution.out_side(map.width),
                ..map
            };
            y.resize(made.positions() * convolution.outputs());
            convolution.apply([map.height, map.width], x, y, RELU);
            std::mem::swap(x, y);
            map = made;
        }
        let map = average(x, map, 2, y);
        std::mem::swap(x, y);
        map
    }
}

/// The shape of maps `[N, H, W, C]`, but for their channels.
#[derive(Clone, Copy)]
struct Map {
    n: usize,
    height: usize,
    width: usize,
}

impl Map {
    fn positions(self) -> usize {
        self.n * self.height * self.width
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
            downsample: if shape.downsample() {
                Some(load("downsample.0", "downsample.1", shape.inputs, 1)?)
            } else {
                None
            },
            stride: shape.stride,
        })
    }

    /// Applies the block to `maps[0]` and returns the new shape.
    fn apply(&self, map: Map, workspace: &mut Workspace) -> Map {
        let Workspace { y, wide, maps, .. } = workspace;
        let [x, two, shortcut] = maps;
        let [conv1, conv2, conv3] = &self.convolutions;
        let size = [map.height, map.width];
        wide.resize(map.positions() * conv1.outputs());
        two.resize(wide.len());
        conv1.apply(size, x, wide, RELU);
        conv2.apply(size, wide, two, RELU);
        let mut made = map;
        if self.stride > 1 {
            made = average(two, map, self.stride, y);
            std::mem::swap(two, y);
        }
        if let Some(downsample) = &self.downsample {
            if self.stride > 1 {
                average(x, map, self.stride, y);
                std::mem::swap(x, y);
            }
            shortcut.resize(made.positions() * downsample.outputs());
            downsample.apply([made.height, made.width], x, shortcut, Then::Store);
            std::mem::swap(x, shortcut);
        }
        let size = [made.height, made.width];
        conv3.apply(size, two, x, Then::AddActivate(Activation::Relu));
        made
    }
}

/// Averages `square` × `square` positions of `x` into `out` and returns the shape of `out`.
fn average(x: &Rows, map: Map, square: usize, out: &mut Rows) -> Map {
    let pool = AveragePool {
        height: map.height,
        width: map.width,
        channels: x.len() / map.positions(),
        side: square,
    };
    pool.forward_into(x, out);
    Map {
        height: map.height / square,
        width: map.width / square,
        ..map
    }
}

/// Copies planes `[N, 3, H, W]` to `out` `[N, H, W, 3]` and returns the shape of `out`.
fn channels_last(pixels: &[f32], size: Size, out: &mut Rows) -> Map {
    let Size { height, width } = size;
    let plane = height * width;
    out.resize(pixels.len());
    // A line at a time.
    out.write_parts(3 * width, |i, mut out| {
        let (picture, y) = (i / height, i % height);
        let planes = &pixels[picture * 3 * plane + y * width..];
        let mut line = vec![0f32; 3 * width];
        for (x, out) in line.chunks_exact_mut(3).enumerate() {
            out.copy_from_slice(&[planes[x], planes[plane + x], planes[2 * plane + x]]);
        }
        out.write(0, &line);
    });
    Map {
        n: pixels.len() / size.values(),
        height,
        width,
    }
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

    /// Pools `maps[0]` `[N, H W, C]`, with `positions` `[H W + 1, C]`, and appends the features
    /// `[N, D]`.
    fn apply(
        &self,
        n: usize,
        positions: &[f32],
        workspace: &mut Workspace,
        features: &mut Vec<f32>,
    ) {
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
        let l = positions.len() / c;
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
            y.iter_mut().zip(positions).for_each(|(y, p)| *y += p);
        });
        y.set(aside);
        keys_values.resize(2 * y.len());
        self.keys_values.apply(&*y, &mut *keys_values, Then::Store);
        let means: Vec<usize> = (0..n).map(|i| i * l).collect();
        y.keep(c, &means);
        queries.resize(n * c);
        self.queries.apply(&*y, &mut *queries, Then::Store);
        let shape = Heads {
            width: c,
            heads: self.heads,
        };
        attend(n, shape, queries, keys_values, y);
        y.read_into(x);
        let found = Rows::of(diptych_kernels::Rounding::F32, x);
        let done = features.len();
        features.resize(done + n * self.c_proj.outputs(), 0.0);
        self.c_proj
            .apply(&found, &mut features[done..], Then::Store);
    }
}
