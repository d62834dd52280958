//! The text tower.
//!
//! `N` texts, `L` context length, `T` tokens that are computed, `W` width, `D` embedding.

mod exits;

use diptych_kernels::Linear;
use rayon::prelude::*;

use super::loader::{Loader, Norm};
use super::transformer::{Reach, Transformer, Workspace};
use super::tree::Tree;
use crate::Result;
use crate::model::{ClipConfig, Reading};
use crate::text::Tokens;

/// Tokens that go through the blocks at a time; a batch may exceed this by less than one text.
const TOKENS: usize = 2048;

pub(super) struct TextTower {
    width: usize,
    /// `[V, W]`.
    token_embedding: Vec<f32>,
    /// `[L, W]`.
    positions: Vec<f32>,
    transformer: Transformer,
    ln_final: Norm,
    projection: Linear,
    reading: Reading,
}

impl TextTower {
    pub(super) fn load(loader: &mut Loader, config: &ClipConfig) -> Result<Self> {
        let text = &config.text_cfg;
        let options = config.text_blocks();
        let shape = [text.layers, text.width, text.heads];
        Ok(Self {
            width: text.width,
            token_embedding: loader.tensor("token_embedding.weight")?,
            positions: loader.tensor("positional_embedding")?,
            transformer: Transformer::load(loader, "transformer", shape, options)?,
            ln_final: loader.norm("ln_final", options.epsilon)?,
            projection: if text.proj_bias {
                loader.projection_with_bias("text_projection")?
            } else {
                loader.projection("text_projection", config.embed_dim)?
            },
            reading: config.reading(),
        })
    }

    /// Features `[N, D]`.
    pub(super) fn encode(&self, tokens: &Tokens, workspace: &mut Workspace) -> Vec<f32> {
        let mut features = vec![0f32; tokens.len() * self.projection.outputs()];
        if self.reading.is_causal {
            self.encode_tree(tokens, workspace, &mut features)
        } else {
            self.encode_whole(tokens, workspace, &mut features)
        }
        features
    }

    /// Encodes texts in a causal tower, where nothing after the end is read.
    fn encode_tree(&self, tokens: &Tokens, workspace: &mut Workspace, features: &mut [f32]) {
        self.for_each_tree(tokens, |tree| {
            self.embed(&tree.ids, |node| tree.places[node], workspace);
            self.transformer
                .apply(workspace, &tree.reach(), Some(&tree.ends));
            let ends = self.project(workspace);
            let d = self.projection.outputs();
            for &(text, end) in &tree.texts {
                features[text * d..][..d].copy_from_slice(&ends[end * d..][..d]);
            }
        });
    }

    /// Sorts the texts by their tokens, so that those that begin alike are neighbours, and calls
    /// `f` with a tree of some texts at a time.
    fn for_each_tree(&self, tokens: &Tokens, mut f: impl FnMut(&Tree)) {
        let texts: Vec<&[u32]> = tokens
            .rows()
            .map(|row| &row[..=self.reading.end(row)])
            .collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.par_sort_unstable_by_key(|&text| (texts[text], text));
        let mut tree = Tree::default();
        let mut order = order.into_iter().peekable();
        while let Some(text) = order.next() {
            tree.push(text, texts[text]);
            if tree.len() < TOKENS && order.peek().is_some() {
                continue;
            }
            f(&tree);
            tree.clear();
        }
    }

    /// Encodes texts that are read with their padding: every token attends to all of the context.
    fn encode_whole(&self, tokens: &Tokens, workspace: &mut Workspace, features: &mut [f32]) {
        let l = tokens.context_length();
        let chunk = (TOKENS / l).max(1);
        let features = features.chunks_mut(chunk * self.projection.outputs());
        for (ids, features) in tokens.ids().chunks(chunk * l).zip(features) {
            self.embed(ids, |place| place % l, workspace);
            let rows = ids.chunks_exact(l).enumerate();
            let ends: Vec<usize> = rows.map(|(i, row)| i * l + self.reading.end(row)).collect();
            self.transformer
                .apply(workspace, &Reach::Input(ends.len()), Some(&ends));
            features.copy_from_slice(self.project(workspace));
        }
    }

    /// Sets `x` `[T, W]` to the embeddings of tokens plus those of their places in the text.
    fn embed(&self, ids: &[u32], place: impl Fn(usize) -> usize, workspace: &mut Workspace) {
        let w = self.width;
        workspace.x.resize(ids.len() * w, 0.0);
        for (i, (x, &id)) in workspace.x.chunks_exact_mut(w).zip(ids).enumerate() {
            let token = &self.token_embedding[id as usize * w..][..w];
            let place = &self.positions[place(i) * w..][..w];
            for ((x, token), place) in x.iter_mut().zip(token).zip(place) {
                *x = token + place;
            }
        }
    }

    /// The features of the rows of `x`.
    fn project<'a>(&self, workspace: &'a mut Workspace) -> &'a [f32] {
        let Workspace { x, aside, .. } = workspace;
        let rows = x.len() / self.width;
        aside.resize(rows * self.projection.outputs(), 0.0);
        self.ln_final.project(x, &self.projection, aside);
        aside
    }
}
