//! Which texts of a batch are true of which pictures.
//!
//! The paper takes a picture's own text for the only true one. Where texts are class names, others of
//! the batch are as true: the class's other names, what kind of thing it is, the same words.

/// For `N` pairs, whether text `j` is true of picture `i`: `[N, N]`. A pair's own text always is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positives {
    n: usize,
    of: Vec<bool>,
}

impl Positives {
    /// For `n` pairs: text `j` is true of picture `i` if `i == j` or `is_true(i, j)`.
    pub fn new(n: usize, is_true: impl Fn(usize, usize) -> bool) -> Self {
        let places = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let of = places.map(|(i, j)| i == j || is_true(i, j)).collect();
        Self { n, of }
    }

    /// Pairs of the same group have texts that are true of each other's pictures.
    #[cfg(test)]
    pub(super) fn of_groups(groups: &[u64]) -> Self {
        Self::new(groups.len(), |i, j| groups[i] == groups[j])
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Whether text `j` is true of picture `i`.
    pub fn is_true(&self, i: usize, j: usize) -> bool {
        self.of[i * self.n + j]
    }

    /// What the similarities of pictures to texts should be, each row a distribution over the texts,
    /// and of texts to pictures, each column one over the pictures: `[N, N]` both.
    pub(super) fn targets(&self) -> [Vec<f32>; 2] {
        let n = self.n;
        let mut rows = vec![0f32; n];
        let mut columns = vec![0f32; n];
        let places = || (0..n * n).filter(|&k| self.of[k]);
        for k in places() {
            rows[k / n] += 1.0;
            columns[k % n] += 1.0;
        }
        let share = |counts: &[f32], index: fn(usize, usize) -> usize| {
            let mut targets = vec![0f32; n * n];
            places().for_each(|k| targets[k] = 1.0 / counts[index(k, n)]);
            targets
        };
        [share(&rows, |k, n| k / n), share(&columns, |k, n| k % n)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_share_a_row_and_a_column_among_what_is_true() {
        // Text 1 ("an animal") is true of picture 0 (a cat); text 0 ("a cat") is not of picture 1.
        let positives = Positives::new(2, |i, j| (i, j) == (0, 1));
        let [of_images, of_texts] = positives.targets();
        assert_eq!(of_images, [0.5, 0.5, 0.0, 1.0]);
        assert_eq!(of_texts, [1.0, 0.5, 0.0, 0.5]);
        let groups = Positives::of_groups(&[7, 8, 7]);
        assert!(groups.is_true(0, 2) && groups.is_true(2, 0) && !groups.is_true(0, 1));
    }
}
