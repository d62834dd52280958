//! Where a run begins: every parameter drawn from its table's distribution, or another model's.

use diptych::Device;
use diptych::model::{BuildOptions, ClipModel, Fresh};
use diptych::weights::{Checkpoint, Description};

use super::checkpoint::is_same_model;
use super::config::Run;
use crate::{Error, Result};

/// The model that a run begins with: drawn afresh, or another's parameters.
///
/// # Errors
/// Those of [`Checkpoint::named`]; [`Error::Run`] if that is of another architecture.
pub(super) fn start(
    run: &Run,
    description: &Description,
    options: BuildOptions,
    device: &Device,
) -> Result<ClipModel> {
    let config = &description.config;
    let Some(init) = &run.init else {
        let mut fresh = Fresh::new(config, run.seed);
        return Ok(ClipModel::build_with(config, &mut fresh, device, options)?);
    };
    let mut checkpoint = Checkpoint::named(init)?;
    if !is_same_model(checkpoint.description(), description) {
        return Err(Error::Run {
            origin: init.clone(),
            reason: format!(
                "`init` has another architecture, tokenizer or preprocessing than {}",
                run.architecture
            ),
        });
    }
    let config = checkpoint.description().config.clone();
    let model = ClipModel::build_with(&config, &mut checkpoint, device, options)?;
    Ok(model)
}
