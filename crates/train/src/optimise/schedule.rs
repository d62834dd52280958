//! The learning rate of a step.
//!
//! Sources: `cosine_lr` in open_clip's `scheduler.py`; Hägele et al., arXiv 2405.18392, section 3.

use std::f64::consts::PI;

use super::settings::Optimization;

impl Optimization {
    /// The learning rate of `step`, from 0: linear warm-up, then a cosine to zero; or a plateau,
    /// and at its end a decay by 1 − √, if the run says how long that is to take.
    pub fn rate(&self, step: usize) -> f64 {
        let Self {
            steps,
            warmup_steps,
            decay_steps,
            learning_rate,
            ..
        } = *self;
        if step < warmup_steps {
            return learning_rate * (step + 1) as f64 / warmup_steps as f64;
        }
        let first = match decay_steps {
            Some(decay) => steps.saturating_sub(decay),
            None => warmup_steps,
        };
        let steps = steps.saturating_sub(first).max(1);
        let done = step.saturating_sub(first) as f64 / steps as f64;
        learning_rate
            * match decay_steps {
                Some(_) => 1.0 - done.sqrt(),
                None => 0.5 * (1.0 + (PI * done).cos()),
            }
    }
}
