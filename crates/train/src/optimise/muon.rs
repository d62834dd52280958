//! Muon: momentum whose step for a matrix is the nearest one with all its singular values equal.
//!
//! Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), the
//! Newton–Schulz iteration and its coefficients; Liu et al., "Muon is scalable for LLM training",
//! arXiv 2502.16982, section 2.2, the factor that makes its steps as large as AdamW's, so that both
//! share a learning rate and a decay.

use diptych_kernels::{Convolution, Rounding, transposed};

/// Share of the momentum that a step keeps.
const MOMENTUM: f32 = 0.95;

/// Newton–Schulz iterations, and the coefficients of their polynomial `a x + b x³ + c x⁵`.
const ITERATIONS: usize = 5;
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// The root mean square of a step, as a share of the learning rate: about AdamW's.
const UPDATE_RMS: f32 = 0.2;

/// One step of Muon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Muon {
    pub(super) learning_rate: f32,
    pub(super) weight_decay: f32,
    /// Of the products.
    pub(super) rounding: Rounding,
}

impl Muon {
    /// Moves `value`, `matrices`, and its `momentum` by their gradient. The momentum is Nesterov's.
    pub(super) fn step(
        self,
        matrices: Matrices,
        [value, momentum]: [&mut [f32]; 2],
        gradient: &[f32],
    ) {
        let moved = momentum.iter_mut().zip(gradient);
        let ahead = moved.map(|(m, g)| {
            *m = MOMENTUM * *m + g;
            MOMENTUM * *m + g
        });
        let update = matrices.update(&ahead.collect::<Vec<_>>(), self.rounding);
        let kept = 1.0 - self.learning_rate * self.weight_decay;
        for (value, u) in value.iter_mut().zip(&update) {
            *value = kept * *value - self.learning_rate * u;
        }
    }
}

/// A parameter as Muon sees it: matrices that lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrices {
    /// Number of matrices: three for query, key and value in one tensor.
    pub count: usize,
    /// Rows of each: outputs.
    pub rows: usize,
    /// Columns of each: inputs, of all kernel positions.
    pub columns: usize,
}

impl Matrices {
    /// A weight `[outputs, …]` of two or more dimensions as one matrix; none for gains and biases.
    pub fn whole(shape: &[usize]) -> Option<Self> {
        let (&rows, rest) = shape.split_first()?;
        (!rest.is_empty()).then(|| Self {
            count: 1,
            rows,
            columns: rest.iter().product(),
        })
    }

    /// The step of these matrices for such a momentum, before the learning rate.
    fn update(self, momentum: &[f32], rounding: Rounding) -> Vec<f32> {
        let size = self.rows * self.columns;
        let factor = UPDATE_RMS * (self.rows.max(self.columns) as f32).sqrt();
        let matrices = momentum.chunks_exact(size.max(1));
        matrices
            .flat_map(|matrix| self.orthogonal(matrix, rounding))
            .map(|v| v * factor)
            .collect()
    }

    /// Near `U Vᵀ` of one matrix's singular value decomposition `U S Vᵀ`.
    ///
    /// It works on the tall one of the matrix and its transpose, so that what products square is
    /// small.
    fn orthogonal(self, matrix: &[f32], rounding: Rounding) -> Vec<f32> {
        let is_wide = self.rows < self.columns;
        let (mut x, side) = if is_wide {
            (transposed(matrix, self.columns), self.rows)
        } else {
            (matrix.to_vec(), self.columns)
        };
        let norm = diptych_kernels::sum_of_squares(&x).sqrt() as f32;
        x.iter_mut().for_each(|v| *v /= norm + 1e-7);
        let [a, b, c] = COEFFICIENTS;
        // A linear layer from `side` to `side`: `x Wᵀ` and, as its weight's gradient, `gᵀ x`.
        let layer = Convolution::linear(side, side);
        for _ in 0..ITERATIONS {
            let square = layer.weight_gradient(rounding, &x, &x); // Xᵀ X, symmetric
            let fourth = layer.forward(rounding, &square, &square, &[]);
            let terms = square.iter().zip(&fourth);
            let y: Vec<f32> = terms.map(|(s, t)| b * s + c * t).collect();
            let xy = layer.forward(rounding, &x, &y, &[]);
            x.iter_mut().zip(&xy).for_each(|(v, y)| *v = a * *v + y);
        }
        if is_wide { transposed(&x, side) } else { x }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use diptych_testing::{folder, max_difference};

    /// `parity/muon.py` made it.
    #[test]
    fn three_steps_are_pytorchs() {
        let text = fs_err::read_to_string(folder("training").join("muon.json")).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
        let muon = |rounding| Muon {
            learning_rate: number(&golden["options"], "lr") as f32,
            weight_decay: number(&golden["options"], "weight_decay") as f32,
            rounding,
        };
        for case in golden["cases"].as_array().unwrap() {
            let size = |name: &str| number(case, name) as usize;
            let values = |name: &str| -> Vec<f32> {
                let list = case[name].as_array().unwrap().iter();
                list.map(|v| v.as_f64().unwrap() as f32).collect()
            };
            let matrices = Matrices {
                count: size("count"),
                rows: size("rows"),
                columns: size("columns"),
            };
            for (rounding, most) in [(Rounding::F32, 2e-5), (Rounding::Bf16, 2e-2)] {
                let mut value = values("start");
                let mut momentum = vec![0.0; value.len()];
                for gradient in values("gradients").chunks_exact(value.len()) {
                    muon(rounding).step(matrices, [&mut value, &mut momentum], gradient);
                }
                let off = max_difference(&value, &values("end"));
                assert!(off < most, "{matrices:?} in {rounding:?}: {off}");
            }
        }
    }
}
