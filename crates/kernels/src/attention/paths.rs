//! Attention along the paths of a tree, for inference: texts that begin alike share the keys and
//! values of what they share.
//!
//! `T` nodes, `Q` of them with queries, `W` width, `H` heads, `D` = W / H.

use std::ops::Range;

use super::Heads;
use super::head::{Attended, Head, QUERIES};
use crate::buffer::for_each_rectangle;
use crate::element::Float;
use crate::isa::Isa;
use crate::row::soften;
use crate::rows::{Data, Rows};
use crate::vectorised::vectorised;

/// Runs of so many queries or more attend together; in shorter ones each query attends alone.
const TOGETHER: usize = 6;

/// The nodes that each query attends to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    nodes: Vec<u32>,
    /// The end of each query's path in `nodes`; it begins where the one before ends.
    ends: Vec<usize>,
    /// First query of each run. In a run each path is the one before with one more node: `1`, then
    /// `1 2`, then `1 2 5`.
    runs: Vec<usize>,
    /// One more than the highest node of any path.
    bound: usize,
}

impl Paths {
    /// Takes all paths away and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.runs.clear();
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
        let query = self.len() - 1;
        let goes_on = self.runs.last().is_some_and(|&run| {
            let [before, path] = [query - 1, query].map(|query| self.get(query));
            query - run < QUERIES && path.split_last().is_some_and(|(_, rest)| rest == before)
        });
        if !goes_on {
            self.runs.push(query);
        }
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

    /// Attention of queries `[Q, W]` along their paths to the nodes' keys and values `[T, 2 W]`,
    /// keys first, into `out` `[Q, W]`.
    ///
    /// # Panics
    /// If the lengths do not fit the paths, `width` and `heads`, or each other, or the formats
    /// differ; in bf16, if a head's width is odd.
    pub fn attend(&self, shape: Heads, queries: &Rows, keys_values: &Rows, out: &mut Rows) {
        let isa = Isa::current();
        match (&queries.0, &keys_values.0, &mut out.0) {
            (Data::F32(queries), Data::F32(keys_values), Data::F32(out)) => {
                self.attend_with(isa, shape, [queries, keys_values], out);
            }
            (Data::Bf16(queries), Data::Bf16(keys_values), Data::Bf16(out)) => {
                self.attend_with(isa, shape, [queries, keys_values], out);
            }
            _ => panic!("queries, keys and result in several formats"),
        }
    }

    pub(crate) fn attend_with<F: Attended>(
        &self,
        isa: Isa,
        Heads { width, heads }: Heads,
        [queries, keys_values]: [&[F]; 2],
        out: &mut [F],
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
        assert!(
            (width / heads).is_multiple_of(F::STEP),
            "heads of whole steps"
        );
        let given = [queries, keys_values];
        self.for_each_run(0..self.runs.len(), width, out, &|run, out| {
            if run.len() >= TOGETHER {
                self.together(isa, Heads { width, heads }, run, given, out)
            } else {
                self.alone(isa, Heads { width, heads }, run, given, out)
            }
        });
    }

    /// The queries of a run.
    fn run(&self, i: usize) -> Range<usize> {
        self.runs[i]..*self.runs.get(i + 1).unwrap_or(&self.len())
    }

    /// Calls `f` for runs with their rows of `out`, in parallel.
    fn for_each_run<F: Send>(
        &self,
        runs: Range<usize>,
        width: usize,
        out: &mut [F],
        f: &(impl Fn(Range<usize>, &mut [F]) + Sync),
    ) {
        match runs.len() {
            0 => {}
            1 => f(self.run(runs.start), out),
            n => {
                let middle = runs.start + n / 2;
                let rows = self.run(middle).start - self.run(runs.start).start;
                let (left, right) = out.split_at_mut(rows * width);
                rayon::join(
                    || self.for_each_run(runs.start..middle, width, left, f),
                    || self.for_each_run(middle..runs.end, width, right, f),
                );
            }
        }
    }

    /// Attention of a run's queries together, head by head through the tiles. Each path is a
    /// beginning of the last query's path.
    fn together<F: Attended>(
        &self,
        isa: Isa,
        Heads { width, heads }: Heads,
        run: Range<usize>,
        [queries, keys_values]: [&[F]; 2],
        out: &mut [F],
    ) {
        let d = width / heads;
        let path = self.get(run.end - 1);
        let reach = self.get(run.start).len();
        let shape = [width, run.len(), heads];
        for_each_rectangle(
            out,
            shape,
            |h| h * d,
            |_, h, mut out| {
                let head = Head {
                    queries: &queries[run.start * width..],
                    keys_values,
                    width,
                    columns: h * d..(h + 1) * d,
                };
                let node = |j: usize| path[j] as usize;
                head.attend(isa, (path.len(), node), [reach, 1], None, &mut out);
            },
        );
    }

    /// Attention of a run's queries one by one.
    fn alone<F: Attended>(
        &self,
        isa: Isa,
        Heads { width, heads }: Heads,
        run: Range<usize>,
        [queries, keys_values]: [&[F]; 2],
        out: &mut [F],
    ) {
        F::with_scratch(|scratch| {
            for (query, out) in run.zip(out.chunks_exact_mut(width)) {
                let path = self.get(query);
                scratch.scores.resize(path.len(), 0.0);
                let query = &queries[query * width..][..width];
                along(
                    isa,
                    heads,
                    path,
                    [query, keys_values],
                    &mut scratch.scores,
                    out,
                );
            }
        });
    }
}

vectorised! {
    fn along<F: Float>(
        heads: usize,
        path: &[u32],
        given: [&[F]; 2],
        scores: &mut [f32],
        out: &mut [F],
    ) {
        let [query, keys_values] = given;
        let (w, d) = (query.len(), query.len() / heads);
        for h in 0..heads {
            let query = &query[h * d..][..d];
            let out = &mut out[h * d..][..d];
            let [keys, values] = [h * d, w + h * d].map(|first| &keys_values[first..]);
            // The width of a head in all published models: known, it stays in registers.
            match (query.as_array::<64>(), out.as_mut_array::<64>()) {
                (Some(query), Some(out)) => {
                    let query = query.map(F::value);
                    for (score, &node) in scores.iter_mut().zip(path) {
                        *score = dot(&query, array(keys, node as usize * 2 * w));
                    }
                    soften(1.0 / 8.0, scores);
                    let mut sums = [0f32; 64];
                    for (p, &node) in scores.iter().zip(path) {
                        let value: &[F; 64] = array(values, node as usize * 2 * w);
                        for i in 0..64 {
                            sums[i] += p * value[i].value();
                        }
                    }
                    *out = sums.map(F::of);
                }
                _ => {
                    for (score, &node) in scores.iter_mut().zip(path) {
                        let key = &keys[node as usize * 2 * w..][..d];
                        *score = query.iter().zip(key).map(|(q, k)| q.value() * k.value()).sum();
                    }
                    soften(1.0 / (d as f32).sqrt(), scores);
                    for (i, out) in out.iter_mut().enumerate() {
                        let value = |node: u32| values[node as usize * 2 * w + i].value();
                        let shares = scores.iter().zip(path);
                        *out = F::of(shares.map(|(p, &node)| p * value(node)).sum());
                    }
                }
            }
        }
    }
}

/// `N` values from a place on.
#[inline(always)]
fn array<F, const N: usize>(values: &[F], place: usize) -> &[F; N] {
    values[place..]
        .first_chunk()
        .expect("checked by `attend_with`")
}

/// Dot product, summed in sixteen lanes, then by halves.
#[inline(always)]
fn dot<F: Float>(a: &[f32; 64], b: &[F; 64]) -> f32 {
    let mut s = [0f32; 16];
    for part in 0..4 {
        for i in 0..16 {
            s[i] += a[16 * part + i] * b[16 * part + i].value();
        }
    }
    let s: [f32; 8] = std::array::from_fn(|i| s[i] + s[i + 8]);
    let s: [f32; 4] = std::array::from_fn(|i| s[i] + s[i + 4]);
    (s[0] + s[2]) + (s[1] + s[3])
}
