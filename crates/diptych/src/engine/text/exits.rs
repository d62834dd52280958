//! Features of every token.

use super::{Reach, TOKENS, TextTower, Workspace};
use crate::model::{Finish, TextExit};
use crate::text::Tokens;

impl TextTower {
    /// Features `[N, L, C]` at an exit. In a causal tower, tokens after the place where a text is
    /// read are not computed; their features are 0.
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
        self.for_each_tree(tokens, |tree| {
            self.embed(&tree.ids, |node| tree.places[node], workspace);
            self.blocks(exit, &tree.reach(), workspace);
            let nodes = self.finish(exit.finish, workspace);
            for &(text, end) in &tree.texts {
                let rows = features[text * l * channels..].chunks_exact_mut(channels);
                for (row, &node) in rows.zip(tree.end_paths.get(end)) {
                    row.copy_from_slice(&nodes[node as usize * channels..][..channels]);
                }
            }
        });
    }

    fn blocks(&self, exit: TextExit, reach: &Reach, workspace: &mut Workspace) {
        for block in 0..=exit.after {
            self.transformer.apply_block(block, workspace, reach);
        }
    }

    /// Applies `finish` to the tokens in `x` `[T, W]`: `[T, C]`.
    fn finish(&self, finish: Finish, workspace: &mut Workspace) -> Vec<f32> {
        match finish {
            Finish::None => workspace.x.clone(),
            Finish::Norm => self.ln_final.of(&workspace.x),
            Finish::Project => self.project(workspace).to_vec(),
        }
    }
}
