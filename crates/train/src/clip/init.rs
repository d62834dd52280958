//! Where a run begins: every parameter drawn from its table's distribution, or another model's.

use diptych::Device;
use diptych::model::{BuildOptions, ClipConfig, ClipModel, Fresh};
use diptych::weights::{Checkpoint, Description};

use super::run_file::Run;
use crate::{Error, Result};

/// The model that a run begins with: drawn afresh, or another's parameters.
///
/// # Errors
/// [`Error::Named`] with those of [`Checkpoint::named`]; [`Error::OtherModel`] if that is of
/// another architecture.
pub(super) fn start(
    run: &Run,
    description: &Description,
    options: BuildOptions,
    device: &Device,
) -> Result<ClipModel> {
    let config = &description.config;
    let Some(init) = &run.init else {
        let mut fresh = Fresh::new(config, run.settings.seed);
        return Ok(ClipModel::build_with(config, &mut fresh, device, options)?);
    };
    let mut checkpoint = Checkpoint::named(init).map_err(|error| Error::named("init", error))?;
    if !is_same_model(checkpoint.description(), description) {
        return Err(Error::OtherModel {
            init: init.clone(),
            architecture: run.architecture.clone(),
        });
    }
    let config = checkpoint.description().config.clone();
    let model = ClipModel::build_with(&config, &mut checkpoint, device, options)?;
    Ok(model)
}

/// Whether two descriptions are of one architecture, tokenizer and preprocessing.
pub(super) fn is_same_model(a: &Description, b: &Description) -> bool {
    plain(&a.config) == plain(&b.config)
        && a.preprocess == b.preprocess
        && match (a.tokenizer.as_clip(), b.tokenizer.as_clip()) {
            (Some(a), Some(b)) => a == b,
            _ => a.tokenizer.vocab_size() == b.tokenizer.vocab_size(),
        }
}

/// An architecture without what writing a checkpoint fills in.
fn plain(config: &ClipConfig) -> ClipConfig {
    let mut config = config.clone();
    config.text_cfg.hf_tokenizer_name = None;
    config.text_cfg.tokenizer_kwargs = None;
    config
}
