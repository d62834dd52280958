//! How a layer's products are computed.
//!
//! Laying a weight out for products is a pass over it, which few rows do not repay. A weight that is
//! trained changes with every step; of one that stays, what was laid out is kept.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;
use diptych_kernels::{Convolution, Direction, PackedWeight, Rounding};

use super::flex::values;

/// What the factors are rounded to, and what is kept of a weight that stays. Clones share that.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    pub(super) rounding: Rounding,
    kept: Option<Arc<Mutex<Vec<Kept>>>>,
}

#[derive(Debug)]
struct Kept {
    /// While this is held, nothing changes its values or takes their place in memory, so what lies
    /// there is this weight.
    weight: FlexTensor,
    packed: Arc<PackedWeight>,
}

/// Layouts that are kept of a weight at most: of both directions, and of parts of stacked
/// projections.
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

    /// Whether few rows are worth laying the weight out.
    pub(super) fn is_constant(&self) -> bool {
        self.kept.is_some()
    }

    /// Goes a convolution in a direction.
    pub(super) fn apply(
        &self,
        c: &Convolution,
        direction: Direction,
        [x, weight, bias]: [&FlexTensor; 3],
    ) -> Vec<f32> {
        let (rounding, x, bias) = (self.rounding, values(x), values(bias));
        match (self.packed(c, direction, weight), direction) {
            (Some(packed), _) => packed.apply(c, x, bias),
            (None, Direction::Forward) => c.forward(rounding, x, values(weight), bias),
            (None, Direction::Adjoint) => c.transposed(rounding, x, values(weight), bias),
        }
    }

    /// A weight that stays, laid out.
    fn packed(
        &self,
        c: &Convolution,
        direction: Direction,
        weight: &FlexTensor,
    ) -> Option<Arc<PackedWeight>> {
        let kept = self.kept.as_ref()?;
        // Whoever panicked left the list whole.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = values(weight).as_ptr_range();
        let is_this = |kept: &&Kept| {
            values(&kept.weight).as_ptr_range() == place
                && kept.packed.serves(c, self.rounding, direction)
        };
        if let Some(found) = kept.iter().find(is_this) {
            return Some(Arc::clone(&found.packed));
        }
        let packed = Arc::new(PackedWeight::new(
            c,
            self.rounding,
            direction,
            values(weight),
        ));
        if kept.len() == LAYOUTS {
            kept.remove(0);
        }
        kept.push(Kept {
            weight: weight.clone(),
            packed: Arc::clone(&packed),
        });
        Some(packed)
    }
}
