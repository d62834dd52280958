//! Every picture with every other: groups of contents that are near to a keeper.

use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

use diptych_files::unspell;
use diptych_index::File;
use diptych_kernels::Vectors;
use rayon::prelude::*;

use super::Member;
use diptych::Embeddings;
use diptych::image::{DecodeOptions, Looks, PerceptualHash, Picture};

/// Contents that are compared with all later ones before those that are near are taken aside.
const STEP: usize = 256;

/// Contents that one thread compares with a tile at a time.
const BLOCK: usize = 32;

/// Bytes of a tile of rows, so that it stays in a core's own cache.
const TILE: usize = 1 << 17;

/// Shorter side that suffices for a perceptual hash.
const SIDE: usize = 96;

/// A content that is compared.
pub(super) struct Compared {
    /// Its files, the one to be kept first; at least one.
    pub(super) members: Vec<Member>,
    /// `[D]`.
    pub(super) vector: Vec<f32>,
    /// Hash of how it looks: the index's, or once it was asked for, that of one of its files.
    looks: OnceLock<Option<Looks>>,
}

impl Compared {
    pub(super) fn new(
        files: Vec<File>,
        pixels: Option<(u64, u64)>,
        vector: Vec<f32>,
        looks: Option<Looks>,
    ) -> Self {
        let mut members: Vec<Member> = files.iter().map(|file| Member::new(file, pixels)).collect();
        members.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Self {
            members,
            vector,
            looks: looks.map_or_else(OnceLock::new, |looks| Some(looks).into()),
        }
    }

    /// The file that stands for it.
    pub(super) fn best(&self) -> &Member {
        &self.members[0]
    }

    /// Read from a file where the index does not know it: it was made before there were hashes, or
    /// elsewhere.
    fn looks(&self, options: &DecodeOptions) -> Option<&Looks> {
        let read = |file: &Member| {
            let picture = Picture::open_small(unspell(&file.path), SIDE, options).ok()?;
            Some(Looks::from(&PerceptualHash::of(&picture)))
        };
        let looks = self
            .looks
            .get_or_init(|| self.members.iter().find_map(read));
        looks.as_ref()
    }

    /// Whether it was asked how it looks, and nobody knew.
    pub(super) fn is_unseen(&self) -> bool {
        matches!(self.looks.get(), Some(None))
    }
}

/// Groups of rows, the keeper first, and whether `watch` stopped before all were found. A row is in
/// one group at the most.
pub(super) fn find(
    rows: &Embeddings,
    contents: &[Compared],
    (threshold, options): (f32, &DecodeOptions),
    watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> (Vec<Vec<usize>>, bool) {
    let n = rows.len();
    let mut is_grouped = vec![false; n];
    let mut groups = Vec::new();
    for first in (0..n).step_by(STEP) {
        let last = n.min(first + STEP);
        let blocks: Vec<Range<usize>> = (first..last)
            .step_by(BLOCK)
            .map(|start| start..last.min(start + BLOCK))
            .collect();
        let near = blocks.into_par_iter().flat_map_iter(|block| {
            let likely = candidates(rows, block, threshold, &is_grouped);
            likely.into_iter().filter(|&(a, b)| {
                let looks = contents[a].looks(options).zip(contents[b].looks(options));
                looks.is_some_and(|(a, b)| a.is_near(b))
            })
        });
        let mut near: Vec<(usize, usize)> = near.collect();
        near.sort_unstable();
        for pairs in near.chunk_by(|(a, _), (b, _)| a == b) {
            let keeper = pairs[0].0;
            if is_grouped[keeper] {
                continue;
            }
            let others = pairs.iter().map(|(_, row)| *row);
            let others = others.filter(|&row| !is_grouped[row]);
            let group: Vec<usize> = [keeper].into_iter().chain(others).collect();
            if group.len() > 1 {
                group.iter().for_each(|&row| is_grouped[row] = true);
                groups.push(group);
            }
        }
        if watch(last, n).is_break() && last < n {
            return (groups, true);
        }
    }
    (groups, false)
}

/// Finds pairs of a row of the block and a later row whose cosine is at least `threshold`; neither
/// row is in a group yet.
fn candidates(
    rows: &Embeddings,
    block: Range<usize>,
    threshold: f32,
    is_grouped: &[bool],
) -> Vec<(usize, usize)> {
    let (dim, values) = (rows.dim(), rows.as_slice());
    let tile = (TILE / (4 * dim)).max(1);
    let mut found = Vec::new();
    let mut cosines = vec![0f32; tile];
    for start in (block.start + 1..rows.len()).step_by(tile) {
        let end = rows.len().min(start + tile);
        for a in block.clone().filter(|&a| !is_grouped[a]) {
            // Only later rows: each pair once.
            let start = start.max(a + 1);
            if start >= end {
                continue;
            }
            let cosines = &mut cosines[..end - start];
            let others = Vectors::F32(&values[start * dim..end * dim]);
            diptych_kernels::dots(&values[a * dim..(a + 1) * dim], others, cosines);
            let near = cosines.iter().zip(start..);
            let near = near.filter(|(cosine, b)| **cosine >= threshold && !is_grouped[*b]);
            found.extend(near.map(|(_, b)| (a, b)));
        }
    }
    found
}

/// The lowest cosine of any two of these rows.
pub(super) fn lowest_cosine(rows: &Embeddings, members: &[usize]) -> f32 {
    let dim = rows.dim();
    let row = |i: usize| &rows.as_slice()[i * dim..][..dim];
    let all: Vec<f32> = members.iter().flat_map(|&i| row(i)).copied().collect();
    let lowest_of = |i: usize| {
        let mut cosines = vec![0f32; members.len() - i];
        diptych_kernels::dots(row(members[i]), Vectors::F32(&all[i * dim..]), &mut cosines);
        cosines.into_iter().fold(1.0, f32::min)
    };
    let lowest = (0..members.len()).into_par_iter().map(lowest_of);
    lowest.reduce(|| 1.0, f32::min)
}
