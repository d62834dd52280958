//! A fresh model: every parameter drawn from its table's distribution.

use std::collections::HashMap;

use burn::tensor::TensorData;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::hash::fnv1a;
use crate::model::{ClipConfig, Init, Parameter, Source, parameters};
use crate::{Error, Result};

/// Draws parameters from a seed; the same seed and architecture give the same model.
pub struct Fresh {
    table: HashMap<String, Parameter>,
    seed: u64,
}

impl Fresh {
    /// A source for `config`'s parameters.
    pub fn new(config: &ClipConfig, seed: u64) -> Self {
        let table = parameters(config)
            .into_iter()
            .map(|p| (p.name.clone(), p))
            .collect();
        Self { table, seed }
    }
}

impl Source for Fresh {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        let parameter = self.table.get(name).ok_or_else(|| Error::Config {
            origin: "fresh model".into(),
            reason: format!("no parameter `{name}` in the architecture's table"),
        })?;
        // Each parameter has a stream of its own, so the order of reading has no effect.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ fnv1a(name));
        let count = parameter.shape.iter().product();
        let mut draw = || match parameter.init {
            Init::Constant(value) => value,
            Init::Normal(std) => {
                let z: f32 = StandardNormal.sample(&mut rng);
                std * z
            }
            Init::Uniform(bound) => rng.random_range(-bound..=bound),
        };
        let values: Vec<f32> = (0..count).map(|_| draw()).collect();
        Ok(TensorData::new(values, parameter.shape.clone()))
    }
}
