//! A batch → the loss → gradients.
//!
//! A batch that does not fit into memory goes through the towers in chunks, by gradient caching
//! (Gao et al., arXiv 2101.06983): encode every chunk without a graph; take the loss of the whole
//! batch and its gradients for the features; encode every chunk again, with a graph, and run the
//! features' gradients back through it. The gradients are those of the whole batch at once, but for
//! batch norm, whose statistics are a chunk's.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use super::loss::{Loss, logits_per_image};
use crate::optimise::NamedGradients;
use crate::{Error, Result};
use diptych::layers::Phase;
use diptych::model::{ClipModel, Freeze, Frozen};

/// Parts that a batch's texts are encoded in.
const TEXT_PARTS: usize = 4;

/// The contrastive objective: how a batch's loss and its gradients are taken.
#[derive(Clone, Debug)]
pub struct Contrastive {
    /// The device that models lie on, with autodiff.
    pub device: Device,
    /// Comparison of similarities with the truth.
    pub loss: Loss,
    /// The part of each tower that the model was built not to train.
    pub freeze: Freeze,
    /// Pairs that go through the towers at once; all of a batch, if it is not given.
    pub chunk_size: Option<usize>,
}

/// The outcome of one batch.
pub struct BatchGradients {
    /// The gradients, by parameter.
    pub named: NamedGradients,
    /// `[N, N]`, a row a picture, without a graph.
    pub logits_per_image: Tensor<2>,
    /// `[1]`, without a graph.
    pub loss: Tensor<1>,
}

impl Contrastive {
    /// The loss of one batch, as a tensor `[1]` that can be differentiated. Batch norm's running
    /// statistics move.
    ///
    /// # Errors
    /// [`Error::Batch`] if its parts are not of one size.
    pub fn loss(&self, model: &ClipModel, batch: &Batch) -> Result<Tensor<1>> {
        let all = 0..pairs(batch)?;
        let images = self.image_features(model, batch, all.clone(), Phase::Train);
        let texts = self.text_features(model, batch, all, Phase::Train);
        Ok(self.loss.of(logits(model, images, texts), &batch.positives))
    }

    /// The gradients of one batch, by chunks if they are asked for.
    ///
    /// # Errors
    /// [`Error::Batch`] if its parts are not of one size.
    pub fn gradients(&self, model: &ClipModel, batch: &Batch) -> Result<BatchGradients> {
        let n = pairs(batch)?;
        let chunk = self.chunk_size.unwrap_or(n).max(1);
        if chunk < n {
            return self.gradients_by_chunk(model, batch, chunk);
        }
        let images = self.image_features(model, batch, 0..n, Phase::Train);
        let texts = self.text_features(model, batch, 0..n, Phase::Train);
        let logits = logits(model, images, texts);
        let loss = self.loss.of(logits.clone(), &batch.positives);
        Ok(BatchGradients {
            named: NamedGradients::take(model, loss.backward()),
            logits_per_image: logits.inner(),
            loss: loss.inner(),
        })
    }

    fn gradients_by_chunk(
        &self,
        model: &ClipModel,
        batch: &Batch,
        chunk: usize,
    ) -> Result<BatchGradients> {
        let n = batch.pixels.len();
        let chunks = || {
            (0..n)
                .step_by(chunk)
                .map(|first| first..n.min(first + chunk))
        };

        let still = model.valid();
        let encode = |features: &dyn Fn(Range<usize>) -> Tensor<2>| {
            Tensor::from_inner(Tensor::cat(chunks().map(features).collect(), 0)).require_grad()
        };
        let images = encode(&|rows| self.image_features(&still, batch, rows, Phase::Rehearse));
        let texts = encode(&|rows| self.text_features(&still, batch, rows, Phase::Rehearse));

        let logits = logits(model, images.clone(), texts.clone());
        let loss = self.loss.of(logits.clone(), &batch.positives);
        let mut gradients = loss.backward();
        let of_images = images.grad_remove(&mut gradients);
        let of_texts = texts.grad_remove(&mut gradients);
        let mut named = NamedGradients::take(model, gradients); // temperature and bias

        for rows in chunks() {
            let towers: [(_, &Option<Tensor<2>>, &dyn Fn() -> Tensor<2>); 2] = [
                (self.freeze.image, &of_images, &|| {
                    self.image_features(model, batch, rows.clone(), Phase::Train)
                }),
                (self.freeze.text, &of_texts, &|| {
                    self.text_features(model, batch, rows.clone(), Phase::Train)
                }),
            ];
            for (frozen, gradient, features) in towers {
                let Some(gradient) = gradient.as_ref().filter(|_| frozen != Frozen::All) else {
                    continue;
                };
                // The sum's gradient for the features is what the loss gave them.
                let gradient = gradient.clone().narrow(0, rows.start, rows.len());
                let sum = (features() * Tensor::from_inner(gradient)).sum();
                named.add(NamedGradients::take(model, sum.backward()))?;
            }
        }
        Ok(BatchGradients {
            named,
            logits_per_image: logits.inner(),
            loss: loss.inner(),
        })
    }

    /// Image features of some pairs, by `model` or its twin without a graph.
    fn image_features(
        &self,
        model: &ClipModel,
        batch: &Batch,
        rows: Range<usize>,
        phase: Phase,
    ) -> Tensor<2> {
        let (n, size) = (rows.len(), batch.pixels.size());
        let picture = size.values();
        let values = &batch.pixels.as_slice()[rows.start * picture..rows.end * picture];
        let data = TensorData::new(values.to_vec(), [n, 3, size.height, size.width]);
        model.image_features(Tensor::from_data(data, &self.device_of(phase)), phase)
    }

    /// Text features of some pairs.
    fn text_features(
        &self,
        model: &ClipModel,
        batch: &Batch,
        rows: Range<usize>,
        phase: Phase,
    ) -> Tensor<2> {
        // Texts lie in order of length; each part is padded to its own longest.
        let part = batch.pixels.len().div_ceil(TEXT_PARTS).max(1);
        let device = self.device_of(phase);
        let parts = rows.clone().step_by(part).map(|first| {
            let part = first..rows.end.min(first + part);
            let (ids, ends) = model.token_tensors(&batch.tokens, part, &device);
            model.text_features(ids, ends)
        });
        Tensor::cat(parts.collect(), 0) // [N, D]
    }

    /// Where a pass of this mode runs: with a graph, or without.
    fn device_of(&self, phase: Phase) -> Device {
        match phase {
            Phase::Train => self.device.clone(),
            Phase::Rehearse | Phase::Infer => self.device.clone().inner(),
        }
    }
}

/// The number of a batch's pairs.
///
/// # Errors
/// [`Error::Batch`] if its parts have different numbers.
fn pairs(batch: &Batch) -> Result<usize> {
    let n = batch.pixels.len();
    let (texts, relations) = (batch.tokens.len(), batch.positives.len());
    if texts == n && relations == n && n > 0 {
        return Ok(n);
    }
    Err(Error::Batch {
        got: format!("{n} pictures, {texts} texts and relations of {relations} pairs"),
        want: "as many of each, and at least one".into(),
    })
}

fn logits(model: &ClipModel, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
    logits_per_image(images, texts, model.logit_scale(), model.logit_bias())
}

/// The share of the pictures whose highest logit is at a text that is true of them.
pub(super) fn accuracy(logits_per_image: Tensor<2>, batch: &Batch) -> f32 {
    let n = batch.positives.len();
    let logits: Vec<f32> = logits_per_image.into_data().iter::<f32>().collect();
    let right = logits
        .chunks_exact(n.max(1))
        .enumerate()
        .filter(|(i, row)| {
            let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.is_some_and(|(j, _)| batch.positives.is_true(*i, j))
        });
    right.count() as f32 / n.max(1) as f32
}
