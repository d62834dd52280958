//! CLIP's steps against PyTorch's record, finite differences, and itself.

mod batches;
mod old_keys;
mod outputs;
mod recorded;
mod runs;
mod steps;

use super::*;
use crate::optimise::tests::optimizer;
use crate::optimise::{Algorithm, Optimization, Optimizer};
use crate::run::{Task, Trainer};
use diptych::DeviceKind;
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

/// Where the recorded steps are taken: on the CPU, or on what `DIPTYCH_TEST_DEVICE` names.
fn tested() -> Device {
    let named = std::env::var("DIPTYCH_TEST_DEVICE").unwrap_or("cpu".into());
    let kind = DeviceKind::NAMES.iter().find(|(name, _)| *name == named);
    kind.unwrap().1.open().unwrap()
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
    let task = ClipTask::with_description(run, description, tested()).unwrap();
    Trainer::new(Box::leak(Box::new(task)), model, optimizer)
}

/// The gradients of the model as it is.
fn gradients(trainer: &ClipTrainer, batch: &Batch) -> BatchGradients {
    let contrastive = trainer.task().contrastive();
    contrastive.gradients(trainer.model(), batch).unwrap()
}
