//! Texts as paths of a prefix tree: where attention is causal, a token's keys and values depend on
//! what is before it alone, so texts that begin alike share the computation of their beginning.

use diptych_kernels::Paths;

use super::transformer::Reach;

/// A prefix tree of some texts. A node is a token after certain others, so texts share the nodes of
/// a common beginning: `1 2 4` and `1 2 5` have four nodes together.
#[derive(Default)]
pub(super) struct Tree {
    /// The token of each node.
    pub(super) ids: Vec<u32>,
    /// The place of each node in its texts.
    pub(super) places: Vec<usize>,
    /// The path from the first token to each node, included.
    pub(super) paths: Paths,
    /// Nodes where texts end, rising.
    pub(super) ends: Vec<usize>,
    /// The path from the first token to each of `ends`, included.
    pub(super) end_paths: Paths,
    /// For each text that was added: its number, and the index of its end in `ends`.
    pub(super) texts: Vec<(usize, usize)>,
    /// The path of the text that was added last.
    trail: Vec<u32>,
}

impl Tree {
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.places.clear();
        self.paths.clear();
        self.ends.clear();
        self.end_paths.clear();
        self.texts.clear();
        self.trail.clear();
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The tokens that each node attends to: itself and those before it.
    pub(super) fn reach(&self) -> Reach<'_> {
        Reach::Path {
            all: &self.paths,
            asked: &self.end_paths,
        }
    }

    /// Adds a text that sorts after the one added last, or is equal to it.
    pub(super) fn push(&mut self, text: usize, tokens: &[u32]) {
        let before = self.trail.iter().map(|&node| self.ids[node as usize]);
        let shared = before.zip(tokens).take_while(|(a, b)| a == *b).count();
        self.trail.truncate(shared);
        for (place, &id) in tokens.iter().enumerate().skip(shared) {
            self.trail.push(self.ids.len() as u32);
            self.ids.push(id);
            self.places.push(place);
            self.paths.push(self.trail.iter().copied());
        }
        let end = self.trail.last().map_or(0, |&node| node as usize);
        if self.ends.last() != Some(&end) {
            self.ends.push(end);
            self.end_paths.push(self.trail.iter().copied());
        }
        self.texts.push((text, self.ends.len() - 1));
    }
}
