//! Files with the same content, and pictures that are nearly the same.

use std::ops::{ControlFlow, Range};

use index::Store;
use kernels::Vectors;
use rayon::prelude::*;
use serde::Serialize;

use crate::{Embeddings, Result};

/// Pictures that are compared with all later ones at a time: near pairs of so many are in memory.
const BLOCK: usize = 256;

/// Groups of files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Duplicates {
    /// Files that are equal to the byte, largest groups first.
    pub exact: Vec<Group>,
    /// Files whose pictures are nearly the same, largest groups first; equal ones among them are listed here, too.
    pub near: Vec<Group>,
}

/// Files that are duplicates of each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Their paths, in order.
    pub paths: Vec<String>,
    /// The lowest cosine of two neighbours in the group; 1 where they are equal.
    pub cosine: f32,
}

/// Finds groups: pictures belong together if their cosine is at least `threshold`, or if a chain of such leads from one to
/// the other. Every picture is compared with every other, in memory.
///
/// # Errors
/// If the index can't be read.
pub fn duplicates(store: &dyn Store, threshold: f32) -> Result<Duplicates> {
    let mut rows = Embeddings::empty(store.model().dim);
    let mut files: Vec<Vec<String>> = Vec::new();
    store.each(&mut |item, of_item| {
        // Films are compared by their parts, not as a whole.
        if let ([moment], false) = (&item.moments[..], of_item.is_empty()) {
            rows.push(&moment.vector);
            files.push(of_item.into_iter().map(|file| file.path).collect());
        }
        ControlFlow::Continue(())
    })?;
    let equal = files.iter().filter(|paths| paths.len() > 1);
    let exact = equal.map(|paths| Group::new(paths.clone(), 1.0));
    let mut sets = Sets::new(files.len());
    for first in (0..rows.len()).step_by(BLOCK) {
        for (a, b, cosine) in pairs(&rows, first..rows.len().min(first + BLOCK), threshold) {
            sets.join(a, b, cosine);
        }
    }
    let near = sets.groups().into_iter().map(|(members, cosine)| {
        let paths = members.iter().flat_map(|&member| files[member].clone());
        Group::new(paths.collect(), cosine)
    });
    Ok(Duplicates {
        exact: largest_first(exact),
        near: largest_first(near),
    })
}

/// Which of `rows` are near to a later one, and how near.
fn pairs(rows: &Embeddings, some: Range<usize>, threshold: f32) -> Vec<(usize, usize, f32)> {
    let (dim, values) = (rows.dim(), rows.as_slice());
    let near_to = |a: usize| {
        let (row, later) = values[a * dim..].split_at(dim);
        let mut cosines = vec![0f32; rows.len() - a - 1];
        kernels::dots(row, Vectors::F32(later), &mut cosines);
        let near = cosines.into_iter().zip(a + 1..);
        near.filter(move |(cosine, _)| *cosine >= threshold)
            .map(move |(cosine, b)| (a, b, cosine))
    };
    some.into_par_iter().flat_map_iter(near_to).collect()
}

fn largest_first(groups: impl Iterator<Item = Group>) -> Vec<Group> {
    let mut groups: Vec<Group> = groups.collect();
    groups.sort_by(|a, b| (b.paths.len().cmp(&a.paths.len())).then(a.paths.cmp(&b.paths)));
    groups
}

impl Group {
    fn new(mut paths: Vec<String>, cosine: f32) -> Self {
        paths.sort_unstable();
        Self { paths, cosine }
    }
}

/// Sets of rows that are joined pair by pair.
struct Sets {
    parents: Vec<usize>,
    /// The lowest cosine that joined a set, at its root.
    cosines: Vec<f32>,
}

impl Sets {
    fn new(n: usize) -> Self {
        Self {
            parents: (0..n).collect(),
            cosines: vec![1.0; n],
        }
    }

    fn root(&mut self, mut row: usize) -> usize {
        while self.parents[row] != row {
            self.parents[row] = self.parents[self.parents[row]];
            row = self.parents[row];
        }
        row
    }

    fn join(&mut self, a: usize, b: usize, cosine: f32) {
        let (a, b) = (self.root(a), self.root(b));
        let lowest = cosine.min(self.cosines[a]).min(self.cosines[b]);
        self.parents[b] = a;
        self.cosines[a] = lowest;
    }

    /// The sets of more than one row.
    fn groups(&mut self) -> Vec<(Vec<usize>, f32)> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.parents.len()];
        for row in 0..self.parents.len() {
            let root = self.root(row);
            members[root].push(row);
        }
        let sets = members.into_iter().zip(&self.cosines);
        let sets = sets.filter(|(members, _)| members.len() > 1);
        sets.map(|(members, cosine)| (members, *cosine)).collect()
    }
}
