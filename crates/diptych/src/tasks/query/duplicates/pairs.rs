//! Every picture with every other: pairs that are near, and groups of them around a keeper.

use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

use index::File;
use kernels::Vectors;
use rayon::prelude::*;

use super::Copy;
use crate::Embeddings;
use crate::image::{DecodeOptions, Looks, PerceptualHash, Picture};

/// Rows that are compared with all later ones between two words to the caller.
const STEP: usize = 1024;

/// Rows that one thread compares with a tile at a time.
const BLOCK: usize = 32;

/// Bytes of a tile of rows, so that it stays in a core's own cache.
const TILE: usize = 1 << 17;

/// Side that suffices for a perceptual hash.
const SIDE: usize = 96;

/// A content that is compared.
pub(super) struct Content {
    pub(super) files: Vec<File>,
    pub(super) pixels: Option<(u64, u64)>,
    /// How it looks, as the index has it or, once it was asked for, as one of its files has it.
    looks: OnceLock<Option<Looks>>,
}

impl Content {
    pub(super) fn new(files: Vec<File>, pixels: Option<(u64, u64)>, looks: Option<Looks>) -> Self {
        Self {
            files,
            pixels,
            looks: looks.map_or_else(OnceLock::new, |looks| Some(looks).into()),
        }
    }

    /// Read from a file where the index does not know it: it was made before there were hashes, or elsewhere.
    fn looks(&self) -> Option<&Looks> {
        let read = |file: &File| {
            let picture = Picture::open_small(&file.path, SIDE, &DecodeOptions::default()).ok()?;
            Some(Looks::from(&PerceptualHash::of(&picture)))
        };
        let looks = self.looks.get_or_init(|| self.files.iter().find_map(read));
        looks.as_ref()
    }

    /// Whether it was asked how it looks, and nobody knew.
    pub(super) fn is_unseen(&self) -> bool {
        matches!(self.looks.get(), Some(None))
    }

    /// The file that stands for it.
    fn best(&self) -> Option<Copy> {
        let copies = self.files.iter().map(|file| Copy::new(file, self.pixels));
        copies.min_by(|a, b| a.rank().cmp(&b.rank()))
    }
}

/// Rows that are near to each other.
pub(super) struct Pairs {
    /// For each row the others, ascending.
    near: Vec<Vec<usize>>,
    /// Whether the search was stopped before its end.
    pub(super) interrupted: bool,
}

impl Pairs {
    pub(super) fn find(
        rows: &Embeddings,
        contents: &[Content],
        threshold: f32,
        watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Self {
        let n = rows.len();
        let mut near = vec![Vec::new(); n];
        let mut interrupted = false;
        for first in (0..n).step_by(STEP) {
            let last = n.min(first + STEP);
            let blocks: Vec<Range<usize>> = (first..last)
                .step_by(BLOCK)
                .map(|start| start..last.min(start + BLOCK))
                .collect();
            let pairs = blocks.into_par_iter().flat_map_iter(|block| {
                let likely = candidates(rows, block, threshold);
                likely.into_iter().filter(|&(a, b)| {
                    let looks = contents[a].looks().zip(contents[b].looks());
                    looks.is_some_and(|(a, b)| a.is_near(b))
                })
            });
            for (a, b) in pairs.collect::<Vec<_>>() {
                near[a].push(b);
                near[b].push(a);
            }
            interrupted = watch(last, n).is_break() && last < n;
            if interrupted {
                break;
            }
        }
        near.iter_mut().for_each(|others| others.sort_unstable());
        Self { near, interrupted }
    }

    /// Groups of rows, each around the best of them, to which all others are near. A row is in one group at the most.
    pub(super) fn around_keepers(&self, contents: &[Content]) -> Vec<Vec<usize>> {
        let rows = (0..contents.len()).filter(|&row| !self.near[row].is_empty());
        let mut best: Vec<(Copy, usize)> = rows
            .filter_map(|row| Some((contents[row].best()?, row)))
            .collect();
        best.sort_by(|(a, _), (b, _)| a.rank().cmp(&b.rank()));
        let mut is_grouped = vec![false; contents.len()];
        let mut groups = Vec::new();
        for (_, keeper) in best {
            if is_grouped[keeper] {
                continue;
            }
            let others = self.near[keeper].iter().filter(|&&row| !is_grouped[row]);
            let members: Vec<usize> = [&keeper].into_iter().chain(others).copied().collect();
            if members.len() > 1 {
                members.iter().for_each(|&row| is_grouped[row] = true);
                groups.push(members);
            }
        }
        groups
    }
}

/// Which of a block's rows have a cosine of at least `threshold` with which later rows.
fn candidates(rows: &Embeddings, block: Range<usize>, threshold: f32) -> Vec<(usize, usize)> {
    let (dim, values) = (rows.dim(), rows.as_slice());
    let tile = (TILE / (4 * dim)).max(1);
    let mut found = Vec::new();
    let mut cosines = vec![0f32; tile];
    for start in (block.start + 1..rows.len()).step_by(tile) {
        let end = rows.len().min(start + tile);
        for a in block.clone() {
            // Only later rows: each pair once.
            let start = start.max(a + 1);
            if start >= end {
                continue;
            }
            let cosines = &mut cosines[..end - start];
            let others = Vectors::F32(&values[start * dim..end * dim]);
            kernels::dots(&values[a * dim..(a + 1) * dim], others, cosines);
            let near = cosines.iter().zip(start..);
            found.extend(
                near.filter(|(cosine, _)| **cosine >= threshold)
                    .map(|(_, b)| (a, b)),
            );
        }
    }
    found
}
