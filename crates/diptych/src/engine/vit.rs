//! The Vision Transformer.
//!
//! `N` pictures, `P` patch side, `L` tokens, `W` width, `D` embedding.

mod exits;

use diptych_kernels::{Heads, Linear, Rows, Then, attend};
use rayon::prelude::*;

use super::loader::{Loader, Norm};
use super::transformer::{Attention, Mlp, Reach, Transformer, Workspace};
use crate::Result;
use crate::image::{Pixels, Size};
use crate::model::{ClipConfig, Grid, ImagePool};

/// Tokens that go through the blocks at a time: enough for the products, few enough for the caches
/// and for memory.
const TOKENS: usize = 2560;

pub(super) struct Vit {
    /// Size of the pictures that it was trained with.
    size: Size,
    patch: usize,
    width: usize,
    embedding: Linear,
    class_embedding: Option<Vec<f32>>,
    /// `[L, W]`.
    positions: Vec<f32>,
    ln_pre: Option<Norm>,
    transformer: Transformer,
    ln_post: Norm,
    pool: Pool,
}

/// The pooling of tokens into features.
#[allow(clippy::large_enum_variant, reason = "there is one in a tower")]
enum Pool {
    /// The class token is projected.
    Class(Linear),
    /// A learned query attends to all patches, then there is an MLP.
    Map(Head),
}

struct Head {
    heads: usize,
    /// The learned query, `[W]`. It is projected at each use, not when the tower is loaded: a lock
    /// is held then, so no work may be shared with other threads.
    probe: Vec<f32>,
    attn: Attention,
    ln: Norm,
    mlp: Mlp,
}

impl Vit {
    pub(super) fn load(loader: &mut Loader, config: &ClipConfig, layers: usize) -> Result<Self> {
        let vision = &config.vision_cfg;
        let width = vision.width;
        let heads = width / vision.head_width;
        let options = config.vision_blocks();
        let is_map = vision.pool_type == ImagePool::Map;
        let conv1 = loader.tensor("visual.conv1.weight")?;
        let (bias, class_embedding, ln_pre) = if is_map {
            (loader.tensor("visual.conv1.bias")?, None, None)
        } else {
            (
                vec![0.0; width],
                Some(loader.tensor("visual.class_embedding")?),
                Some(loader.norm("visual.ln_pre", options.epsilon)?),
            )
        };
        let path = "visual.transformer";
        Ok(Self {
            size: vision.size(),
            patch: vision.patch_size.unwrap_or(vision.image_size),
            width,
            embedding: loader.packed(&conv1, &bias),
            class_embedding,
            positions: loader.tensor("visual.positional_embedding")?,
            ln_pre,
            transformer: Transformer::load(loader, path, [layers, width, heads], options)?,
            ln_post: loader.norm("visual.ln_post", options.epsilon)?,
            pool: if is_map {
                Pool::Map(Head::load(loader, config, heads)?)
            } else {
                Pool::Class(loader.projection("visual.proj", config.embed_dim)?)
            },
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
            let n = self.embed(chunk, self.size, &self.positions, workspace);
            let l = self.tokens();
            let class: Vec<usize> = (0..n).map(|i| i * l).collect();
            let asked = match self.pool {
                Pool::Class(_) => Some(&class[..]),
                Pool::Map(_) => None,
            };
            self.transformer.apply(workspace, &Reach::Input(n), asked);
            self.pool(n, workspace, features);
        }
    }

    /// Chunks of nearly equal numbers of pictures, so that the last one is not small.
    fn chunks<'a>(&self, pixels: &'a Pixels) -> impl Iterator<Item = &'a [f32]> {
        let n = pixels.len();
        let tokens = self.prefix() + self.grid(pixels.size()).len();
        let chunks = n.div_ceil((TOKENS / tokens).max(1)).max(1);
        let chunk = n.div_ceil(chunks).max(1);
        pixels.as_slice().chunks(chunk * pixels.size().values())
    }

    /// Tokens of a picture of the tower's size, `L`.
    fn tokens(&self) -> usize {
        self.positions.len() / self.width
    }

    /// Tokens before the patches'.
    fn prefix(&self) -> usize {
        usize::from(self.class_embedding.is_some())
    }

    fn grid(&self, size: Size) -> Grid {
        Grid {
            rows: size.height / self.patch,
            columns: size.width / self.patch,
        }
    }

    /// Pools the blocks' output in `x`, the class tokens alone or all tokens, and appends the
    /// features `[N, D]`.
    fn pool(&self, n: usize, workspace: &mut Workspace, features: &mut Vec<f32>) {
        match &self.pool {
            Pool::Class(proj) => {
                let done = features.len();
                features.resize(done + n * proj.outputs(), 0.0);
                self.ln_post
                    .project(&workspace.x, proj, &mut features[done..]);
            }
            Pool::Map(head) => {
                self.ln_post.apply(&workspace.x, &mut workspace.normed);
                head.apply(n, workspace, features);
            }
        }
    }

    /// Sets `x` `[N, L, W]` to the blocks' input, the class token and patches plus `positions`
    /// `[L, W]`, and returns `N`.
    fn embed(
        &self,
        pixels: &[f32],
        size: Size,
        positions: &[f32],
        workspace: &mut Workspace,
    ) -> usize {
        let Workspace { x, wide, aside, .. } = workspace;
        let (p, w) = (self.patch, self.width);
        let Size { height, width } = size;
        let Grid { rows, columns } = self.grid(size);
        let n = pixels.len() / size.values();
        // A row of patches at a time, each `[3, P, P]` as the convolution's weight has it.
        wide.resize(n * rows * columns * 3 * p * p);
        wide.write_parts(columns * 3 * p * p, |row, mut patches| {
            let (picture, row) = (row / rows, row % rows);
            for line in 0..columns * 3 * p {
                let (patch, channel, y) = (line / (3 * p), line / p % 3, row * p + line % p);
                let from = ((picture * 3 + channel) * height + y) * width + patch * p;
                patches.write(line * p, &pixels[from..from + p]);
            }
        });
        aside.resize(n * rows * columns * w, 0.0);
        self.embedding.apply(&*wide, &mut *aside, Then::Store);
        x.resize(n * positions.len(), 0.0);
        let pictures = x.par_chunks_exact_mut(positions.len());
        pictures
            .zip(aside.par_chunks_exact(rows * columns * w))
            .for_each(|(x, patches)| {
                let class = self.class_embedding.as_deref().unwrap_or_default();
                let (first, rest) = x.split_at_mut(class.len());
                first.copy_from_slice(class);
                rest.copy_from_slice(patches);
                x.iter_mut().zip(positions).for_each(|(x, p)| *x += p);
            });
        if let Some(norm) = &self.ln_pre {
            norm.replace(x);
        }
        n
    }
}

impl Head {
    fn load(loader: &mut Loader, config: &ClipConfig, heads: usize) -> Result<Self> {
        let options = config.vision_blocks();
        Ok(Self {
            heads,
            probe: loader.tensor("visual.head.probe")?,
            attn: Attention::load(loader, "visual.head.attn")?,
            ln: loader.norm("visual.head.ln", options.epsilon)?,
            mlp: Mlp::load(loader, "visual.head.mlp", options.activation)?,
        })
    }

    /// Pools the tokens in `normed` `[N, L, W]` and appends the features `[N, W]`.
    fn apply(&self, n: usize, workspace: &mut Workspace, features: &mut Vec<f32>) {
        let Workspace {
            x,
            normed,
            y,
            queries,
            keys_values,
            wide,
            ..
        } = workspace;
        let width = self.probe.len();
        keys_values.resize(2 * normed.len());
        self.attn
            .keys_values
            .apply(&*normed, &mut *keys_values, Then::Store);
        let mut query = vec![0.0; width];
        let probe = Rows::of(y.rounding(), &self.probe);
        self.attn.queries.apply(&probe, &mut query, Then::Store);
        queries.set(&query.repeat(n));
        y.resize(n * width);
        let shape = Heads {
            width,
            heads: self.heads,
        };
        attend(n, shape, queries, keys_values, y);
        x.resize(n * width, 0.0);
        self.attn.out_proj.apply(&*y, &mut *x, Then::Store);
        self.ln.apply(x, normed);
        self.mlp.add(normed, wide, x);
        features.extend_from_slice(x);
    }
}
