//! The training loop.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::adamw::AdamW;
use super::batch::{Batch, Batches};
use super::config::Run;
use super::loss::contrastive_loss;
use super::{Fresh, Sample, checkpoint, read_shards};
use crate::clip::token_tensors;
use crate::evaluate::{Recall, retrieval};
use crate::model::{ClipModel, Mode, named_tensors};
use crate::weights::{Description, describe, write_checkpoint};
use crate::{Error, Result};

/// Parts that a batch's texts are encoded in.
const TEXT_PARTS: usize = 4;

/// What a run tells while it works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The data has been read.
    Ready {
        /// Samples read.
        samples: usize,
        /// Samples in one pass, with repetitions.
        pass: usize,
        /// Steps done before, by a run that this one resumes.
        step: usize,
    },
    /// A picture can't be decoded, and another takes its place; the reason names it.
    Skipped(String),
    /// A step has been done.
    Step(Progress),
    /// A checkpoint has been written, after this many steps.
    Checkpoint(usize),
    /// Retrieval has been measured, after this many steps.
    Validation(usize, Recall),
}

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done, this one included.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// The contrastive loss.
    pub loss: f32,
    /// The factor on cosines, `exp(t)`.
    pub logit_scale: f32,
    /// The learning rate.
    pub learning_rate: f64,
    /// Pairs a second since the run began or resumed.
    pub pairs_per_s: f64,
    /// Time to the end at that speed.
    pub remaining: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; the model lies in this directory.
    Finished(PathBuf),
    /// It was interrupted after this many steps, and can be resumed.
    Interrupted(usize),
}

/// A model on its way through one run.
pub struct Trainer {
    model: ClipModel,
    optimizer: AdamW,
    device: Device,
}

impl Trainer {
    /// Trains `model`, which was built on `device`, a device with autodiff.
    pub fn new(model: ClipModel, optimizer: AdamW, device: Device) -> Self {
        Self {
            model,
            optimizer,
            device,
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &ClipModel {
        &self.model
    }

    /// One step, numbered from 0, on one batch; returns its loss and the `logit_scale` it used.
    ///
    /// # Errors
    /// [`Error::Diverged`] if either is not finite; the parameters are then left as they were.
    pub fn step(&mut self, batch: &Batch, step: usize) -> Result<(f32, f32)> {
        let loss = self.loss(batch);
        let value = scalar(&loss);
        let logit_scale = scalar(&self.model.logit_scale());
        for (what, value) in [("the loss", value), ("the logit scale", logit_scale)] {
            if !value.is_finite() {
                let learning_rate = self.optimizer.learning_rate(step);
                return Err(Error::Diverged {
                    step: step + 1,
                    what,
                    value,
                    learning_rate,
                });
            }
        }
        let gradients = loss.backward();
        let model = self.optimizer.step(self.model.clone(), gradients, step);
        self.model = model.clamp_logit_scale();
        Ok((value, logit_scale))
    }

    /// The loss of one batch, as a tensor `[1]` that can be differentiated. Batch norm's running
    /// statistics move.
    pub fn loss(&self, batch: &Batch) -> Tensor<1> {
        let n = batch.pixels.len();
        let side = batch.pixels.side();
        let pixels = TensorData::new(batch.pixels.as_slice().to_vec(), [n, 3, side, side]);
        let pixels = Tensor::from_data(pixels, &self.device);
        // Texts lie in order of length; each part is padded to its own longest.
        let part = n.div_ceil(TEXT_PARTS).max(1);
        let texts = (0..n).step_by(part).map(|first| {
            let (ids, ends) =
                token_tensors(&batch.tokens, first..n.min(first + part), &self.device);
            self.model.text_features(ids, ends)
        });
        let text_features = Tensor::cat(texts.collect(), 0); // [N, D]
        contrastive_loss(
            self.model.image_features(pixels, Mode::Train),
            text_features,
            self.model.logit_scale(),
            &batch.positives,
        )
    }
}

fn scalar(tensor: &Tensor<1>) -> f32 {
    tensor.clone().into_scalar()
}

/// Trains as `run` says, from its last checkpoint if `resume` is set.
///
/// `on_event` is called after every step and may break the run off; what is done by then is kept.
///
/// # Errors
/// Those of the data and of the disk, and [`Error::Diverged`].
pub fn train(
    run: &Run,
    device: Device,
    resume: bool,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome> {
    let description = describe(&run.architecture)?;
    let precision = run.compute.precision()?;
    let device = device.autodiff();
    let folder = run.out.join("checkpoints");
    let mut optimizer = AdamW::new(run.optimizer.clone());
    let state = checkpoint::load(&folder, run, &description, &mut optimizer, &device)?;
    let (model, first) = match state {
        Some(state) if resume => (state.model, state.step),
        Some(state) => {
            return Err(Error::UnfinishedRun {
                out: run.out.clone(),
                step: state.step,
            });
        }
        None => {
            let config = &description.config;
            (
                ClipModel::build_with(config, &mut Fresh::new(config, run.seed), &device, precision)?,
                0,
            )
        }
    };
    let batches = Batches::open(run, &description)?;
    let validation = match &run.validation {
        Some(v) => read_shards(&v.shards)?,
        None => Vec::new(),
    };
    let mut session = Session {
        run,
        description: &description,
        folder,
        trainer: Trainer::new(model, optimizer, device),
        validation,
        on_event,
    };
    let ready = Event::Ready {
        samples: batches.len(),
        pass: batches.pass_len(),
        step: first,
    };
    if (session.on_event)(ready).is_break() {
        return Ok(Outcome::Interrupted(first));
    }
    session.steps(&batches, first)
}

/// One call of [`train`].
struct Session<'a> {
    run: &'a Run,
    description: &'a Description,
    folder: PathBuf,
    trainer: Trainer,
    validation: Vec<Sample>,
    on_event: &'a mut dyn FnMut(Event) -> ControlFlow<()>,
}

impl Session<'_> {
    fn steps(&mut self, batches: &Batches, first: usize) -> Result<Outcome> {
        let steps = self.run.optimizer.steps;
        std::thread::scope(|scope| {
            // The next batches are made while a step works. Two ahead even out slow pictures.
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || {
                for step in first..steps {
                    if sender.send(batches.get(step)).is_err() {
                        return; // the run has ended early
                    }
                }
            });
            let began = Instant::now();
            for step in first..steps {
                let batch = receiver.recv().map_err(|_| Error::Config {
                    origin: "the run's data".into(),
                    reason: "no more batches are made; the thread that makes them has ended".into(),
                })??;
                for reason in &batch.skipped {
                    let _ = (self.on_event)(Event::Skipped(reason.clone()));
                }
                let (loss, logit_scale) = self.trainer.step(&batch, step)?;
                let done = step + 1 - first;
                let per_step = began.elapsed() / done as u32;
                let progress = Progress {
                    step: step + 1,
                    steps,
                    loss,
                    logit_scale,
                    learning_rate: self.trainer.optimizer.learning_rate(step),
                    pairs_per_s: batch.positives.len() as f64 / per_step.as_secs_f64(),
                    remaining: per_step * (steps - step - 1) as u32,
                };
                let flow = (self.on_event)(Event::Step(progress));
                self.after(step + 1, flow.is_break())?;
                if flow.is_break() && step + 1 < steps {
                    return Ok(Outcome::Interrupted(step + 1));
                }
            }
            self.finish()
        })
    }

    /// Saves and measures, where it is time.
    fn after(&mut self, step: usize, interrupted: bool) -> Result<()> {
        let last = step == self.run.optimizer.steps;
        if last || interrupted || step.is_multiple_of(self.run.checkpoint_every) {
            let Trainer {
                model, optimizer, ..
            } = &self.trainer;
            let (run, description) = (self.run, self.description);
            let saved = checkpoint::Saved {
                run,
                description,
                model,
                optimizer,
            };
            checkpoint::save(&self.folder, step, &saved)?;
            let _ = (self.on_event)(Event::Checkpoint(step));
        }
        if let Some(v) = &self.run.validation
            && (last || (step.is_multiple_of(v.every) && !interrupted))
        {
            let model = self.trainer.model.valid();
            let recall = retrieval(&model, self.description, &self.validation)?;
            let _ = (self.on_event)(Event::Validation(step, recall));
        }
        Ok(())
    }

    fn finish(&self) -> Result<Outcome> {
        let dir = self.run.out.join("model");
        let tensors = named_tensors(&self.trainer.model);
        write_checkpoint(&dir, self.description, &tensors, self.run.precision)?;
        Ok(Outcome::Finished(dir))
    }
}
