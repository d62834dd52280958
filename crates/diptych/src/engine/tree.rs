//! Texts as paths of a prefix tree: where attention is causal, a token's keys and values depend on what is before it alone,
//! so texts that begin alike share the computation of their beginning.

use diptych_kernels::Paths;

use super::transformer::Reach;

/// Some texts, in the order of their tokens. Each node is a token at a place after certain others.
#[derive(Default)]
pub(super) struct Tree {
    /// The token of each node.
    pub(super) ids: Vec<u32>,
    /// Its place in the text.
    pub(super) places: Vec<usize>,
    /// From the first token to each node.
    pub(super) paths: Paths,
    /// Nodes where texts end, rising.
    pub(super) ends: Vec<usize>,
    /// From the first token to each of them.
    pub(super) end_paths: Paths,
    /// The number of each text that was added, and which of `ends` is its.
    pub(super) texts: Vec<(usize, usize)>,
    /// The nodes of the last text.
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

    /// What each node attends to: those before it.
    pub(super) fn reach(&self) -> Reach<'_> {
        Reach::Path {
            all: &self.paths,
            asked: &self.end_paths,
        }
    }

    /// Adds a text, whose tokens are not less than the last one's.
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
