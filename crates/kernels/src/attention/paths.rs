//! Attention along the paths of a tree, for inference: texts that begin alike share the keys and values of what they
//! share.
//!
//! `T` nodes, `Q` of them with queries, `W` width, `H` heads, `D` = W / H.

use rayon::prelude::*;

use super::dense::softmax;
use crate::isa::Isa;
use crate::vectorised::vectorised;

/// Queries that one task takes.
const TASK: usize = 16;

/// The nodes that each query attends to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    nodes: Vec<u32>,
    /// Where each query's path ends in `nodes`; it begins where the one before ends.
    ends: Vec<usize>,
    /// The highest node of any path, and one.
    bound: usize,
}

impl Paths {
    /// Takes all paths away and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.bound = 0;
    }

    /// Adds the path of one more query, which has at least one node.
    ///
    /// # Panics
    /// If it has none.
    pub fn push(&mut self, path: impl IntoIterator<Item = u32>) {
        let before = self.nodes.len();
        self.nodes.extend(path);
        assert!(self.nodes.len() > before, "an empty path");
        let highest = self.nodes[before..]
            .iter()
            .max()
            .map_or(0, |&node| node as usize + 1);
        self.bound = self.bound.max(highest);
        self.ends.push(self.nodes.len());
    }

    /// Number of paths, `Q`.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One path.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn get(&self, query: usize) -> &[u32] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.nodes[start..self.ends[query]]
    }

    /// What queries `[Q, W]` find along their paths among nodes' keys and values `[T, 2 W]`, keys first: `out` `[Q, W]`.
    ///
    /// # Panics
    /// If the lengths do not fit the paths, `width` and `heads`, or each other.
    pub fn attend(
        &self,
        [width, heads]: [usize; 2],
        queries: &[f32],
        keys_values: &[f32],
        out: &mut [f32],
    ) {
        self.attend_with(Isa::current(), [width, heads], queries, keys_values, out);
    }

    pub(crate) fn attend_with(
        &self,
        isa: Isa,
        [width, heads]: [usize; 2],
        queries: &[f32],
        keys_values: &[f32],
        out: &mut [f32],
    ) {
        assert!(
            heads > 0 && width > 0 && width.is_multiple_of(heads),
            "heads"
        );
        let len = self.len() * width;
        assert!(queries.len() == len && out.len() == len, "queries");
        assert!(
            keys_values.len() >= self.bound * 2 * width,
            "keys and values"
        );
        let tasks = out
            .par_chunks_mut(TASK * width)
            .zip(queries.par_chunks(TASK * width));
        tasks
            .enumerate()
            .for_each_init(Vec::new, |scores, (task, (out, queries))| {
                let rows = out.chunks_exact_mut(width).zip(queries.chunks_exact(width));
                for (i, (out, query)) in rows.enumerate() {
                    let path = self.get(task * TASK + i);
                    scores.resize(path.len(), 0.0);
                    along(isa, heads, path, [query, keys_values], scores, out);
                }
            });
    }
}

/// Values that are multiplied at a time.
const LANES: usize = 16;

vectorised! {
    fn along(
        heads: usize,
        path: &[u32],
        given: [&[f32]; 2],
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let [query, keys_values] = given;
        let w = query.len();
        let d = w / heads;
        let scale = 1.0 / (d as f32).sqrt();
        for h in 0..heads {
            let query = &query[h * d..][..d];
            for (score, &node) in scores.iter_mut().zip(path) {
                *score = dot(query, &keys_values[node as usize * 2 * w + h * d..][..d]);
            }
            softmax(scale, scores);
            let out = &mut out[h * d..][..d];
            out.fill(0.0);
            for (p, &node) in scores.iter().zip(path) {
                let value = &keys_values[node as usize * 2 * w + w + h * d..][..d];
                for i in 0..d {
                    out[i] += p * value[i];
                }
            }
        }
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let mut rest = 0f32;
    for (a, b) in rest_a.iter().zip(rest_b) {
        rest += a * b;
    }
    // By halves, which keeps to registers.
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0] + rest
}
