//! One step: a batch → the loss → gradients → the optimiser.
//!
//! A batch that does not fit into memory goes through the towers in chunks, by gradient caching (Gao et
//! al., arXiv 2101.06983): encode every chunk without a graph; take the loss of the whole batch and its
//! gradients for the features; encode every chunk again, with a graph, and run the features' gradients
//! back through it. The gradients are those of the whole batch at once, but for batch norm, whose
//! statistics are a chunk's.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use super::gradients::NamedGradients;
use super::loss::{Loss, logits_per_image};
use super::optimizer::Optimizer;
use crate::{Error, Result};
use diptych::model::{ClipModel, Freeze, Frozen, Phase};

/// Parts that a batch's texts are encoded in.
const TEXT_PARTS: usize = 4;

/// Numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The loss.
    pub loss: f32,
    /// The factor on cosines, `exp(t)`, that it was computed with.
    pub logit_scale: f32,
    /// Share of the pictures whose most similar text in the batch is true of them.
    pub accuracy: f32,
    /// Norm of the gradient of all parameters together, before clipping.
    pub gradient_norm: f32,
}

/// A model on its way through one run.
pub struct Trainer {
    model: ClipModel,
    optimizer: Optimizer,
    device: Device,
    loss: Loss,
    freeze: Freeze,
}

impl Trainer {
    /// Trains `model`, which was built on `device`, a device with autodiff.
    pub fn new(model: ClipModel, optimizer: Optimizer, device: Device) -> Self {
        Self {
            model,
            optimizer,
            device,
            loss: Loss::default(),
            freeze: Freeze::default(),
        }
    }

    /// With another loss, and a model that was built with something frozen.
    pub fn with(self, loss: Loss, freeze: Freeze) -> Self {
        Self {
            loss,
            freeze,
            ..self
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &ClipModel {
        &self.model
    }

    /// The optimiser as it is now.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// One step, numbered from 0, on one batch.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the loss, the gradient or the temperature is not finite; the parameters
    /// are then left as they were.
    pub fn step(&mut self, batch: &Batch, step: usize) -> Result<Step> {
        let (mut gradients, logits, loss) = self.gradients(batch);
        let numbers = Step {
            loss: loss.into_scalar(),
            logit_scale: self.model.logit_scale().into_scalar(),
            accuracy: accuracy(logits, batch),
            gradient_norm: gradients.norm(),
        };
        for (what, value) in [
            ("the loss", numbers.loss),
            ("the logit scale", numbers.logit_scale),
            ("the gradient's norm", numbers.gradient_norm),
        ] {
            if !value.is_finite() {
                let learning_rate = self.optimizer.learning_rate(step);
                return Err(Error::Diverged {
                    step: step + 1,
                    what,
                    value,
                    learning_rate,
                    context: "the parameters stay as they were".into(),
                });
            }
        }
        if let Some(limit) = self.optimizer.config().clip_norm {
            gradients.clip(numbers.gradient_norm, limit);
        }
        let model = self.optimizer.step(self.model.clone(), gradients, step);
        self.model = model.clamp_logit_scale();
        Ok(numbers)
    }

    /// The loss of one batch, as a tensor `[1]` that can be differentiated. Batch norm's running
    /// statistics move.
    pub fn loss(&self, batch: &Batch) -> Tensor<1> {
        let all = 0..batch.pixels.len();
        let images = self.image_features(&self.model, batch, all.clone(), Phase::Train);
        let texts = self.text_features(&self.model, batch, all, Phase::Train);
        self.loss.of(self.logits(images, texts), &batch.positives)
    }

    /// The gradients of one batch, its `logits_per_image` and its loss.
    pub fn gradients(&self, batch: &Batch) -> (NamedGradients, Tensor<2>, Tensor<1>) {
        let n = batch.pixels.len();
        let chunk = self.optimizer.config().chunk_size.unwrap_or(n);
        if chunk < n {
            return self.gradients_by_chunk(batch, chunk);
        }
        let images = self.image_features(&self.model, batch, 0..n, Phase::Train);
        let texts = self.text_features(&self.model, batch, 0..n, Phase::Train);
        let logits = self.logits(images, texts);
        let loss = self.loss.of(logits.clone(), &batch.positives);
        let gradients = NamedGradients::take(&self.model, loss.backward());
        (gradients, logits.inner(), loss.inner())
    }

    fn gradients_by_chunk(
        &self,
        batch: &Batch,
        chunk: usize,
    ) -> (NamedGradients, Tensor<2>, Tensor<1>) {
        let n = batch.pixels.len();
        let chunks = || {
            (0..n)
                .step_by(chunk)
                .map(|first| first..n.min(first + chunk))
        };

        let still = self.model.valid();
        let encode = |features: &dyn Fn(Range<usize>) -> Tensor<2>| {
            Tensor::from_inner(Tensor::cat(chunks().map(features).collect(), 0)).require_grad()
        };
        let images = encode(&|rows| self.image_features(&still, batch, rows, Phase::Rehearse));
        let texts = encode(&|rows| self.text_features(&still, batch, rows, Phase::Rehearse));

        let logits = self.logits(images.clone(), texts.clone());
        let loss = self.loss.of(logits.clone(), &batch.positives);
        let mut gradients = loss.backward();
        let of_images = images.grad_remove(&mut gradients);
        let of_texts = texts.grad_remove(&mut gradients);
        let mut named = NamedGradients::take(&self.model, gradients); // temperature and bias

        for rows in chunks() {
            let towers: [(_, &Option<Tensor<2>>, &dyn Fn() -> Tensor<2>); 2] = [
                (self.freeze.image, &of_images, &|| {
                    self.image_features(&self.model, batch, rows.clone(), Phase::Train)
                }),
                (self.freeze.text, &of_texts, &|| {
                    self.text_features(&self.model, batch, rows.clone(), Phase::Train)
                }),
            ];
            for (frozen, gradient, features) in towers {
                let Some(gradient) = gradient.as_ref().filter(|_| frozen != Frozen::All) else {
                    continue;
                };
                // The sum's gradient for the features is what the loss gave them.
                let gradient = gradient.clone().narrow(0, rows.start, rows.len());
                let sum = (features() * Tensor::from_inner(gradient)).sum();
                named.add(NamedGradients::take(&self.model, sum.backward()));
            }
        }
        (named, logits.inner(), loss.inner())
    }

    fn logits(&self, images: Tensor<2>, texts: Tensor<2>) -> Tensor<2> {
        let (scale, bias) = (self.model.logit_scale(), self.model.logit_bias());
        logits_per_image(images, texts, scale, bias)
    }

    /// Image features of some pairs, by `model`: this one, or its twin without a graph.
    fn image_features(
        &self,
        model: &ClipModel,
        batch: &Batch,
        rows: Range<usize>,
        phase: Phase,
    ) -> Tensor<2> {
        let (n, side) = (rows.len(), batch.pixels.side());
        let picture = 3 * side * side;
        let values = &batch.pixels.as_slice()[rows.start * picture..rows.end * picture];
        let data = TensorData::new(values.to_vec(), [n, 3, side, side]);
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

/// The share of the pictures whose highest logit is at a text that is true of them.
fn accuracy(logits_per_image: Tensor<2>, batch: &Batch) -> f32 {
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
