//! Which texts of a batch are true of which pictures.
//!
//! The paper takes a picture's own text for the only true one. Where texts are class names, others
//! of the batch are as true: the class's other names, the same words. What kind of thing it is (a
//! hypernym) is true as well, and not to be preferred or avoided.

/// A text's relation to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It says something else.
    Negative,
    /// It says something else, of a picture of another set: it takes no part in a softmax.
    Apart,
    /// It is true, but says more or less than the picture's own text: it takes no part in a
    /// softmax.
    Ignored,
    /// It says the same as the picture's own text.
    Positive,
}

/// For `N` pairs, what text `j` is to picture `i`: `[N, N]`. A pair's own text is a positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positives {
    n: usize,
    of: Vec<Relation>,
}

impl Positives {
    /// For `n` pairs: text `j` is to picture `i` what `relation(i, j)` says, for `i ≠ j`.
    pub fn new(n: usize, relation: impl Fn(usize, usize) -> Relation) -> Self {
        let places = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let of = places.map(|(i, j)| {
            if i == j {
                Relation::Positive
            } else {
                relation(i, j)
            }
        });
        Self {
            n,
            of: of.collect(),
        }
    }

    /// Pairs of the same group have texts that say the same of each other's pictures.
    #[cfg(test)]
    pub(super) fn of_groups(groups: &[u64]) -> Self {
        Self::new(groups.len(), |i, j| {
            if groups[i] == groups[j] {
                Relation::Positive
            } else {
                Relation::Negative
            }
        })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// The relation of text `j` to picture `i`.
    pub fn relation(&self, i: usize, j: usize) -> Relation {
        self.of[i * self.n + j]
    }

    /// Whether text `j` is true of picture `i`.
    pub fn is_true(&self, i: usize, j: usize) -> bool {
        matches!(self.relation(i, j), Relation::Positive | Relation::Ignored)
    }

    /// Targets of the similarities of pictures to texts, each row a distribution over the texts,
    /// and of texts to pictures, each column one over the pictures: `[N, N]` both. What is ignored
    /// has no share.
    pub(super) fn targets(&self) -> [Vec<f32>; 2] {
        let n = self.n;
        let mut rows = vec![0f32; n];
        let mut columns = vec![0f32; n];
        let places = || (0..n * n).filter(|&k| self.of[k] == Relation::Positive);
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

    /// A mask to add to similarities, so that what is ignored takes no part in a softmax `[N, N]`;
    /// nothing, if all take part.
    pub(super) fn mask(&self) -> Option<Vec<f32>> {
        let ignored = |r: &Relation| matches!(r, Relation::Ignored | Relation::Apart);
        self.of.iter().any(ignored).then(|| {
            let out = |r| if ignored(r) { OUT } else { 0.0 };
            self.of.iter().map(out).collect()
        })
    }
}

/// Far below every logit, which CLIP bounds by 100, and still a number: times a target of 0 it is
/// 0.
const OUT: f32 = -1e4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_share_a_row_and_a_column_among_what_is_true() {
        // Text 1 ("a tabby cat") is true of picture 0 (a tabby); text 0 ("a cat that sleeps") is
        // not of picture 1.
        let positives = Positives::new(2, |i, j| match (i, j) {
            (0, 1) => Relation::Positive,
            _ => Relation::Negative,
        });
        let [of_images, of_texts] = positives.targets();
        assert_eq!(of_images, [0.5, 0.5, 0.0, 1.0]);
        assert_eq!(of_texts, [1.0, 0.5, 0.0, 0.5]);
        assert_eq!(positives.mask(), None);
        let positives = Positives::new(2, |i, j| match (i, j) {
            (0, 1) => Relation::Ignored,
            _ => Relation::Negative,
        });
        assert_eq!(positives.mask(), Some(vec![0.0, OUT, 0.0, 0.0]));
        // What is apart is left out as well, but not true.
        let positives = Positives::new(2, |i, j| match (i, j) {
            (0, 1) => Relation::Apart,
            _ => Relation::Ignored,
        });
        assert_eq!(positives.mask(), Some(vec![0.0, OUT, OUT, 0.0]));
        assert!(!positives.is_true(0, 1) && positives.is_true(1, 0));
        let groups = Positives::of_groups(&[7, 8, 7]);
        assert!(groups.is_true(0, 2) && groups.is_true(2, 0) && !groups.is_true(0, 1));
    }
}
