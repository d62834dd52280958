//! Positional embeddings of other grids than a tower's.

use burn::tensor::{Tensor, TensorData};

use crate::model::{Grid, grid_matrix};

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
    let shares = TensorData::new(grid_matrix(from, to), [to.len(), count]);
    let shares = Tensor::from_data(shares, &all.device());
    let grid = shares.matmul(all.clone().narrow(0, prefix, count));
    match prefix {
        0 => grid,
        prefix => Tensor::cat(vec![all.narrow(0, 0, prefix), grid], 0),
    }
}
