//! Text tower: a Transformer, causal in CLIP, that turns tokens into one vector per text.
//!
//! Flow: `text` → **text tower** → `embedding`.
//! Source: `CLIP.encode_text` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: no file, no image, no task; every shape follows from `ClipConfig`.
//!
//! `N` texts, `L` ≤ context length tokens, `W` width, `D` embedding.

use burn::tensor::{Int, Tensor};

use super::clip::ClipModel;
use crate::layers::Mask;
use crate::model::{Finish, TextExit};

impl ClipModel {
    /// Encodes tokens `[N, L]` into text features `[N, D]`, not yet normalised.
    ///
    /// `ends` `[N]` is the position of each text's end token, where the features are read. CLIP's
    /// attention is causal, so tokens after the end have no effect, and `L` may be the longest text
    /// of the batch instead of the context length. SigLIP's is not causal, and reads the whole
    /// context.
    pub fn text_features(&self, tokens: Tensor<2, Int>, ends: Tensor<1, Int>) -> Tensor<2> {
        let [n, l] = tokens.dims();
        let x = self.transformer.forward(self.embed(tokens), self.mask());
        let w = x.dims()[2];
        // LayerNorm is per token, so only the rows that are read go through it.
        let rows = Tensor::arange(0..n as i64, &ends.device()).mul_scalar(l as i64) + ends;
        let x = x.reshape([n * l, w]).select(0, rows); // [N, W]
        self.text_projection.forward(self.ln_final.forward(x)) // [N, D]
    }

    /// The features `[N, L, C]` of every token of `[N, L]` at an exit.
    ///
    /// # Panics
    /// If the tower has no such block; [`TextExit::channels`] says it before.
    pub fn text_exit(&self, tokens: Tensor<2, Int>, exit: TextExit) -> Tensor<3> {
        let [n, l] = tokens.dims();
        let x = (0..=exit.after).fold(self.embed(tokens), |x, block| {
            self.transformer.block(block, x, self.mask())
        });
        let w = x.dims()[2];
        match exit.finish {
            Finish::None => x,
            Finish::Norm => self.ln_final.forward(x),
            Finish::Project => {
                let x = self.ln_final.forward(x).reshape([n * l, w]);
                let x = self.text_projection.forward(x); // [N L, D]
                let d = x.dims()[1];
                x.reshape([n, l, d])
            }
        }
    }

    /// The blocks' input, `[N, L, W]`: tokens `[N, L]` with their positions.
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [_, l] = tokens.dims();
        let positions = self.positional_embedding.val().narrow(0, 0, l);
        self.token_embedding.forward(tokens) + positions.unsqueeze()
    }

    fn mask(&self) -> Mask {
        if self.reading.is_causal {
            Mask::Causal
        } else {
            Mask::None
        }
    }
}
