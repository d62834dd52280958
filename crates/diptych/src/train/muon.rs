//! Muon: momentum whose step for a matrix is the nearest one with all its singular values equal.
//!
//! Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), the
//! Newton–Schulz iteration and its coefficients; Liu et al., "Muon is scalable for LLM training",
//! arXiv 2502.16982, section 2.2, the factor that makes its steps as large as AdamW's, so that both share
//! a learning rate and a decay.

use kernels::{Convolution, Precision};

/// Share of the momentum that a step keeps.
pub(super) const MOMENTUM: f64 = 0.95;

/// Newton–Schulz iterations, and the coefficients of their polynomial `a x + b x³ + c x⁵`.
const ITERATIONS: usize = 5;
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// The root mean square of a step, as a share of the learning rate: about AdamW's.
const UPDATE_RMS: f32 = 0.2;

/// How a parameter is seen: as `count` matrices of `rows` × `columns`, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrices {
    pub(super) count: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Matrices {
    /// The matrices of a weight in a residual stage or block; none for what Muon leaves to AdamW: gains and
    /// biases, embeddings, the stem, the pooling and the projections.
    pub(super) fn of(name: &str, shape: &[usize]) -> Option<Self> {
        let (&rows, rest) = shape.split_first()?;
        let hidden = name.contains(".layer") || name.contains("resblocks.");
        if rest.is_empty() || !hidden {
            return None;
        }
        // Query, key and value are three layers in one tensor.
        let count = if name.ends_with("in_proj_weight") {
            3
        } else {
            1
        };
        Some(Self {
            count,
            rows: rows / count,
            columns: rest.iter().product(),
        })
    }

    /// The step for a momentum of these matrices, times the learning rate to come.
    pub(super) fn step(self, momentum: &[f32], precision: Precision) -> Vec<f32> {
        let size = self.rows * self.columns;
        let factor = UPDATE_RMS * (self.rows.max(self.columns) as f32).sqrt();
        let matrices = momentum.chunks_exact(size.max(1));
        matrices
            .flat_map(|matrix| self.orthogonal(matrix, precision))
            .map(|v| v * factor)
            .collect()
    }

    /// Near `U Vᵀ` of one matrix's singular value decomposition `U S Vᵀ`.
    ///
    /// It works on the tall one of the matrix and its transpose, so that what products square is small.
    fn orthogonal(self, matrix: &[f32], precision: Precision) -> Vec<f32> {
        let is_wide = self.rows < self.columns;
        let (mut x, side) = match is_wide {
            true => (transposed(matrix, self.columns), self.rows),
            false => (matrix.to_vec(), self.columns),
        };
        let norm = kernels::sum_of_squares(&x).sqrt() as f32;
        x.iter_mut().for_each(|v| *v /= norm + 1e-7);
        let [a, b, c] = COEFFICIENTS;
        // A linear layer from `side` to `side`: `x Wᵀ` and, as its weight's gradient, `gᵀ x`.
        let layer = Convolution {
            height: 1,
            width: 1,
            inputs: side,
            outputs: side,
            kernel: 1,
            stride: 1,
        };
        for _ in 0..ITERATIONS {
            let square = layer.weight_gradient(precision, &x, &x); // Xᵀ X, symmetric
            let fourth = layer.forward(precision, &square, &square, &[]);
            let terms = square.iter().zip(&fourth);
            let y: Vec<f32> = terms.map(|(s, t)| b * s + c * t).collect();
            let xy = layer.forward(precision, &x, &y, &[]);
            x.iter_mut().zip(&xy).for_each(|(v, y)| *v = a * *v + y);
        }
        match is_wide {
            true => transposed(&x, side),
            false => x,
        }
    }
}

/// The transpose of a matrix of so many columns.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut out = vec![0f32; matrix.len()];
    for (r, row) in matrix.chunks_exact(columns).enumerate() {
        for (c, value) in row.iter().enumerate() {
            out[c * rows + r] = *value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn steps_keep_directions_and_even_out_lengths() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for [rows, columns] in [[6, 20], [20, 6], [16, 16]] {
            let matrices = Matrices {
                count: 2,
                rows,
                columns,
            };
            let momentum: Vec<f32> = (0..2 * rows * columns)
                .map(|_| rng.random_range(-1.0..1.0f32))
                .collect();
            let step = matrices.step(&momentum, Precision::F32);
            assert_eq!(step.len(), momentum.len());
            let factor = 0.2 * (rows.max(columns) as f32).sqrt();
            let parts = step
                .chunks_exact(rows * columns)
                .zip(momentum.chunks_exact(rows * columns));
            for (step, momentum) in parts {
                // Newton–Schulz with these coefficients brings singular values to 0.68 … 1.13.
                let squares: f32 = step.iter().map(|v| (v / factor).powi(2)).sum();
                let rank = rows.min(columns) as f32;
                assert!(
                    (0.4 * rank..1.3 * rank).contains(&squares),
                    "{squares} of {rank}"
                );
                let dot: f32 = step.iter().zip(momentum).map(|(a, b)| a * b).sum();
                // With all singular values near 1, this is near their sum, the nuclear norm.
                let norm = momentum.iter().map(|v| v * v).sum::<f32>().sqrt();
                assert!(dot / factor > 1.2 * norm, "{dot} of {norm}");
            }
        }
    }

    #[test]
    fn hidden_weights_are_matrices_and_nothing_else_is() {
        let of =
            |name, shape: &[usize]| Matrices::of(name, shape).map(|m| [m.count, m.rows, m.columns]);
        assert_eq!(
            of("visual.layer1.0.conv2.weight", &[24, 24, 3, 3]),
            Some([1, 24, 216])
        );
        let name = "transformer.resblocks.0.attn.in_proj_weight";
        assert_eq!(of(name, &[480, 160]), Some([3, 160, 160]));
        assert_eq!(of("visual.layer1.0.bn1.weight", &[24]), None);
        assert_eq!(of("token_embedding.weight", &[6144, 160]), None);
        assert_eq!(of("text_projection", &[160, 192]), None);
        assert_eq!(of("visual.conv1.weight", &[12, 3, 3, 3]), None);
    }
}
