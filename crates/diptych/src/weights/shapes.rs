//! The architecture of a checkpoint that says nothing about itself, from its tensors' shapes.
//!
//! Source: `build_model` in OpenAI's `clip/model.py`, commit d05afc4. Heads are 64 wide, and the
//! activation is QuickGELU, as in all models that OpenAI published.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::Result;
use crate::model::ClipConfig;

/// The architecture that has tensors of these names and shapes.
///
/// # Errors
/// [`crate::Error::Architecture`] naming `origin` and the tensor that is missing.
pub(super) fn architecture(
    origin: &str,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> Result<ClipConfig> {
    let refuse = |reason: String| crate::Error::Architecture {
        origin: origin.into(),
        reason,
    };
    let dimension = |name: &str, i: usize| {
        let shape = shapes.get(name);
        shape.and_then(|shape| shape.get(i)).copied().ok_or_else(|| {
            refuse(format!(
                "there is no configuration beside it, and no `{name}` in it to tell the architecture by"
            ))
        })
    };
    let layers = |path: &str| {
        let numbers = shapes.keys().filter_map(|name| {
            name.strip_prefix(path)?
                .split('.')
                .next()?
                .parse::<usize>()
                .ok()
        });
        numbers.collect::<BTreeSet<_>>().len()
    };
    let root = |n: usize| (n.saturating_sub(1) as f64).sqrt().round() as usize;
    let vision = if shapes.contains_key("visual.proj") {
        let patch = dimension("visual.conv1.weight", 3)?;
        let grid = root(dimension("visual.positional_embedding", 0)?);
        json!({
            "image_size": grid.saturating_mul(patch),
            "layers": layers("visual.transformer.resblocks."),
            "width": dimension("visual.conv1.weight", 0)?,
            "patch_size": patch,
        })
    } else {
        let grid = root(dimension("visual.attnpool.positional_embedding", 0)?);
        let stages = [1, 2, 3, 4].map(|stage| layers(&format!("visual.layer{stage}.")));
        json!({
            "image_size": grid.saturating_mul(32),
            "layers": stages,
            "width": dimension("visual.layer1.0.conv1.weight", 0)?,
        })
    };
    let width = dimension("ln_final.weight", 0)?;
    let config = json!({
        "embed_dim": dimension("text_projection", 1)?,
        "vision_cfg": vision,
        "text_cfg": {
            "context_length": dimension("positional_embedding", 0)?,
            "vocab_size": dimension("token_embedding.weight", 0)?,
            "width": width,
            "heads": width / 64,
            "layers": layers("transformer.resblocks."),
        },
        "quick_gelu": true,
    });
    ClipConfig::from_json(origin, config)
}
