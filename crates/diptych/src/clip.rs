//! The door: one model's tokenizer, preprocessing and towers, which can't be mismatched.

use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::embedding::Embeddings;
use crate::image::{Pixels, Preprocess};
use crate::model::{ClipConfig, ClipModel, Mode, TextPool, plain_values};
use crate::text::{Overflow, Tokenizer, Tokens};
use crate::weights::{Checkpoint, Description};
use crate::{Error, Result};

/// Inputs that go through a tower at once: large enough for the matrix products, small enough for
/// memory.
const CHUNK: usize = 32;

/// A CLIP model with everything that belongs to it.
pub struct Clip {
    config: ClipConfig,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    model: ClipModel,
}

impl Clip {
    /// Opens a model on the CPU: `default`, a checkpoint's directory or file, or the name of a published one, as
    /// [`Checkpoint::named`] does.
    ///
    /// # Errors
    /// Those of [`Checkpoint::named`].
    pub fn open(model: impl AsRef<Path>) -> Result<Self> {
        Self::open_on(model, &Device::flex())
    }

    /// [`Clip::open`] on another device.
    ///
    /// # Errors
    /// As [`Clip::open`].
    pub fn open_on(model: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let mut checkpoint = Checkpoint::named(model)?;
        let description = checkpoint.description().clone();
        let model = ClipModel::build(&description.config, &mut checkpoint, device)?;
        Ok(Self::assemble(description, model))
    }

    /// Puts towers together with what belongs to them.
    pub(crate) fn assemble(description: Description, model: ClipModel) -> Self {
        let Description {
            config,
            preprocess,
            tokenizer,
            ..
        } = description;
        Self {
            config,
            preprocess,
            tokenizer,
            model,
        }
    }

    /// The architecture.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// How this model's pictures become pixels.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// How this model's texts become tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The factor `exp(t)` from cosines to logits.
    pub fn logit_scale(&self) -> f32 {
        self.model.logit_scale().into_scalar()
    }

    /// What is added to logits, by a model that was trained with the sigmoid loss.
    pub fn logit_bias(&self) -> Option<f32> {
        self.model.logit_bias().map(Tensor::into_scalar)
    }

    /// Encodes pixels `[N, 3, S, S]` into embeddings `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Side`] if `S` is not the image tower's.
    pub fn encode_images(&self, pixels: &Pixels) -> Result<Embeddings> {
        let features = self.image_features(pixels)?;
        Ok(Embeddings::from_features(self.config.embed_dim, features))
    }

    /// Encodes texts into embeddings `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Text`] for a text with more tokens than the model reads.
    pub fn encode_texts<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Embeddings> {
        let tokens = self.tokens(texts, Overflow::Refuse)?;
        let features = self.text_features(&tokens)?;
        Ok(Embeddings::from_features(self.config.embed_dim, features))
    }

    /// The tokens of texts, `[N, L]`.
    ///
    /// # Errors
    /// [`Error::Text`] if a text is too long and `overflow` refuses.
    pub fn tokens<T: AsRef<str> + Sync>(&self, texts: &[T], overflow: Overflow) -> Result<Tokens> {
        let context_length = self.config.text_cfg.context_length;
        Ok(self
            .tokenizer
            .encode_batch(texts, context_length, overflow)?)
    }

    /// Image features `[N, D]`, row by row, not normalised.
    ///
    /// # Errors
    /// [`Error::Side`] if the pixels have another side than the image tower takes.
    pub fn image_features(&self, pixels: &Pixels) -> Result<Vec<f32>> {
        let want = self.config.vision_cfg.image_size;
        match pixels.side() == want {
            true => Ok(self.image_chunks(pixels)),
            false => Err(Error::Side {
                got: pixels.side(),
                want,
            }),
        }
    }

    /// Text features `[N, D]`, row by row, not normalised.
    ///
    /// # Errors
    /// [`Error::Tokens`] if the tokens are another tokenizer's: longer than the context, empty, or
    /// with ids that the vocabulary doesn't have.
    pub fn text_features(&self, tokens: &Tokens) -> Result<Vec<f32>> {
        let text = &self.config.text_cfg;
        let refuse = |reason: String| Err(Error::Tokens { reason });
        if let Some(&long) = tokens
            .lengths()
            .iter()
            .find(|&&n| n > text.context_length || n == 0)
        {
            return refuse(format!(
                "a row has {long}, wanted 1 to {}",
                text.context_length
            ));
        }
        let is_whole = tokens.context_length() == text.context_length;
        if self.model.reads_padding() && !is_whole {
            return refuse(format!(
                "rows are padded to {}, wanted {}",
                tokens.context_length(),
                text.context_length
            ));
        }
        if let Some(&id) = tokens
            .ids()
            .iter()
            .find(|&&id| id as usize >= text.vocab_size)
        {
            return refuse(format!(
                "id {id} is not in the vocabulary of {}",
                text.vocab_size
            ));
        }
        Ok(self.text_chunks(tokens))
    }

    /// Image features of any number of pictures, a chunk at a time.
    fn image_chunks(&self, pixels: &Pixels) -> Vec<f32> {
        let side = pixels.side();
        let device = self.device();
        let features = |chunk: &[f32]| {
            let n = chunk.len() / (3 * side * side);
            let data = TensorData::new(chunk.to_vec(), [n, 3, side, side]);
            let pixels = Tensor::from_data(data, &device);
            plain_values(self.model.image_features(pixels, Mode::Infer))
        };
        pixels
            .as_slice()
            .chunks((CHUNK * 3 * side * side).max(1))
            .flat_map(features)
            .collect()
    }

    /// Text features of any number of texts, a chunk at a time.
    fn text_chunks(&self, tokens: &Tokens) -> Vec<f32> {
        let device = self.device();
        let features = |first: usize| {
            let rows = first..tokens.len().min(first + CHUNK);
            let (ids, ends) = token_tensors(tokens, rows, &self.model, &device);
            plain_values(self.model.text_features(ids, ends))
        };
        (0..tokens.len())
            .step_by(CHUNK)
            .flat_map(features)
            .collect()
    }

    fn device(&self) -> Device {
        self.model.devices().into_iter().next().unwrap_or_default()
    }
}

/// Some rows of tokens `[N, L]`, cut to their longest text if `model` does not read beyond it, and the positions `[N]` where their features
/// are read.
///
/// That is the first place of a row's highest id, as in OpenAI's `encode_text`: a text that
/// spells the end token out ends there; or for SigLIP the last of the context, which padding fills.
pub(crate) fn token_tensors(
    tokens: &Tokens,
    rows: Range<usize>,
    model: &ClipModel,
    device: &Device,
) -> (Tensor<2, Int>, Tensor<1, Int>) {
    let n = rows.len();
    let lengths = tokens.lengths()[rows.clone()].iter().copied();
    let longest = match model.reads_padding() {
        false => lengths.max().unwrap_or(1),
        true => tokens.context_length(),
    };
    let rows = || tokens.rows().skip(rows.start).take(n);
    let ids: Vec<i32> = rows()
        .flat_map(|row| &row[..longest])
        .map(|&id| id as i32)
        .collect();
    let end = |row: &[u32]| match model.text_pool() {
        TextPool::Argmax => {
            let highest = row.iter().max();
            row.iter().position(|id| Some(id) == highest).unwrap_or(0) as i32
        }
        TextPool::Last => row.len() as i32 - 1,
    };
    let ends: Vec<i32> = rows().map(end).collect();
    (
        Tensor::from_data(TensorData::new(ids, [n, longest]), device),
        Tensor::from_data(TensorData::new(ends, [n]), device),
    )
}
