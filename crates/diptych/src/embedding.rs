//! Embeddings: unit vectors, the only way from features to a similarity.
//!
//! `N`, `M` inputs, `D` embedding.

use diptych_kernels::Vectors;
use rayon::prelude::*;

/// Unit vectors `[N, D]`, one row an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    dim: usize,
    data: Vec<f32>,
}

impl Embeddings {
    /// No row yet, of width `dim`.
    ///
    /// # Panics
    /// If `dim` is zero.
    pub fn empty(dim: usize) -> Self {
        Self::from_features(dim, Vec::new())
    }

    /// Normalises features `[N, D]` and adds them as rows.
    ///
    /// # Panics
    /// If the width does not divide the number of features.
    pub fn push(&mut self, features: &[f32]) {
        let more = Self::from_features(self.dim, features.to_vec());
        self.data.extend_from_slice(&more.data);
    }

    /// Normalises features `[N, D]`; a row of zeros stays zero.
    ///
    /// # Panics
    /// If `dim` is zero or does not divide the number of features.
    pub fn from_features(dim: usize, mut features: Vec<f32>) -> Self {
        assert!(
            dim > 0 && features.len().is_multiple_of(dim),
            "{} in {dim}",
            features.len()
        );
        for row in features.chunks_exact_mut(dim) {
            // f64, so that the norm is 1 to the last bit that f32 can hold.
            let norm = row
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            if norm > 0.0 {
                row.iter_mut()
                    .for_each(|v| *v = (f64::from(*v) / norm) as f32);
            }
        }
        Self {
            dim,
            data: features,
        }
    }

    /// Number of rows `N`.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Width `D`.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row by row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The rows, each `[D]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim)
    }

    /// Cosines `[N, M]` of every row with every row of `other`, row by row.
    ///
    /// # Panics
    /// If the widths differ: two models' embeddings have no similarity.
    pub fn cosines(&self, other: &Self) -> Vec<f32> {
        assert_eq!(self.dim, other.dim, "embeddings of different widths");
        let mut cosines = vec![0.0; self.len() * other.len()];
        let rows = cosines.par_chunks_mut(other.len().max(1));
        rows.zip(self.data.par_chunks_exact(self.dim))
            .for_each(|(out, query)| diptych_kernels::dots(query, Vectors::F32(&other.data), out));
        cosines
    }

    /// The mean of each group of `size` rows, normalised again: prompt ensembling (paper, 3.1.4).
    ///
    /// # Panics
    /// If `size` is zero or does not divide the number of rows.
    pub fn means(&self, size: usize) -> Self {
        assert!(
            size > 0 && self.len().is_multiple_of(size),
            "{} rows in {size}",
            self.len()
        );
        let mean = |group: &[f32]| -> Vec<f32> {
            let mut sum = vec![0f32; self.dim];
            for row in group.chunks_exact(self.dim) {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sum.iter_mut().for_each(|s| *s /= size as f32);
            sum
        };
        let means = self
            .data
            .chunks_exact(size * self.dim)
            .flat_map(mean)
            .collect();
        Self::from_features(self.dim, means)
    }
}
