//! The rounding of a layer's products, and the kept layouts of weights that stay.
//!
//! Laying a weight out for products takes one pass over it, which does not pay for a few rows. A
//! trained weight changes with every step, so its layout can't be used again. The layout of a
//! weight that stays is kept for later products.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;
use diptych_kernels::{Convolution, Direction, PackedWeight, Rounding};

use super::flex::values;

/// The rounding of the factors, and the kept layouts of a weight that stays. Clones share the
/// layouts.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    pub(super) rounding: Rounding,
    kept: Option<Arc<Mutex<Vec<Kept>>>>,
}

#[derive(Debug)]
struct Kept {
    /// Held so that its memory is neither changed nor reused: data at the same address is this
    /// weight.
    weight: FlexTensor,
    packed: Arc<PackedWeight>,
}

/// Layouts kept of a weight at the most; the oldest gives way. There is one for each direction, and
/// for each part of a stacked projection.
const LAYOUTS: usize = 8;

impl Products {
    /// Products with a weight that changes.
    pub(crate) fn of_trained(rounding: Rounding) -> Self {
        Self {
            rounding,
            kept: None,
        }
    }

    /// The same with a weight that changes.
    pub(crate) fn of_changing(&self) -> Self {
        Self::of_trained(self.rounding)
    }

    /// Products with a weight that stays.
    pub(crate) fn of_constant(rounding: Rounding) -> Self {
        Self {
            rounding,
            kept: Some(Arc::default()),
        }
    }

    /// Whether the weight stays, so that laying it out pays even for a few rows.
    pub(super) fn is_constant(&self) -> bool {
        self.kept.is_some()
    }

    /// Computes a convolution, or its adjoint, as `direction` says; `x` and `bias` are contiguous.
    pub(super) fn apply(
        &self,
        c: &Convolution,
        direction: Direction,
        [x, weight, bias]: [&FlexTensor; 3],
    ) -> Vec<f32> {
        let (x, bias) = (values(x), values(bias));
        if let Some(kept) = &self.kept {
            return self.packed(kept, c, direction, weight).apply(c, x, bias);
        }
        let weight = weight.to_contiguous();
        match direction {
            Direction::Forward => c.forward(self.rounding, x, values(&weight), bias),
            Direction::Adjoint => c.transposed(self.rounding, x, values(&weight), bias),
        }
    }

    /// The layout of a weight that stays: a kept one, or a new one that is then kept.
    fn packed(
        &self,
        kept: &Mutex<Vec<Kept>>,
        c: &Convolution,
        direction: Direction,
        weight: &FlexTensor,
    ) -> Arc<PackedWeight> {
        // A thread that panicked left the list whole.
        let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this = |kept: &&Kept| {
            Arc::ptr_eq(&kept.weight.data_arc(), &weight.data_arc())
                && kept.weight.layout() == weight.layout()
                && kept.packed.serves(c, self.rounding, direction)
        };
        if let Some(found) = kept().iter().find(is_this) {
            return Arc::clone(&found.packed);
        }
        // All threads share this work, and one that waits for the others may enter this function
        // again. So the list is not locked meanwhile, and two threads may lay out the same weight.
        let matrix = weight.to_contiguous();
        let packed = PackedWeight::new(c, self.rounding, direction, values(&matrix));
        let packed = Arc::new(packed);
        let mut kept = kept();
        // A weight that was replaced is not coming back.
        kept.retain(|kept| Arc::ptr_eq(&kept.weight.data_arc(), &weight.data_arc()));
        if kept.len() == LAYOUTS {
            kept.remove(0);
        }
        kept.push(Kept {
            weight: weight.clone(),
            packed: Arc::clone(&packed),
        });
        packed
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn a_weight_is_laid_out_once_a_direction() {
        let drawn = |shape: [usize; 2]| {
            let values = (0..shape[0] * shape[1]).map(|i| i as f32).collect();
            FlexTensor::from_data(TensorData::new::<f32, _>(values, shape))
        };
        let (weight, x, none) = (drawn([3, 4]), drawn([2, 4]), drawn([0, 0]));
        let c = Convolution::linear(4, 3);
        let products = Products::of_constant(Rounding::F32);
        let kept = || products.kept.as_ref().unwrap().lock().unwrap().len();
        for (weight, layouts) in [
            (weight.clone(), 1),
            (weight.clone(), 1),
            (drawn([4, 3]).transpose(0, 1), 1), // another weight, in its place
            (weight.clone(), 1),
        ] {
            products.apply(&c, Direction::Forward, [&x, &weight, &none]);
            assert_eq!(kept(), layouts);
        }
        // A view, which every call makes anew.
        let view = || weight.reshape([4, 3].into()).transpose(0, 1);
        let first = products.apply(&c, Direction::Forward, [&x, &view(), &none]);
        assert_eq!(
            products.apply(&c, Direction::Forward, [&x, &view(), &none]),
            first
        );
        assert_eq!(kept(), 2);
    }
}
