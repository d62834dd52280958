//! Maps after each stage, and the attention pool at every position, of pictures of any size.

use burn::tensor::Tensor;

use super::{AttentionPool, ModifiedResNet, Phase};
use crate::model::ImageExit;

impl ModifiedResNet {
    /// The features of pixels `[N, 3, H, W]` at each exit, `[N, L, C]`, channels last.
    pub(in crate::model::towers) fn exits(
        &self,
        pixels: Tensor<4>,
        exits: &[ImageExit],
        phase: Phase,
    ) -> Vec<Tensor<3>> {
        let mut maps = vec![self.stem(pixels, phase)];
        for stage in self.stages() {
            let x = maps[maps.len() - 1].clone();
            let map = stage.iter().fold(x, |x, block| block.forward(x, phase));
            maps.push(map);
        }
        let last = maps.last().cloned();
        let tokens = |map: Tensor<4>| {
            let [n, h, w, c] = map.dims();
            map.reshape([n, h * w, c])
        };
        let at = |exit: &ImageExit| match (exit, &last) {
            (ImageExit::After { index, .. }, _) => tokens(maps[*index].clone()),
            (ImageExit::PoolValues, Some(last)) => self.attnpool.of_each(tokens(last.clone())),
            (_, Some(last)) => self.attnpool.forward(last.clone()).unsqueeze_dim(1),
            (_, None) => unreachable!("the stem's map is there"),
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
