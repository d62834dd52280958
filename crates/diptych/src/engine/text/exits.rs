//! Features of every token.

use super::{Reach, TOKENS, TextTower, Tree, Workspace};
use crate::model::{Finish, TextExit};
use crate::text::Tokens;

impl TextTower {
    /// Features `[N, L, C]` at an exit; nothing is computed of what follows a text's end, if nothing is read there.
    pub(in crate::engine) fn exit(
        &self,
        tokens: &Tokens,
        exit: TextExit,
        channels: usize,
        workspace: &mut Workspace,
    ) -> Vec<f32> {
        let l = tokens.context_length();
        let mut features = vec![0f32; tokens.len() * l * channels];
        if self.reading.is_causal {
            self.exit_tree(tokens, exit, channels, workspace, &mut features);
            return features;
        }
        let chunk = (TOKENS / l).max(1) * l;
        let chunks = tokens.ids().chunks(chunk);
        for (ids, features) in chunks.zip(features.chunks_mut(chunk * channels)) {
            self.embed(ids, |place| place % l, workspace);
            self.blocks(exit, &Reach::Input(ids.len() / l), workspace);
            features.copy_from_slice(&self.finish(exit.finish, workspace));
        }
        features
    }

    fn exit_tree(
        &self,
        tokens: &Tokens,
        exit: TextExit,
        channels: usize,
        workspace: &mut Workspace,
        features: &mut [f32],
    ) {
        let l = tokens.context_length();
        let reads_padding = self.reading.reads_padding();
        let texts: Vec<&[u32]> = tokens
            .rows()
            .map(|row| {
                if reads_padding {
                    row
                } else {
                    &row[..=self.reading.end(row)]
                }
            })
            .collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_unstable_by_key(|&text| (texts[text], text));
        let (mut tree, mut trails) = (Tree::default(), Vec::new());
        let mut order = order.into_iter().peekable();
        while let Some(text) = order.next() {
            tree.push(text, texts[text]);
            trails.push((text, tree.trail().to_vec()));
            if tree.len() < TOKENS && order.peek().is_some() {
                continue;
            }
            self.embed(&tree.ids, |node| tree.places[node], workspace);
            let reach = Reach::Path {
                all: &tree.paths,
                asked: &tree.end_paths,
            };
            self.blocks(exit, &reach, workspace);
            let nodes = self.finish(exit.finish, workspace);
            for (text, trail) in trails.drain(..) {
                let rows = features[text * l * channels..].chunks_exact_mut(channels);
                for (row, node) in rows.zip(trail) {
                    row.copy_from_slice(&nodes[node as usize * channels..][..channels]);
                }
            }
            tree.clear();
        }
    }

    fn blocks(&self, exit: TextExit, reach: &Reach, workspace: &mut Workspace) {
        for block in 0..=exit.after {
            self.transformer.apply_block(block, workspace, reach);
        }
    }

    /// The tokens in `x` `[T, W]`, finished: `[T, C]`.
    fn finish(&self, finish: Finish, workspace: &mut Workspace) -> Vec<f32> {
        match finish {
            Finish::None => workspace.x.clone(),
            Finish::Norm => self.ln_final.of(&workspace.x),
            Finish::Project => self.project(workspace).to_vec(),
        }
    }
}
