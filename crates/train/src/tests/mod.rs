//! The trainer against PyTorch's record, finite differences, and itself.

mod outputs;
mod recorded;
mod runs;
mod steps;

use super::*;

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
