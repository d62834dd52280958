//! A run from its first step to its finished model: steps, measurements, checkpoints, and the
//! record of them.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Instant;

use super::ahead::Ahead;
use super::best::Best;
use super::checkpoint::Checkpoints;
use super::event::{Event, Outcome, Progress};
use super::folder;
use super::record::Record;
use super::settings::Settings;
use super::task::{Measurement, Notice, Purpose, Task};
use super::trainer::Trainer;
use crate::optimise::Optimizer;
use crate::{Error, Result};

/// An [`Event`] of a task.
type EventOf<T> = Event<<T as Task>::Numbers, <T as Task>::Measured>;

/// Trains `task` as `settings` say, from its last checkpoint if `resume` is set.
///
/// `on_event` is called after every step and may break the run off; what is done by then is kept.
///
/// # Errors
/// Those of the task and of the disk; [`Error::RunFile`] for settings out of their range;
/// [`Error::Diverged`]; [`Error::Busy`] if another process is at work on this run;
/// [`Error::Occupied`] if its folder holds other files and no run; [`Error::UnfinishedRun`] if it
/// holds a run that is not to be resumed; [`Error::OtherRun`] if that was begun otherwise.
pub fn train<T: Task>(
    task: &T,
    settings: &Settings,
    resume: bool,
    on_event: &mut dyn FnMut(EventOf<T>) -> ControlFlow<()>,
) -> Result<Outcome> {
    settings.check().map_err(|reason| Error::RunFile {
        origin: settings.out.display().to_string(),
        reason,
    })?;
    folder::check(&settings.out)?;
    let _lock = folder::lock(&settings.out)?;
    let checkpoints = Checkpoints::new(task, settings);
    let mut optimizer =
        Optimizer::new(settings.optimizer.clone(), T::matrices).with_precision(task.precision());
    let saved = checkpoints.load(&mut optimizer)?;
    let done = saved.as_ref().map_or(0, |saved| saved.step);
    if saved.is_some() && !resume {
        return Err(Error::UnfinishedRun {
            out: settings.out.clone(),
            step: done,
        });
    }
    let opened = task.open(&mut |notice| match notice {
        Notice::PassedOver(passed_over) => on_event(Event::PassedOver(passed_over)),
        Notice::Warning(warning) => on_event(Event::Warning(warning)),
    })?;
    let ControlFlow::Continue(data) = opened else {
        return Ok(Outcome::Interrupted(done));
    };
    let best = Best::new(task, settings);
    let model = match saved {
        Some(saved) => {
            saved.check(task.samples(&data))?;
            saved.model
        }
        None => {
            best.forget()?;
            task.start()?
        }
    };
    folder::echo(&settings.out, &task.echo()?)?;
    let mut session = Session {
        task,
        settings,
        data: &data,
        checkpoints,
        best,
        trainer: Trainer::new(task, model, optimizer),
        record: Record::open::<T>(&settings.out, done)?,
        told: HashSet::new(),
        on_event,
    };
    let ready = Event::Ready {
        samples: task.samples(&data),
        pass: task.pass(&data),
        step: done,
    };
    if (session.on_event)(ready).is_break() {
        return Ok(Outcome::Interrupted(done));
    }
    session.steps(done)
}

/// One call of [`train`].
struct Session<'a, T: Task> {
    task: &'a T,
    settings: &'a Settings,
    data: &'a T::Data,
    checkpoints: Checkpoints<'a, T>,
    best: Best<'a, T>,
    trainer: Trainer<'a, T>,
    record: Record,
    /// Samples that were passed over when they were measured on.
    told: HashSet<String>,
    on_event: &'a mut dyn FnMut(EventOf<T>) -> ControlFlow<()>,
}

impl<T: Task> Session<'_, T> {
    /// Steps from `first`, from 0, to the last.
    fn steps(&mut self, first: usize) -> Result<Outcome> {
        let steps = self.settings.optimizer.steps;
        let (task, data) = (self.task, self.data);
        std::thread::scope(|scope| {
            let batches = Ahead::new(scope, first..steps, move |step| task.batch(data, step));
            let began = Instant::now();
            for (step, batch) in (first..steps).zip(batches) {
                let batch = batch?;
                for passed_over in task.skipped(&batch) {
                    if (self.on_event)(Event::PassedOver(passed_over.clone())).is_break() {
                        return self.stop(step, first);
                    }
                }
                let numbers = match self.trainer.step(&batch, step) {
                    Ok(numbers) => numbers,
                    Err(error) => {
                        self.record.draw()?;
                        return Err(self.checkpoints.explain(error, task.sources(&batch)));
                    }
                };
                let per_step = began.elapsed() / (step + 1 - first) as u32;
                let progress = Progress {
                    step: step + 1,
                    steps,
                    loss: numbers.loss,
                    numbers: numbers.numbers,
                    gradient_norm: numbers.gradient_norm,
                    learning_rate: self.settings.optimizer.rate(step),
                    samples_per_s: self.settings.optimizer.batch_size as f64
                        / per_step.as_secs_f64(),
                    remaining: per_step * (steps - step - 1) as u32,
                };
                self.record.step(&progress)?;
                let flow = (self.on_event)(Event::Step(progress));
                self.after(step + 1, flow.is_break())?;
                if flow.is_break() && step + 1 < steps {
                    return Ok(Outcome::Interrupted(step + 1));
                }
            }
            let place = self.settings.out.join("model");
            let model = self.trainer.averaged();
            folder::replace_model(self.task, &place, &model, Purpose::Use)?;
            Ok(Outcome::Finished(place))
        })
    }

    /// Ends the run between two steps; what was done since `first` is kept.
    fn stop(&mut self, step: usize, first: usize) -> Result<Outcome> {
        if step > first {
            self.save(step)?;
        }
        Ok(Outcome::Interrupted(step))
    }

    /// Measures and saves, where it is time.
    fn after(&mut self, step: usize, interrupted: bool) -> Result<()> {
        let last = step == self.settings.optimizer.steps;
        // Before the checkpoint, so that a resumed run's record has it; but an error here must not
        // cost the steps since the last one.
        let measured = match self.settings.measure_every {
            Some(every) if last || (step.is_multiple_of(every) && !interrupted) => {
                self.measure(step)
            }
            _ => Ok(()),
        };
        if last || interrupted || step.is_multiple_of(self.settings.checkpoint_every) {
            self.save(step)?;
            let _ = (self.on_event)(Event::Checkpoint(step));
        }
        measured
    }

    fn save(&mut self, step: usize) -> Result<()> {
        self.record.flush()?;
        let samples = self.task.samples(self.data);
        self.checkpoints.save(step, &self.trainer, samples)?;
        self.record.draw()
    }

    fn measure(&mut self, step: usize) -> Result<()> {
        let model = self.trainer.averaged();
        let Measurement {
            score,
            measured,
            passed_over,
        } = self.task.measure(self.data, model.clone())?;
        for passed_over in passed_over {
            if self.told.insert(passed_over.example.clone()) {
                let _ = (self.on_event)(Event::PassedOver(passed_over));
            }
        }
        self.record.measured(step, &measured)?;
        self.best.keep(step, score, &measured, &model)?;
        let _ = (self.on_event)(Event::Validation(step, measured));
        Ok(())
    }
}
