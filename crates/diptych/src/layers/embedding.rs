//! Tables of vectors.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::Builder;
use crate::Error;

/// A table of vectors, one per token id.
#[derive(Module, Debug)]
pub struct Embedding {
    weight: Param<Tensor<2>>,
}

impl Embedding {
    /// The table `path.weight`, `[ids, W]`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
        })
    }

    /// Looks up `[N, L]` ids: `[N, L, W]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        burn::tensor::module::embedding(self.weight.val(), ids)
    }
}
