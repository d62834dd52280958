//! The architecture of a checkpoint that says nothing about itself, from its tensors' shapes.
//!
//! Source: `build_model` in OpenAI's `clip/model.py`, commit d05afc4. Heads are 64 wide, and the
//! activation is QuickGELU, as in all models that OpenAI published.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Tensors;
use super::wrappers::{Names, contents};
use crate::Result;
use crate::model::ClipConfig;

/// The architecture of a checkpoint whose tensors have these names and shapes.
///
/// # Errors
/// [`crate::Error::Architecture`] naming `origin` and what was found in place of a CLIP.
pub(super) fn architecture(origin: &str, tensors: &Tensors) -> Result<ClipConfig> {
    let refuse = |reason: String| crate::Error::Architecture {
        origin: origin.into(),
        reason,
    };
    let names = Names::of(tensors.names());
    if !names.problems.is_empty() {
        return Err(refuse(names.problems.join("; ")));
    }
    let shapes: BTreeMap<&str, &[usize]> = names
        .iter()
        .filter_map(|(name, found)| Some((name, tensors.shape(found)?)))
        .collect();
    if let Some(reason) = no_openai_clip(&shapes) {
        return Err(refuse(reason));
    }
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

/// Why tensors of these names are no CLIP that can be told by its shapes, if so.
fn no_openai_clip(shapes: &BTreeMap<&str, &[usize]>) -> Option<String> {
    let any = |start: &str| shapes.keys().any(|name| name.starts_with(start));
    let is_hf = any("text_model.") || any("vision_model.");
    let (image, text) = (
        any("visual."),
        shapes.contains_key("token_embedding.weight"),
    );
    let names: Vec<&str> = shapes.keys().copied().collect();
    let reason = if is_hf {
        "its names are transformers', whose config.json has to be beside it, and the file has to be called \
         model.safetensors or pytorch_model.bin"
            .to_owned()
    } else if !image && !text {
        let contents = contents(&names);
        format!("no CLIP: {contents}; a CLIP has `token_embedding.weight` and `visual.…`")
    } else if !image {
        format!(
            "no image tower, whose tensors are `visual.…`: {}",
            contents(&names)
        )
    } else if !text {
        format!(
            "no text tower, which has `token_embedding.weight`: {}",
            contents(&names)
        )
    } else {
        let towers = ["visual.proj", "visual.attnpool.positional_embedding"];
        if towers.iter().any(|name| shapes.contains_key(name)) {
            return None;
        }
        format!(
            "its image tower is neither OpenAI's ViT, which has `{}`, nor its ResNet, which has `{}`",
            towers[0], towers[1]
        )
    };
    Some(reason)
}
