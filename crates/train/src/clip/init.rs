//! Where a run begins: every parameter drawn from its table's distribution, or another model's.

use diptych::Device;
use diptych::model::{BuildOptions, ClipConfig, ClipModel, Fresh};
use diptych::weights::{Checkpoint, Description};

use super::run_file::Run;
use crate::{Error, Result};

/// The model that a run begins with: drawn afresh, or another's parameters, which may be of another
/// picture size.
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
    let size = config.vision_cfg.image_size;
    let mut resized = checkpoint.description().clone();
    let is_resized = resized.config.vision_cfg.image_size != size;
    resized.config.vision_cfg.image_size = size;
    resized.preprocess.size = size;
    if !is_same_model(&resized, description) {
        return Err(Error::OtherModel {
            init: init.clone(),
            architecture: run.architecture.clone(),
        });
    }
    if is_resized {
        let at_size = checkpoint.at_size(size);
        checkpoint = at_size.map_err(|error| Error::named("init", error))?;
    }
    let config = checkpoint.description().config.clone();
    let model = ClipModel::build_with(&config, &mut checkpoint, device, options)?;
    Ok(model)
}

/// Whether two descriptions are of one architecture, vocabulary and preprocessing.
pub(super) fn is_same_model(a: &Description, b: &Description) -> bool {
    plain(&a.config) == plain(&b.config)
        && a.preprocess == b.preprocess
        && match (a.tokenizer.as_clip(), b.tokenizer.as_clip()) {
            (Some(a), Some(b)) => a.has_vocabulary_of(b),
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

#[cfg(test)]
mod tests {
    use diptych::model::named_tensors;
    use diptych::text::{ClipTokenizer, SpecialTokens};
    use diptych::weights::Checkpoint;
    use diptych_testing::folder;

    use super::*;

    #[test]
    fn a_run_may_begin_with_a_model_of_smaller_pictures() {
        let run: Run = toml::from_str(&format!(
            "out = \"run\"\narchitecture = \"a.json\"\ninit = {:?}\ndata = []\n\
             optimizer = {{ steps = 1, batch_size = 2, learning_rate = 1, warmup_steps = 0 }}",
            folder("tiny-resnet")
        ))
        .unwrap();
        let small = Checkpoint::open(folder("tiny-resnet")).unwrap();
        let mut description = small.description().clone();
        description.config.vision_cfg.image_size = 96;
        description.preprocess.size = 96;
        let begun = |description: &Description| {
            start(&run, description, BuildOptions::default(), &Device::flex())
        };
        let shape = |model: &ClipModel, name: &str| {
            let mut tensors = named_tensors(model).into_iter();
            let (_, tensor) = tensors.find(|(found, _)| found == name).unwrap();
            tensor.shape().to_vec()
        };
        let model = begun(&description).unwrap();
        // The mean's, and those of a grid of 3 × 3.
        assert_eq!(shape(&model, "visual.attnpool.positional_embedding")[0], 10);
        // OpenAI's files spell special tokens otherwise, and their vocabulary is open_clip's.
        let other = ClipTokenizer::with_vocab_size(540, SpecialTokens::OpenAi).unwrap();
        description.tokenizer = other.into();
        begun(&description).unwrap();
        description.config.embed_dim += 1;
        let error = begun(&description).err().unwrap();
        assert!(matches!(error, Error::OtherModel { .. }), "{error}");
    }
}
