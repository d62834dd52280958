//! The optimiser as a run file asks for it: `[optimizer]`.

use serde::{Deserialize, Serialize};

/// The rule that moves parameters by their gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// AdamW.
    #[default]
    AdamW,
    /// Muon for the matrices that the task names, AdamW for all else. Its momentum is 0.95,
    /// whatever `beta1` is.
    Muon,
}

/// The optimiser and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimization {
    /// AdamW, or Muon.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Optimiser steps.
    pub steps: usize,
    /// Samples a step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Steps at the end in which the rate falls to zero, after a plateau; without it, the rate
    /// falls by a cosine from the warm-up's end on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decay_steps: Option<usize>,
    /// Decoupled weight decay, on weights of two or more dimensions.
    #[serde(default = "default_weight_decay")]
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    #[serde(default = "default_beta1")]
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    #[serde(default = "default_beta2")]
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
    /// Norm that the gradient of all parameters together is scaled down to, where it is larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decay of a moving average of the parameters, which is what is measured and what the
    /// finished model holds. None, if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Pairs that go through the towers at once, where a batch does not fit into memory: the loss
    /// is still over the whole batch, at the price of a second forward pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<usize>,
}

// CLIP's values, Table 18 of the paper: decay 0.2, and for Vision Transformers β₂ = 0.98, ε = 1e-6.
fn default_weight_decay() -> f64 {
    0.2
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.98
}

fn default_epsilon() -> f64 {
    1e-6
}

impl Optimization {
    /// Says what can't be followed, by its key.
    ///
    /// # Errors
    /// In words, for the first value that is out of its range.
    pub fn check(&self) -> Result<(), String> {
        let rates = [
            ("learning_rate", self.learning_rate, 0.0..=1e3),
            ("weight_decay", self.weight_decay, 0.0..=1e3),
            ("beta1", self.beta1, 0.0..=0.999_999),
            ("beta2", self.beta2, 0.0..=0.999_999),
            ("epsilon", self.epsilon, 1e-30..=1.0),
        ];
        for (name, value, range) in rates {
            if !range.contains(&value) {
                return Err(format!("`{name}` is {value}, wanted {range:?}"));
            }
        }
        for (name, value, range) in [
            ("clip_norm", self.clip_norm, 1e-9..=1e9),
            ("ema", self.ema, 0.0..=0.999_999_9),
        ] {
            if value.is_some_and(|value| !range.contains(&value)) {
                return Err(format!("`{name}` is {value:?}, wanted {range:?}"));
            }
        }
        for (name, value) in [
            ("chunk_size", self.chunk_size.unwrap_or(1)),
            ("steps", self.steps),
            ("batch_size", self.batch_size),
        ] {
            if value == 0 {
                return Err(format!("`{name}` is 0, wanted at least 1"));
            }
        }
        if self.warmup_steps > self.steps {
            return Err(format!(
                "`warmup_steps` is {}, `steps` only {}",
                self.warmup_steps, self.steps
            ));
        }
        let most = self.steps - self.warmup_steps;
        match self.decay_steps {
            Some(decay) if decay > most => Err(format!(
                "`decay_steps` is {decay}, wanted at most {most}: `steps` less `warmup_steps`"
            )),
            _ => Ok(()),
        }
    }
}
