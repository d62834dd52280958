//! Maps after each stage, and the attention pool at every position, of pictures of any size.

use burn::tensor::Tensor;

use super::{AttentionPool, ModifiedResNet, Phase};
use crate::model::{Finish, ImageExit};

impl ModifiedResNet {
    /// The features of pixels `[N, 3, H, W]` at each exit, `[N, L, C]`, channels last.
    pub(in crate::model::towers) fn exits(
        &self,
        pixels: Tensor<4>,
        exits: &[ImageExit],
        phase: Phase,
    ) -> Vec<Tensor<3>> {
        let mut x = self.stem(pixels, phase);
        let mut maps = vec![x.clone()];
        for stage in &self.stages()[..ImageExit::depth(exits, 0, 4)] {
            x = stage.iter().fold(x, |x, block| block.forward(x, phase));
            maps.push(x.clone());
        }
        let tokens = |map: Tensor<4>| {
            let [n, h, w, c] = map.dims();
            map.reshape([n, h * w, c])
        };
        let at = |exit: &ImageExit| match exit {
            ImageExit::After {
                index,
                finish: Finish::None,
            } => tokens(maps[*index].clone()),
            ImageExit::PoolValues => self.attnpool.of_each(tokens(x.clone())),
            ImageExit::Pooled => self.attnpool.forward(x.clone()).unsqueeze_dim(1),
            ImageExit::After { .. } | ImageExit::Dense(_) => {
                panic!("this tower has no exit {exit}")
            }
        };
        exits.iter().map(at).collect()
    }
}

impl AttentionPool {
    /// Maps `[N, L, C]` to `[N, L, D]`, each position as if it were the only one.
    fn of_each(&self, x: Tensor<3>) -> Tensor<3> {
        self.c_proj.forward(self.v_proj.forward(x))
    }
}
