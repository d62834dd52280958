//! Positional embeddings of other grids than a tower's.

use burn::tensor::Tensor;

use crate::image::{Interpolation, Size};
use crate::model::Grid;
use crate::views::resize;

/// Positions `[prefix + G, W]`, whose grid is a square, for another grid.
pub(super) fn resized(all: Tensor<2>, prefix: usize, to: Grid) -> Tensor<2> {
    let count = all.dims()[0] - prefix;
    let side = count.isqrt();
    let from = Grid {
        rows: side,
        columns: side,
    };
    if from == to {
        return all;
    }
    let w = all.dims()[1];
    let grid = all.clone().narrow(0, prefix, count);
    let grid = grid.reshape([1, side, side, w]).permute([0, 3, 1, 2]); // [1, W, rows, columns]
    let size = Size {
        height: to.rows,
        width: to.columns,
    };
    let grid = resize(grid, size, Interpolation::Bicubic);
    let grid = grid.permute([0, 2, 3, 1]).reshape([to.len(), w]);
    match prefix {
        0 => grid,
        prefix => Tensor::cat(vec![all.narrow(0, 0, prefix), grid], 0),
    }
}
