//! Parameters drawn afresh, by the table's distributions.

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::config::ClipConfig;
use super::parameters::{Source, parameters};
use super::table::{Init, Parameter};
use crate::weights::TensorData;
use crate::{Error, fnv1a};

/// Draws parameters from a seed; the same seed and architecture give the same model.
pub struct Fresh {
    table: HashMap<String, Parameter>,
    seed: u64,
}

impl Fresh {
    /// A source for `config`'s parameters.
    pub fn new(config: &ClipConfig, seed: u64) -> Self {
        Self::of_table(parameters(config), seed)
    }

    /// A source for the parameters of any network's [`Table`](super::Table).
    pub fn of_table(table: impl IntoIterator<Item = Parameter>, seed: u64) -> Self {
        let table = table.into_iter().map(|p| (p.name.clone(), p)).collect();
        Self { table, seed }
    }
}

impl Source for Fresh {
    fn read(&mut self, name: &str) -> Result<TensorData, Error> {
        let parameter = self.table.get(name).ok_or_else(|| Error::Tensors {
            path: "a fresh model".into(),
            reason: format!("no parameter `{name}` in its table"),
        })?;
        let is_drawable = match parameter.init {
            Init::Constant(_) => true,
            Init::Normal(bound) | Init::Uniform(bound) => bound.is_finite() && bound >= 0.0,
        };
        if !is_drawable {
            return Err(Error::Tensors {
                path: "a fresh model".into(),
                reason: format!("`{name}` can't be drawn by {:?}", parameter.init),
            });
        }
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

/// A fresh model whose residual blocks do something: the last scale of a fresh ResNet's is 0.
#[cfg(test)]
pub(crate) struct Alive(Fresh);

#[cfg(test)]
impl Alive {
    pub(crate) fn new(config: &ClipConfig, seed: u64) -> Self {
        Self(Fresh::new(config, seed))
    }
}

#[cfg(test)]
impl Source for Alive {
    fn read(&mut self, name: &str) -> Result<TensorData, Error> {
        let data = self.0.read(name)?;
        let shape = data.shape().to_vec();
        Ok(if name.ends_with("bn3.weight") {
            TensorData::new(vec![0.3; shape.iter().product()], shape)
        } else {
            data
        })
    }
}
