//! Where a run begins: every parameter drawn from its table's distribution, or another model's.

use std::collections::HashMap;

use burn::tensor::{Device, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::checkpoint::is_same_model;
use super::config::Run;
use super::hash::fnv1a;
use crate::model::{BuildOptions, ClipConfig, ClipModel, Init, Parameter, Source, parameters};
use crate::weights::{Checkpoint, Description};
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

/// The model that a run begins with: drawn afresh, or another's parameters.
///
/// # Errors
/// Those of [`Checkpoint::named`]; [`Error::Config`] if that is of another architecture.
pub(super) fn start(
    run: &Run,
    description: &Description,
    options: BuildOptions,
    device: &Device,
) -> Result<ClipModel> {
    let config = &description.config;
    let Some(init) = &run.init else {
        let mut fresh = Fresh::new(config, run.seed);
        return ClipModel::build_with(config, &mut fresh, device, options);
    };
    let mut checkpoint = Checkpoint::named(init)?;
    if !is_same_model(checkpoint.description(), description) {
        return Err(Error::Config {
            origin: init.clone(),
            reason: format!(
                "`init` has another architecture, tokenizer or preprocessing than {}",
                run.architecture
            ),
        });
    }
    let config = checkpoint.description().config.clone();
    ClipModel::build_with(&config, &mut checkpoint, device, options)
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
