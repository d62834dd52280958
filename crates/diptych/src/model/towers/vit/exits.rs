//! Features of every token of pictures of any size.

use burn::tensor::Tensor;

use super::{AttentionHead, Mask, Vit};
use crate::model::{Finish, ImageExit};

impl Vit {
    /// The features of pixels `[N, 3, H, W]` at each exit, `[N, L, C]`.
    pub(in crate::model::towers) fn exits(
        &self,
        pixels: Tensor<4>,
        exits: &[ImageExit],
    ) -> Vec<Tensor<3>> {
        let grid = self.conv1.grid(&pixels);
        let prefix = usize::from(self.class_embedding.is_some());
        let mut x = self.embed(pixels);
        let mut features: Vec<Option<Tensor<3>>> = vec![None; exits.len()];
        let blocks = self.transformer.len();
        for block in 0..ImageExit::depth(exits, 1, blocks) {
            let before = x.clone();
            x = self.transformer.block(block, x, Mask::None);
            for (exit, features) in exits.iter().zip(&mut features) {
                match exit {
                    ImageExit::After { index, finish } if *index == block => {
                        *features = Some(self.finish(x.clone(), *finish));
                    }
                    ImageExit::Dense(form) if block + 1 == blocks => {
                        let dense = self
                            .transformer
                            .dense(before.clone(), *form, (prefix, grid));
                        *features = Some(self.finish(dense, Finish::Project));
                    }
                    _ => {}
                }
            }
        }
        let features = exits.iter().zip(features);
        features
            .map(|(exit, found)| match (exit, found, &self.head) {
                (_, Some(found), _) => found,
                (ImageExit::Pooled, ..) => self.pool(x.clone()).unsqueeze_dim(1),
                (ImageExit::PoolValues, _, Some(head)) => {
                    head.of_each(self.ln_post.forward(x.clone()))
                }
                _ => panic!("this tower has no exit {exit}"),
            })
            .collect()
    }

    fn finish(&self, x: Tensor<3>, finish: Finish) -> Tensor<3> {
        match (finish, &self.proj) {
            (Finish::None, _) => x,
            (Finish::Project, Some(proj)) => {
                self.ln_post.forward(x).matmul(proj.val().unsqueeze()) // [N, L, D]
            }
            (Finish::Norm, _) | (Finish::Project, None) => self.ln_post.forward(x),
        }
    }
}

impl AttentionHead {
    /// Maps `[N, L, W]` to `[N, L, W]`, each token as if it were the only one.
    fn of_each(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, values] = self.attn.queries_keys_values(x);
        let found = self.attn.output(values);
        found.clone() + self.mlp.forward(self.ln.forward(found))
    }
}
