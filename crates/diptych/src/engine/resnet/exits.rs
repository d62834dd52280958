//! Maps after each stage, and the attention pool at every position, of pictures of any size.

use std::borrow::Cow;

use diptych_kernels::{Rounding, Rows, Then};

use super::{AttentionPool, Map, ResNet, Workspace};
use crate::image::{Pixels, Size};
use crate::model::{Grid, ImageExit, RESNET_STRIDE, resize_grid};

impl ResNet {
    /// Appends the features at `exits[i]` to `features[i]`.
    pub(in crate::engine) fn exits(
        &self,
        pixels: &Pixels,
        exits: &[ImageExit],
        workspace: &mut Workspace,
        features: &mut [Vec<f32>],
    ) {
        let size = pixels.size();
        let needed = ImageExit::depth(exits, 0, self.stages.len());
        for chunk in self.chunks(pixels) {
            let mut map = self.stem(chunk, size, workspace);
            leave(0, exits, workspace, features);
            for (stage, blocks) in self.stages.iter().enumerate().take(needed) {
                for block in blocks {
                    map = block.apply(map, workspace);
                }
                leave(stage + 1, exits, workspace, features);
            }
            self.ends(map, size, exits, workspace, features);
        }
    }

    /// Appends the features of the exits after the last stage.
    fn ends(
        &self,
        map: Map,
        size: Size,
        exits: &[ImageExit],
        workspace: &mut Workspace,
        features: &mut [Vec<f32>],
    ) {
        for (exit, features) in exits.iter().zip(features) {
            match exit {
                ImageExit::Pooled => {
                    let positions = self.pool.positions_for(grid(self.size), grid(size));
                    self.pool.apply(map.n, &positions, workspace, features);
                }
                ImageExit::PoolValues => self.pool.apply_to_each(workspace, features),
                ImageExit::After { .. } | ImageExit::Dense(_) => {}
            }
        }
    }
}

/// Appends `maps[0]` to the features of the exits after this stage.
fn leave(stage: usize, exits: &[ImageExit], workspace: &mut Workspace, features: &mut [Vec<f32>]) {
    let Workspace { maps, aside, .. } = workspace;
    for (exit, features) in exits.iter().zip(features) {
        if matches!(exit, ImageExit::After { index, .. } if *index == stage) {
            maps[0].read_into(aside);
            features.extend_from_slice(aside);
        }
    }
}

fn grid(size: Size) -> Grid {
    Grid {
        rows: size.height / RESNET_STRIDE,
        columns: size.width / RESNET_STRIDE,
    }
}

impl AttentionPool {
    /// The positions `[H W + 1, C]` of another grid than the tower's: the mean's, then those of the
    /// map, resized as open_clip resizes a Vision Transformer's.
    fn positions_for(&self, from: Grid, to: Grid) -> Cow<'_, [f32]> {
        if from == to {
            return (&self.positions).into();
        }
        let c = self.queries.inputs();
        let (mean, map) = self.positions.split_at(c);
        [mean, &resize_grid(map, c, from, to)].concat().into()
    }

    /// Appends the features of each position as if it alone were attended to: `c_proj(v_proj(x))`,
    /// without positions.
    fn apply_to_each(&self, workspace: &mut Workspace, features: &mut Vec<f32>) {
        let Workspace {
            keys_values,
            aside,
            maps,
            ..
        } = workspace;
        let c = self.queries.inputs();
        keys_values.resize(2 * maps[0].len());
        self.keys_values
            .apply(&maps[0], &mut *keys_values, Then::Store);
        keys_values.read_into(aside);
        let values = aside.chunks_exact(2 * c).flat_map(|row| &row[c..]);
        let values = Rows::of(Rounding::F32, &values.copied().collect::<Vec<f32>>());
        let done = features.len();
        features.resize(done + values.len() / c * self.c_proj.outputs(), 0.0);
        self.c_proj
            .apply(&values, &mut features[done..], Then::Store);
    }
}
