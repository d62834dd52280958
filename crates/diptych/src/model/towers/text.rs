//! Text tower: a causal Transformer that turns tokens into one vector per text.
//!
//! Flow: `text` → **text tower** → `embedding`.
//! Source: `CLIP.encode_text` in OpenAI's `clip/model.py`, commit d05afc4.
//! Invariant: no file, no image, no task; every shape follows from `ClipConfig`.
//!
//! `N` texts, `L` ≤ context length tokens, `W` width, `D` embedding.

use burn::tensor::{Int, Tensor};

use super::clip::ClipModel;
use crate::layers::Mask;

impl ClipModel {
    /// Encodes tokens `[N, L]` into text features `[N, D]`, not yet normalised.
    ///
    /// `ends` `[N]` is the position of each text's end token, where the features are read. Attention
    /// is causal, so what follows the end token has no effect, and `L` may be the longest text of
    /// the batch instead of the context length; SigLIP's is not, and reads the whole context.
    pub fn text_features(&self, tokens: Tensor<2, Int>, ends: Tensor<1, Int>) -> Tensor<2> {
        let [n, l] = tokens.dims();
        let x = self.token_embedding.forward(tokens); // [N, L, W]
        let w = x.dims()[2];
        let x = x + self.positional_embedding.val().narrow(0, 0, l).unsqueeze();
        let mask = match self.reading.is_causal {
            true => Mask::Causal,
            false => Mask::None,
        };
        let x = self.transformer.forward(x, mask);
        // LayerNorm is per token, so only the rows that are read go through it.
        let rows = Tensor::arange(0..n as i64, &ends.device()).mul_scalar(l as i64) + ends;
        let x = x.reshape([n * l, w]).select(0, rows); // [N, W]
        self.text_projection.forward(self.ln_final.forward(x)) // [N, D]
    }
}
