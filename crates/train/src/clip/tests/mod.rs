//! CLIP's steps against PyTorch's record, finite differences, and itself.

mod batches;
mod old_keys;
mod outputs;
mod recorded;
mod runs;
mod steps;

use super::*;
use crate::optimise::{Algorithm, Optimization, Optimizer};
use crate::run::{Task, Trainer};
use diptych::model::{ClipConfig, ClipModel, Freeze};
use diptych::weights::{Checkpoint, Description};
use diptych_testing::folder;

/// A trainer that borrows what lives as long as the tests.
type ClipTrainer = Trainer<'static, ClipTask<'static>>;

/// A run that only its options tell from others.
fn run_of(optimizer: Optimization, loss: Loss, freeze: Freeze) -> Run {
    let mut run: Run = toml::from_str(
        "out = \"out\"\narchitecture = \"test\"\ndata = []\n\
         optimizer = { steps = 1, batch_size = 8, learning_rate = 1, warmup_steps = 0 }",
    )
    .unwrap();
    run.settings.optimizer = optimizer;
    Run {
        loss,
        freeze,
        ..run
    }
}

/// A trainer of a model of `config`.
fn trainer_of(model: ClipModel, config: &ClipConfig, run: Run) -> ClipTrainer {
    let golden = Checkpoint::open(folder("tiny-vit")).unwrap();
    let description = Description {
        config: config.clone(),
        ..golden.description().clone()
    };
    let run: &Run = Box::leak(Box::new(run));
    let optimizer = Optimizer::new(run.settings.optimizer.clone(), ClipTask::matrices);
    let task = ClipTask::with_description(run, description, Device::flex()).unwrap();
    Trainer::new(Box::leak(Box::new(task)), model, optimizer)
}

/// The gradients of the model as it is.
fn gradients(trainer: &ClipTrainer, batch: &Batch) -> BatchGradients {
    let contrastive = trainer.task().contrastive();
    contrastive.gradients(trainer.model(), batch).unwrap()
}

fn optimizer(steps: usize, warmup_steps: usize) -> Optimization {
    Optimization {
        steps,
        batch_size: 8,
        learning_rate: 1e-3,
        warmup_steps,
        weight_decay: 0.2,
        algorithm: Algorithm::AdamW,
        decay_steps: None,
        beta1: 0.9,
        beta2: 0.98,
        epsilon: 1e-6,
        clip_norm: None,
        ema: None,
        chunk_size: None,
    }
}
