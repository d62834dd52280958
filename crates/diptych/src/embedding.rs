//! Embeddings: unit vectors, the only way from features to a similarity.
//!
//! `N`, `M` inputs, `D` embedding.

use diptych_kernels::Vectors;
use rayon::prelude::*;

use crate::{Error, Result};

/// Unit vectors `[N, D]`, one row an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    dim: usize,
    data: Vec<f32>,
}

impl Embeddings {
    /// No row yet, of width `dim`.
    pub fn empty(dim: usize) -> Self {
        let data = Vec::new();
        Self { dim, data }
    }

    /// Normalises features `[N, D]` and adds them as rows.
    ///
    /// # Errors
    /// As [`Embeddings::from_features`].
    pub fn push(&mut self, features: &[f32]) -> Result<()> {
        let more = Self::from_features(self.dim, features.to_vec())?;
        self.data.extend_from_slice(&more.data);
        Ok(())
    }

    /// Normalises features `[N, D]`; a row of zeros stays zero.
    ///
    /// # Errors
    /// [`Error::Dim`] if `dim` does not divide the number of features.
    pub fn from_features(dim: usize, features: Vec<f32>) -> Result<Self> {
        if !features.len().is_multiple_of(dim) {
            return Err(Error::Dim {
                got: features.len(),
                wanted: dim,
            });
        }
        Ok(Self::of_rows(dim, features))
    }

    /// Normalises rows of `dim` features each.
    pub(crate) fn of_rows(dim: usize, mut features: Vec<f32>) -> Self {
        for row in features.chunks_exact_mut(dim.max(1)) {
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
        self.data.len() / self.dim.max(1)
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
        self.data.chunks_exact(self.dim.max(1))
    }

    /// Cosines `[N, M]` of every row with every row of `other`, row by row.
    ///
    /// # Errors
    /// [`Error::Dim`] if the widths differ: two models' embeddings have no similarity.
    pub fn cosines(&self, other: &Self) -> Result<Vec<f32>> {
        self.check_same_dim(other)?;
        let mut cosines = vec![0.0; self.len() * other.len()];
        let rows = cosines.par_chunks_mut(other.len().max(1));
        rows.zip(self.data.par_chunks_exact(self.dim.max(1)))
            .for_each(|(out, query)| diptych_kernels::dots(query, Vectors::F32(&other.data), out));
        Ok(cosines)
    }

    /// The mean of each group of `size` rows, normalised again: prompt ensembling (paper, 3.1.4).
    ///
    /// # Errors
    /// [`Error::Dim`] if `size` does not divide the number of rows.
    pub fn means(&self, size: usize) -> Result<Self> {
        if !self.len().is_multiple_of(size) {
            return Err(Error::Dim {
                got: self.data.len(),
                wanted: size * self.dim,
            });
        }
        let mean = |group: &[f32]| -> Vec<f32> {
            let mut sum = vec![0f32; self.dim];
            for row in group.chunks_exact(self.dim) {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sum.iter_mut().for_each(|s| *s /= size as f32);
            sum
        };
        let groups = self.data.chunks_exact((size * self.dim).max(1));
        Ok(Self::of_rows(self.dim, groups.flat_map(mean).collect()))
    }

    /// Refuses embeddings of another width.
    pub(crate) fn check_same_dim(&self, other: &Self) -> Result<()> {
        if self.dim == other.dim {
            return Ok(());
        }
        Err(Error::Dim {
            got: other.dim,
            wanted: self.dim,
        })
    }
}
