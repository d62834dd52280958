//! Features of every token of pictures of any size.

use std::borrow::Cow;

use diptych_kernels::{Then, keep_rows};

use super::{Head, Pool, Reach, Vit, Workspace};
use crate::image::{Pixels, Size};
use crate::model::{Finish, ImageExit, resize_grid};

impl Vit {
    /// Appends the features at `exits[i]` to `features[i]`.
    pub(in crate::engine) fn exits(
        &self,
        pixels: &Pixels,
        exits: &[ImageExit],
        workspace: &mut Workspace,
        features: &mut [Vec<f32>],
    ) {
        let size = pixels.size();
        let positions = self.positions_for(size);
        let l = positions.len() / self.width;
        let blocks = self.transformer.len();
        let needed = ImageExit::depth(exits, 1, blocks);
        for chunk in self.chunks(pixels) {
            let n = self.embed(chunk, size, &positions, workspace);
            for block in 0..needed {
                if block + 1 == blocks {
                    self.dense(n, size, exits, workspace, features);
                }
                self.transformer
                    .apply_block(block, workspace, &Reach::Input(n));
                for (exit, features) in exits.iter().zip(&mut *features) {
                    if let ImageExit::After { index, finish } = exit
                        && *index == block
                    {
                        self.finish(*finish, &workspace.x, features);
                    }
                }
            }
            self.ends(n, l, exits, workspace, features);
        }
    }

    /// The positions `[L, W]` of pictures of `size`.
    fn positions_for(&self, size: Size) -> Cow<'_, [f32]> {
        let (from, to) = (self.grid(self.size), self.grid(size));
        if from == to {
            return (&self.positions).into();
        }
        let (class, grid) = self.positions.split_at(self.prefix() * self.width);
        [class, &resize_grid(grid, self.width, from, to)]
            .concat()
            .into()
    }

    /// Appends the features of exits that replace the last block; `x` is restored after each.
    fn dense(
        &self,
        n: usize,
        size: Size,
        exits: &[ImageExit],
        workspace: &mut Workspace,
        features: &mut [Vec<f32>],
    ) {
        let mut before = None;
        for (exit, features) in exits.iter().zip(features) {
            let ImageExit::Dense(form) = exit else {
                continue;
            };
            let before = before.get_or_insert_with(|| workspace.x.clone());
            self.transformer
                .apply_dense(*form, (n, self.prefix(), self.grid(size)), workspace);
            self.finish(Finish::Project, &workspace.x, features);
            workspace.x.clone_from(before);
        }
    }

    /// Appends the features of the exits after the last block.
    fn ends(
        &self,
        n: usize,
        l: usize,
        exits: &[ImageExit],
        workspace: &mut Workspace,
        features: &mut [Vec<f32>],
    ) {
        let mut after = None;
        for (exit, features) in exits.iter().zip(features) {
            if !matches!(exit, ImageExit::Pooled | ImageExit::PoolValues) {
                continue;
            }
            let after = after.get_or_insert_with(|| workspace.x.clone());
            match (exit, &self.pool) {
                (ImageExit::PoolValues, Pool::Map(head)) => {
                    self.ln_post.apply(&workspace.x, &mut workspace.normed);
                    head.apply_to_each(workspace, features);
                }
                (_, Pool::Class(_)) => {
                    let class: Vec<usize> = (0..n).map(|i| i * l).collect();
                    keep_rows(&mut workspace.x, self.width, &class);
                    self.pool(n, workspace, features);
                }
                _ => self.pool(n, workspace, features),
            }
            workspace.x.clone_from(after);
        }
    }

    /// Applies `finish` to tokens `x` `[T, W]` and appends the result.
    fn finish(&self, finish: Finish, x: &[f32], features: &mut Vec<f32>) {
        let done = features.len();
        match (finish, &self.pool) {
            (Finish::None, _) => features.extend_from_slice(x),
            (Finish::Project, Pool::Class(proj)) => {
                features.resize(done + x.len() / self.width * proj.outputs(), 0.0);
                self.ln_post.project(x, proj, &mut features[done..]);
            }
            (Finish::Norm, _) | (Finish::Project, Pool::Map(_)) => {
                features.extend(self.ln_post.of(x));
            }
        }
    }
}

impl Head {
    /// Appends the features of each token of `normed` `[T, W]`, as if the learned query attended to
    /// it alone.
    fn apply_to_each(&self, workspace: &mut Workspace, features: &mut Vec<f32>) {
        let Workspace {
            x,
            normed,
            y,
            keys_values,
            wide,
            aside,
            ..
        } = workspace;
        keys_values.resize(2 * normed.len());
        self.attn
            .keys_values
            .apply(&*normed, &mut *keys_values, Then::Store);
        keys_values.read_into(aside);
        let width = self.probe.len();
        let values = aside.chunks_exact(2 * width).flat_map(|row| &row[width..]);
        y.set(&values.copied().collect::<Vec<f32>>());
        x.resize(y.len(), 0.0);
        self.attn.out_proj.apply(&*y, &mut *x, Then::Store);
        self.ln.apply(x, normed);
        self.mlp.add(normed, wide, x);
        features.extend_from_slice(x);
    }
}
