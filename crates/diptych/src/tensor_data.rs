//! A tensor's values with their shape, as a checkpoint has it: no device, no gradient.

/// Values in f32, row by row, and their shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorData {
    values: Vec<f32>,
    shape: Vec<usize>,
}

impl TensorData {
    /// Values of this shape; an empty one is a scalar's.
    ///
    /// # Panics
    /// If the shape has another number of values.
    pub fn new(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let count: usize = shape.iter().product();
        assert_eq!(values.len(), count, "values of shape {shape:?}");
        Self { values, shape }
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, row by row.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The shape; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}
