//! Options for building a model from named tensors, and the way back to named tensors.

use super::clip::ClipModel;
use crate::Precision;
use crate::layers::named_parameters;
use crate::model::freeze::Freeze;
use crate::tensor_data::TensorData;

/// Options for building a model.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions {
    /// The precision of products on the CPU, to which their factors are rounded; sums, norms and
    /// parameters stay f32. Other devices compute in f32.
    pub precision: Precision,
    /// The parameters that are not trained.
    pub freeze: Freeze,
}

impl Default for BuildOptions {
    /// f32, and nothing frozen.
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            freeze: Freeze::default(),
        }
    }
}

/// The named tensors of `model`, as a checkpoint stores them.
pub fn named_tensors(model: &ClipModel) -> Vec<(String, TensorData)> {
    let mut tensors = named_parameters(model);
    for (name, data) in &mut tensors {
        // The temperature and bias are scalars in a state dict and `[1]` here.
        if name.starts_with("logit_") {
            *data = TensorData::new(std::mem::take(data).into_values(), []);
        }
    }
    tensors
}
