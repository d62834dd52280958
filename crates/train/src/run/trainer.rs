//! One step of any task: a batch → gradients → the optimiser.

use std::iter::once;

use burn::module::Module;

use super::task::{Gradients, Task};
use crate::optimise::Optimizer;
use crate::{Error, Result};

/// Numbers of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<N> {
    /// The loss.
    pub loss: f32,
    /// The task's own numbers, beside it.
    pub numbers: N,
    /// Norm of the gradient of all parameters together, before clipping.
    pub gradient_norm: f32,
}

/// A model on its way through one run.
pub struct Trainer<'t, T: Task> {
    task: &'t T,
    model: T::Model,
    optimizer: Optimizer,
}

impl<'t, T: Task> Trainer<'t, T> {
    /// Trains `model`, which lies on a device with autodiff.
    pub fn new(task: &'t T, model: T::Model, optimizer: Optimizer) -> Self {
        Self {
            task,
            model,
            optimizer,
        }
    }

    /// The task, which is what is trained.
    pub fn task(&self) -> &'t T {
        self.task
    }

    /// The model as it is now.
    pub fn model(&self) -> &T::Model {
        &self.model
    }

    /// The optimiser as it is now.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// The model to measure and to keep, without autodiff: averaged, if the run says so.
    pub fn averaged(&self) -> T::Model {
        match self.optimizer.config().ema {
            Some(_) => self
                .task
                .settle(self.optimizer.averaged(&self.model))
                .valid(),
            None => self.model.valid(),
        }
    }

    /// One step, numbered from 0, on one batch.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the loss, the gradient or a number that the task watches is not
    /// finite; the parameters are then left as they were. Those of the task.
    pub fn step(&mut self, batch: &T::Batch, step: usize) -> Result<Step<T::Numbers>> {
        let Gradients {
            mut named,
            loss,
            numbers,
            watched,
        } = self.task.gradients(&self.model, batch, step)?;
        let gradient_norm = named.norm();
        let finite = once(("the loss", loss)).chain(watched);
        for (what, value) in finite.chain([("the gradient's norm", gradient_norm)]) {
            if !value.is_finite() {
                return Err(Error::Diverged {
                    step: step + 1,
                    what,
                    value,
                    learning_rate: self.optimizer.config().rate(step),
                    context: "the parameters stay as they were".into(),
                });
            }
        }
        if let Some(limit) = self.optimizer.config().clip_norm {
            named.clip(gradient_norm, limit);
        }
        let model = self.optimizer.step(self.model.clone(), named, step)?;
        self.model = self.task.settle(model);
        Ok(Step {
            loss,
            numbers,
            gradient_norm,
        })
    }
}
