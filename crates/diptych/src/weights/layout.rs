//! What checkpoints call their tensors, and how they lay them out.
//!
//! Ours are open_clip's names. OpenAI's are the same with some more entries; open_clip's own
//! `CustomTextCLIP` puts `text.` before the text tower's; transformers has names of its own, keeps
//! queries, keys and values apart, and its projections are linear layers, which are transposed.
//!
//! Sources: `convert_clip_original_pytorch_to_hf.py` in transformers, `convert_to_custom_text_state_dict`
//! in open_clip's `model.py`, 3.3.0.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use super::storage::Storage;
use crate::{Error, Result};

/// How each of our tensors comes out of a checkpoint's.
pub(super) struct Layout(BTreeMap<String, Recipe>);

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
enum Recipe {
    Same(String),
    /// A matrix whose rows are our columns.
    Transposed(String),
    /// Query, key and value, one after the other.
    Stacked([String; 3]),
}

/// What of our tensor a checkpoint's is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Whole,
    Transposed,
    /// The first, second or third of three.
    Third(usize),
}

/// Entries of checkpoints that are no parameters.
const NO_PARAMETERS: &[&str] = &[
    "input_resolution",
    "context_length",
    "vocab_size",
    "attn_mask",
    "num_batches_tracked",
    "position_ids",
];

impl Layout {
    /// The layout of a checkpoint with tensors of these names.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        let names: Vec<&String> = names.collect();
        // What PyTorch's `DataParallel` and `torch.compile` put before every name.
        let wrapper = ["module.", "_orig_mod."]
            .into_iter()
            .find(|w| !names.is_empty() && names.iter().all(|name| name.starts_with(w)))
            .unwrap_or_default();
        let bare = |name: &'a String| name.strip_prefix(wrapper).unwrap_or(name);
        let is_hf = names
            .iter()
            .any(|name| bare(name).starts_with("text_model."));
        let mut recipes = BTreeMap::new();
        let mut thirds = BTreeMap::<String, [Option<String>; 3]>::new();
        for name in names {
            let inner = bare(name);
            let last = inner.rsplit('.').next().unwrap_or(inner);
            if NO_PARAMETERS.contains(&last) {
                continue;
            }
            let (ours, part) = match is_hf {
                true => from_hf(inner),
                false => (from_open_clip(inner), Part::Whole),
            };
            match part {
                Part::Whole => drop(recipes.insert(ours, Recipe::Same(name.clone()))),
                Part::Transposed => drop(recipes.insert(ours, Recipe::Transposed(name.clone()))),
                Part::Third(i) => thirds.entry(ours).or_default()[i] = Some(name.clone()),
            }
        }
        for (ours, parts) in thirds {
            match parts {
                [Some(q), Some(k), Some(v)] => {
                    recipes.insert(ours, Recipe::Stacked([q, k, v]));
                }
                // Two of three: named as what they are, so that the third is missed.
                parts => recipes.extend(parts.into_iter().flatten().map(|name| {
                    let recipe = Recipe::Same(name.clone());
                    (name, recipe)
                })),
            }
        }
        Self(recipes)
    }

    /// Shapes by our names.
    pub(super) fn shapes(
        &self,
        stored: &BTreeMap<String, Vec<usize>>,
    ) -> BTreeMap<String, Vec<usize>> {
        let shape = |name: &String| stored.get(name).cloned().unwrap_or_default();
        let shapes = self.0.iter().map(|(ours, recipe)| {
            let shape = match recipe {
                Recipe::Same(name) => shape(name),
                Recipe::Transposed(name) => shape(name).into_iter().rev().collect(),
                Recipe::Stacked(names) => {
                    let shapes = names.each_ref().map(shape);
                    let mut stacked = shapes[0].clone();
                    // Of different widths they are not stacked, and fit no architecture.
                    let alike = shapes.iter().all(|s| s.get(1..) == shapes[0].get(1..));
                    if let (Some(rows), true) = (stacked.first_mut(), alike) {
                        *rows = shapes.iter().filter_map(|s| s.first()).sum();
                    }
                    stacked
                }
            };
            (ours.clone(), shape)
        });
        shapes.collect()
    }

    /// Reads the tensor that we call `name`.
    ///
    /// # Errors
    /// Those of [`Storage::read`].
    pub(super) fn read(&self, storage: &Storage, name: &str) -> Result<TensorData> {
        match self.0.get(name) {
            None => Err(Error::Tensors {
                path: storage.path().to_owned(),
                reason: format!("there is no tensor for `{name}`"),
            }),
            Some(Recipe::Same(theirs)) => storage.read(theirs),
            Some(Recipe::Transposed(theirs)) => Ok(transposed(storage.read(theirs)?)),
            Some(Recipe::Stacked(theirs)) => {
                let parts = theirs.each_ref().map(|name| storage.read(name));
                let [q, k, v] = parts;
                let parts = [q?, k?, v?];
                let mut shape = parts[0].shape().to_vec();
                let mut values = Vec::new();
                let mut rows = 0;
                for part in &parts {
                    rows += part.shape().first().copied().unwrap_or(0);
                    values.extend_from_slice(part.as_slice::<f32>().unwrap_or_default());
                }
                if let Some(first) = shape.first_mut() {
                    *first = rows;
                }
                Ok(TensorData::new(values, shape))
            }
        }
    }
}

fn transposed(data: TensorData) -> TensorData {
    let &[rows, columns] = &data.shape()[..] else {
        return data;
    };
    let values = data.as_slice::<f32>().unwrap_or_default();
    let mut out = vec![0f32; values.len()];
    for (r, row) in values.chunks_exact(columns.max(1)).enumerate() {
        for (c, value) in row.iter().enumerate() {
            out[c * rows + r] = *value;
        }
    }
    TensorData::new(out, [columns, rows])
}

/// open_clip's name, without the prefix that `CustomTextCLIP` gives the text tower.
fn from_open_clip(name: &str) -> String {
    name.strip_prefix("text.").unwrap_or(name).to_owned()
}

/// transformers' names outside the residual blocks, and ours; a tower's prefix is left out.
const OUTER: &[(&str, &str)] = &[
    (
        "embeddings.token_embedding.weight",
        "token_embedding.weight",
    ),
    (
        "embeddings.position_embedding.weight",
        "positional_embedding",
    ),
    ("embeddings.patch_embedding.weight", "conv1.weight"),
    ("embeddings.class_embedding", "class_embedding"),
    ("final_layer_norm.weight", "ln_final.weight"),
    ("final_layer_norm.bias", "ln_final.bias"),
    ("pre_layrnorm.weight", "ln_pre.weight"), // their spelling
    ("pre_layrnorm.bias", "ln_pre.bias"),
    ("post_layernorm.weight", "ln_post.weight"),
    ("post_layernorm.bias", "ln_post.bias"),
];

/// transformers' names of a residual block's layers, and ours.
const INNER: &[(&str, &str)] = &[
    ("self_attn.out_proj", "attn.out_proj"),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
];

/// transformers' names of the projections into the shared embedding, and ours.
const PROJECTIONS: &[(&str, &str)] = &[
    ("text_projection.weight", "text_projection"),
    ("visual_projection.weight", "visual.proj"),
];

/// Their names of query, key and value, which we stack.
const THIRDS: [&str; 3] = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

/// A tower's prefix there and here.
const TOWERS: [(&str, &str); 2] = [("text_model.", ""), ("vision_model.", "visual.")];

/// transformers' name for a `CLIPModel`'s tensor, in our words; as it is, where it has none.
fn from_hf(name: &str) -> (String, Part) {
    if let Some((_, ours)) = PROJECTIONS.iter().find(|(theirs, _)| *theirs == name) {
        return ((*ours).into(), Part::Transposed);
    }
    let tower = TOWERS
        .iter()
        .find_map(|(theirs, ours)| Some((*ours, name.strip_prefix(theirs)?)));
    let Some((tower, rest)) = tower else {
        return (name.into(), Part::Whole);
    };
    if let Some((layer, rest)) = rest
        .strip_prefix("encoder.layers.")
        .and_then(|rest| rest.split_once('.'))
        && let Some((path, kind)) = rest.rsplit_once('.')
    {
        let block = format!("{tower}transformer.resblocks.{layer}");
        if let Some(third) = THIRDS.iter().position(|theirs| *theirs == path) {
            return (format!("{block}.attn.in_proj_{kind}"), Part::Third(third));
        }
        if let Some((_, ours)) = INNER.iter().find(|(theirs, _)| *theirs == path) {
            return (format!("{block}.{ours}.{kind}"), Part::Whole);
        }
    }
    match OUTER.iter().find(|(theirs, _)| *theirs == rest) {
        Some((_, ours)) => (format!("{tower}{ours}"), Part::Whole),
        None => (name.into(), Part::Whole),
    }
}

/// What a tensor of ours is called by transformers, and which part of it that is; empty for a tensor
/// that their `CLIPModel` does not have.
pub(super) fn to_hf(name: &str) -> Vec<(String, Part)> {
    if name == "logit_scale" {
        return vec![(name.into(), Part::Whole)];
    }
    if let Some((theirs, _)) = PROJECTIONS.iter().find(|(_, ours)| *ours == name) {
        return vec![((*theirs).into(), Part::Transposed)];
    }
    // The text tower has no prefix here, so it comes last.
    let tower = TOWERS
        .iter()
        .rev()
        .find_map(|(theirs, ours)| Some((*theirs, name.strip_prefix(ours)?)));
    let Some((tower, rest)) = tower else {
        return Vec::new();
    };
    if let Some((layer, rest)) = rest
        .strip_prefix("transformer.resblocks.")
        .and_then(|rest| rest.split_once('.'))
    {
        let block = format!("{tower}encoder.layers.{layer}");
        if let Some(kind) = rest.strip_prefix("attn.in_proj_") {
            let third = |(i, theirs)| (format!("{block}.{theirs}.{kind}"), Part::Third(i));
            return THIRDS.iter().enumerate().map(third).collect();
        }
        let inner = rest.rsplit_once('.').and_then(|(path, kind)| {
            let (theirs, _) = INNER.iter().find(|(_, ours)| *ours == path)?;
            Some((format!("{block}.{theirs}.{kind}"), Part::Whole))
        });
        return inner.into_iter().collect();
    }
    let outer = OUTER.iter().find(|(_, ours)| *ours == rest);
    let outer = outer.map(|(theirs, _)| (format!("{tower}{theirs}"), Part::Whole));
    outer.into_iter().collect()
}

impl Part {
    /// The shape of this part of a tensor.
    pub(super) fn shape(self, whole: &[usize]) -> Vec<usize> {
        match self {
            Self::Whole => whole.to_vec(),
            Self::Transposed => whole.iter().rev().copied().collect(),
            Self::Third(_) => match whole.split_first() {
                Some((rows, rest)) => [&[rows / 3], rest].concat(),
                None => Vec::new(),
            },
        }
    }

    /// This part of a tensor.
    pub(super) fn of(self, whole: TensorData) -> TensorData {
        match self {
            Self::Whole => whole,
            Self::Transposed => transposed(whole),
            Self::Third(i) => {
                let shape = self.shape(whole.shape());
                let values = whole.as_slice::<f32>().unwrap_or_default();
                let len = values.len() / 3;
                TensorData::new(values[i * len..(i + 1) * len].to_vec(), shape)
            }
        }
    }
}
