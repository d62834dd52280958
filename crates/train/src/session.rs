//! A run from its file to its finished model: steps, measurements, checkpoints, and the record of them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;

use super::batch::Batches;
use super::checkpoint::{self, Checkpoints};
use super::config::Run;
use super::data::{PassedOver, Tally};
use super::init::start;
use super::loss::Loss;
use super::metrics::Metrics;
use super::optimizer::Optimizer;
use super::trainer::Trainer;
use super::validation::{Measured, Validator};
use crate::{Error, Result};
use diptych::Precision;
use diptych::model::{BuildOptions, ClipModel, named_tensors};
use diptych::weights::{Description, describe, fits_open_clip, write_checkpoint};

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
    /// Something of the data was passed over: before the run is ready, all of one reason that was found when
    /// the data was opened; after that a single picture. One in a batch is replaced by another, one to
    /// measure on is left out.
    PassedOver(PassedOver),
    /// The run file asks for something that the data does not give, or a shard may have lost its end.
    Warning(String),
    /// A step has been done.
    Step(Progress),
    /// A checkpoint has been written, after this many steps.
    Checkpoint(usize),
    /// The model has been measured, after this many steps.
    Validation(usize, Measured),
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
    /// Share of the batch's pictures whose most similar text is true of them.
    pub accuracy: f32,
    /// Norm of the gradient of all parameters together, before clipping.
    pub gradient_norm: f32,
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

/// Trains as `run` says, from its last checkpoint if `resume` is set.
///
/// `on_event` is called after every step and may break the run off; what is done by then is kept.
///
/// # Errors
/// Those of the data and of the disk; [`Error::Diverged`]; [`Error::Run`] if another process is at
/// work on this run, or its folder holds other files and no run.
pub fn train(
    run: &Run,
    device: Device,
    resume: bool,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome> {
    let description = describe(&run.architecture)?;
    fits_open_clip(Path::new(&run.architecture), &description)?;
    if run.loss == Loss::Sigmoid && description.config.init_logit_bias.is_none() {
        return Err(Error::Run {
            origin: run.architecture.clone(),
            reason: "`loss = \"sigmoid\"` needs an architecture with `init_logit_bias`".into(),
        });
    }
    let options = BuildOptions {
        precision: run.compute,
        freeze: run.freeze,
    };
    // The kernels are the CPU's; elsewhere a format that is not kept would be a promise broken.
    if run.compute == Precision::Bf16 && device != Device::flex() {
        return Err(Error::Run {
            origin: "`compute = \"bf16\"`".into(),
            reason: "only the CPU computes in bf16 so far; wanted `compute = \"f32\"`".into(),
        });
    }
    let device = device.autodiff();
    checkpoint::check_folder(&run.out)?;
    let _lock = checkpoint::lock(&run.out)?;
    let checkpoints = Checkpoints::new(run, &description);
    let mut optimizer = Optimizer::new(run.optimizer.clone()).with_precision(options.precision);
    let saved = checkpoints.load(options, &mut optimizer, &device)?;
    if let Some(saved) = &saved
        && !resume
    {
        return Err(Error::UnfinishedRun {
            out: run.out.clone(),
            step: saved.step,
        });
    }
    let done = saved.as_ref().map_or(0, |saved| saved.step);
    // Before what may fail for it: too few samples are left, say.
    let (passed_over, found) = Batches::read(run);
    if tell(&passed_over, on_event).is_break() {
        return Ok(Outcome::Interrupted(done));
    }
    let batches = Batches::new(run, &description, found?, passed_over)?;
    let validator = Validator::open(run, &batches)?;
    if tell(validator.passed_over(), on_event).is_break() {
        return Ok(Outcome::Interrupted(done));
    }
    for warning in batches.warnings().iter().chain(validator.warnings()) {
        let _ = on_event(Event::Warning(warning.clone()));
    }
    let (model, first) = match saved {
        Some(saved) => {
            saved.check(batches.len())?;
            (saved.model, saved.step)
        }
        None => {
            checkpoints.forget_best()?;
            (start(run, &description, options, &device)?, 0)
        }
    };
    checkpoint::echo(run)?;
    let ready = Event::Ready {
        samples: batches.len(),
        pass: batches.pass_len(),
        step: first,
    };
    let mut session = Session {
        run,
        description: &description,
        checkpoints,
        trainer: Trainer::new(model, optimizer, device).with(run.loss, run.freeze),
        validator,
        metrics: Metrics::open(&run.out, first)?,
        samples: batches.len(),
        on_event,
    };
    if (session.on_event)(ready).is_break() {
        return Ok(Outcome::Interrupted(first));
    }
    session.steps(&batches, first)
}

/// Tells what was passed over when data was opened.
fn tell(
    passed_over: &Tally,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut reasons = passed_over.reasons().iter().cloned();
    reasons.try_for_each(|passed_over| on_event(Event::PassedOver(passed_over)))
}

/// One call of [`train`].
struct Session<'a> {
    run: &'a Run,
    description: &'a Description,
    checkpoints: Checkpoints<'a>,
    trainer: Trainer,
    validator: Validator,
    metrics: Metrics,
    samples: usize,
    on_event: &'a mut dyn FnMut(Event) -> ControlFlow<()>,
}

impl Session<'_> {
    fn steps(&mut self, batches: &Batches, first: usize) -> Result<Outcome> {
        let steps = self.run.optimizer.steps;
        std::thread::scope(|scope| {
            // The next batch is made while a step works, and one more waits: with a batch of thousands,
            // pictures that wait are most of the memory.
            let (sender, receiver) = sync_channel(1);
            let maker = scope.spawn(move || {
                for step in first..steps {
                    if sender.send(batches.get(step)).is_err() {
                        return; // the run has ended early
                    }
                }
            });
            let began = Instant::now();
            let mut maker = Some(maker);
            for step in first..steps {
                let Ok(batch) = receiver.recv() else {
                    // Joined, or the scope would panic with it.
                    let _ = maker.take().map(|maker| maker.join());
                    return Err(Error::Run {
                        origin: "the run's data".into(),
                        reason: format!(
                            "batch {} can't be made; this is a mistake of ours",
                            step + 1
                        ),
                    });
                };
                let batch = batch?;
                for passed_over in &batch.skipped {
                    if (self.on_event)(Event::PassedOver(passed_over.clone())).is_break() {
                        return self.stop(step, first);
                    }
                }
                let learning_rate = self.trainer.optimizer().learning_rate(step);
                let numbers = match self.trainer.step(&batch, step) {
                    Ok(numbers) => numbers,
                    Err(error) => {
                        self.metrics.draw()?;
                        return Err(self.checkpoints.explain(error, &batch));
                    }
                };
                let done = step + 1 - first;
                let per_step = began.elapsed() / done as u32;
                let progress = Progress {
                    step: step + 1,
                    steps,
                    loss: numbers.loss,
                    logit_scale: numbers.logit_scale,
                    accuracy: numbers.accuracy,
                    gradient_norm: numbers.gradient_norm,
                    learning_rate,
                    pairs_per_s: batch.positives.len() as f64 / per_step.as_secs_f64(),
                    remaining: per_step * (steps - step - 1) as u32,
                };
                self.metrics.step(&progress)?;
                let flow = (self.on_event)(Event::Step(progress));
                self.after(step + 1, flow.is_break())?;
                if flow.is_break() && step + 1 < steps {
                    return Ok(Outcome::Interrupted(step + 1));
                }
            }
            self.finish()
        })
    }

    /// Ends the run between two steps; what was done since `first` is kept.
    fn stop(&mut self, step: usize, first: usize) -> Result<Outcome> {
        if step > first {
            self.metrics.flush()?;
            self.checkpoints.save(step, &self.trainer, self.samples)?;
            self.metrics.draw()?;
        }
        Ok(Outcome::Interrupted(step))
    }

    /// Measures and saves, where it is time.
    fn after(&mut self, step: usize, interrupted: bool) -> Result<()> {
        let last = step == self.run.optimizer.steps;
        let every = self.run.validation.as_ref().map(|v| v.every);
        let is_due = every.is_some_and(|every| step.is_multiple_of(every));
        // Before the checkpoint, so that a resumed run's record has it; but an error here must not cost
        // the steps since the last one.
        let measured = match every.is_some() && (last || (is_due && !interrupted)) {
            true => self.measure(step),
            false => Ok(()),
        };
        if last || interrupted || step.is_multiple_of(self.run.checkpoint_every) {
            self.metrics.flush()?;
            self.checkpoints.save(step, &self.trainer, self.samples)?;
            self.metrics.draw()?;
            let _ = (self.on_event)(Event::Checkpoint(step));
        }
        measured
    }

    fn measure(&mut self, step: usize) -> Result<()> {
        let model = self.averaged();
        let tensors = named_tensors(&model);
        let measured = self.validator.measure(self.description, model)?;
        for passed_over in self.validator.news(&measured) {
            let _ = (self.on_event)(Event::PassedOver(passed_over));
        }
        self.metrics.measured(step, &measured)?;
        self.checkpoints.keep_best(step, &measured, &tensors)?;
        let _ = (self.on_event)(Event::Validation(step, measured));
        Ok(())
    }

    /// The model to measure and to keep: averaged, if the run says so.
    fn averaged(&self) -> ClipModel {
        let trainer = &self.trainer;
        trainer.optimizer().averaged(trainer.model()).valid()
    }

    fn finish(&self) -> Result<Outcome> {
        let dir = self.run.out.join("model");
        let tensors = named_tensors(&self.averaged());
        write_checkpoint(&dir, self.description, &tensors, self.run.dtype)?;
        Ok(Outcome::Finished(dir))
    }
}
