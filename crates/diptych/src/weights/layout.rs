//! Names of the tensors in checkpoints, and how their numbers are laid out.
//!
//! Ours are open_clip's names. OpenAI's are the same with some more entries; transformers has names
//! of its own, keeps queries, keys and values apart, and its projections are linear layers, which
//! are transposed. What wraps a model's names is taken off before, in `wrappers`.
//!
//! Source: `convert_clip_original_pytorch_to_hf.py` in transformers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dtype, Problem, StoredDtype, TensorData, Tensors};

use super::wrappers::{Names, contents, some};
use crate::Result;
use crate::model::{Parameter, Positions, Table};
use diptych_kernels::transposed;

/// For each of our tensors the checkpoint's tensors that it is made of, one after the other.
pub(super) struct Layout(BTreeMap<String, Vec<(String, Part)>>);

/// The part of our tensor that a checkpoint's tensor holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Whole,
    /// A matrix whose rows are our columns.
    Transposed,
    /// The first, second or third of three.
    Third(usize),
    /// Positional embeddings for another number of positions, to become so many.
    Positions(Positions, usize),
}

/// Our positional embeddings that open_clip resizes, and those of a ModifiedResNet's attention
/// pool, in the same way.
const POSITIONS: [(&str, Positions); 3] = [
    ("visual.positional_embedding", Positions::Image),
    ("visual.attnpool.positional_embedding", Positions::Image),
    ("positional_embedding", Positions::Text),
];

/// The kind of positions, if a checkpoint has `found` where `wanted` is wanted and they can be
/// resized.
fn resizable(name: &str, found: &[usize], wanted: &[usize]) -> Option<Positions> {
    let (_, kind) = POSITIONS.into_iter().find(|(ours, _)| *ours == name)?;
    match (found, wanted) {
        (&[from, a], &[to, b]) if a == b && kind.fit(from, to) => Some(kind),
        _ => None,
    }
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
    /// The layout of a checkpoint with tensors of these names and shapes, for parameters that are
    /// to be found in it; and what is missing, misshapen or left over, a sentence each.
    pub(super) fn of(
        parameters: &Table,
        names: &Names<'_>,
        tensors: &Tensors,
    ) -> (Self, Vec<String>) {
        let hf = TOWERS[0].0;
        let is_hf = names.iter().any(|(name, _)| name.starts_with(hf));
        let mut problems = names.problems.clone();
        let mut left: BTreeSet<&str> = names.iter().map(|(_, stored)| stored).collect();
        let all = left.len();
        let mut recipes = BTreeMap::new();
        for Parameter { name, shape, .. } in parameters {
            let mut parts = if is_hf {
                to_hf(name)
            } else {
                vec![(name.clone(), Part::Whole)]
            };
            for (theirs, part) in &mut parts {
                let Some(found) = names.stored(theirs) else {
                    problems.push(format!("`{theirs}` is missing"));
                    continue;
                };
                found.clone_into(theirs);
                left.remove(found);
                let wanted = part.shape(shape);
                match tensors.compare_one(found, &wanted) {
                    Some(Problem::Shape { got, .. })
                        if let Some(kind) = resizable(name, &got, &wanted) =>
                    {
                        *part = Part::Positions(kind, wanted[0]);
                    }
                    Some(problem) => problems.push(problem.to_string()),
                    // Integers are not weights themselves; some other program has encoded weights
                    // in them.
                    None => problems.extend(tensors.dtype(found).and_then(|dtype| {
                        let name = dtype.name();
                        let problem =
                            format!("`{theirs}` holds {name}, wanted f64, f32, f16, bf16 or int8");
                        (!dtype.is_float()).then_some(problem)
                    })),
                }
            }
            if parts.is_empty() {
                problems.push(format!("`{name}` is missing"));
            }
            recipes.insert(name.clone(), parts);
        }
        if left.len() == all {
            problems = vec![not_this(parameters, &left)];
            return (Self(recipes), problems);
        }
        let parameter = |name: &&&str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            tensors.shape(name).is_some() && !NO_PARAMETERS.contains(&last)
        };
        let left = left.iter().filter(parameter);
        problems.extend(left.map(|name| format!("`{name}` is unexpected")));
        (Self(recipes), problems)
    }

    /// The number format that holds the tensor that we call `name` as the checkpoint has it and
    /// that every program reads: that of all its parts, or f32.
    pub(super) fn dtype(&self, tensors: &Tensors, name: &str) -> Dtype {
        let parts = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        let all = |dtype| {
            let mut parts = parts.iter();
            parts.all(|(theirs, _)| tensors.dtype(theirs) == Some(dtype))
        };
        match parts {
            [] => Dtype::F32,
            _ if all(StoredDtype::F16) => Dtype::F16,
            _ if all(StoredDtype::Bf16) => Dtype::Bf16,
            _ => Dtype::F32,
        }
    }

    /// Reads the tensor that we call `name`.
    ///
    /// # Errors
    /// Those of [`Tensors::read`].
    pub(super) fn read(&self, tensors: &Tensors, name: &str) -> Result<TensorData> {
        let parts = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        match parts {
            [] => tensors.read(name), // which says that it is not there
            [(theirs, Part::Transposed)] => Ok(turned(tensors.read(theirs)?)),
            [(theirs, Part::Positions(kind, to))] => {
                let data = tensors.read(theirs)?;
                let width = data.shape()[1];
                let values = data.values();
                Ok(TensorData::new(
                    kind.resize(values, width, *to),
                    [*to, width],
                ))
            }
            [(theirs, _)] => tensors.read(theirs),
            several => {
                let mut values = Vec::new();
                let mut shape = Vec::new();
                for (theirs, _) in several {
                    let part = tensors.read(theirs)?;
                    shape = part.shape().to_vec();
                    values.extend_from_slice(part.values());
                }
                // Parts have one shape, as was checked.
                if let Some(rows) = shape.first_mut() {
                    *rows *= several.len();
                }
                Ok(TensorData::new(values, shape))
            }
        }
    }
}

/// Says that a checkpoint has none of the tensors that are looked for.
fn not_this(parameters: &Table, found: &BTreeSet<&str>) -> String {
    let found: Vec<&str> = found.iter().copied().collect();
    let wanted: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    format!(
        "none of the {} that are wanted is there: {}, but {}",
        wanted.len(),
        some(&wanted),
        contents(&found)
    )
}

/// A matrix whose rows are the columns of `data`; anything else stays.
fn turned(data: TensorData) -> TensorData {
    let &[rows, columns] = data.shape() else {
        return data;
    };
    let values = data.values();
    TensorData::new(transposed(values, columns), [columns, rows])
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
    ("embeddings.patch_embedding.bias", "conv1.bias"),
    ("embeddings.class_embedding", "class_embedding"),
    ("final_layer_norm.weight", "ln_final.weight"),
    ("final_layer_norm.bias", "ln_final.bias"),
    ("pre_layrnorm.weight", "ln_pre.weight"), // their spelling
    ("pre_layrnorm.bias", "ln_pre.bias"),
    ("head.weight", "text_projection.weight"),
    ("head.bias", "text_projection.bias"),
    ("head.probe", "head.probe"),
    ("head.attention.in_proj_weight", "head.attn.in_proj_weight"),
    ("head.attention.in_proj_bias", "head.attn.in_proj_bias"),
    (
        "head.attention.out_proj.weight",
        "head.attn.out_proj.weight",
    ),
    ("head.attention.out_proj.bias", "head.attn.out_proj.bias"),
    ("head.layernorm.weight", "head.ln.weight"),
    ("head.layernorm.bias", "head.ln.bias"),
    ("head.mlp.fc1.weight", "head.mlp.c_fc.weight"),
    ("head.mlp.fc1.bias", "head.mlp.c_fc.bias"),
    ("head.mlp.fc2.weight", "head.mlp.c_proj.weight"),
    ("head.mlp.fc2.bias", "head.mlp.c_proj.bias"),
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

/// transformers' names of the tensors that hold a tensor of ours, and the part that each holds;
/// empty for a tensor that their `CLIPModel` does not have.
pub(super) fn to_hf(name: &str) -> Vec<(String, Part)> {
    if name == "logit_scale" || name == "logit_bias" {
        return vec![(name.into(), Part::Whole)];
    }
    if let Some((theirs, _)) = PROJECTIONS.iter().find(|(_, ours)| *ours == name) {
        return vec![((*theirs).into(), Part::Transposed)];
    }
    // The text tower has no prefix here, so it comes last.
    let mut towers = TOWERS.iter().rev();
    let tower = towers.find_map(|(theirs, ours)| Some((*theirs, name.strip_prefix(ours)?)));
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
            Self::Whole | Self::Positions(..) => whole.to_vec(),
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
            Self::Whole | Self::Positions(..) => whole,
            Self::Transposed => turned(whole),
            Self::Third(i) => {
                let shape = self.shape(whole.shape());
                let values = whole.values();
                let len = values.len() / 3;
                TensorData::new(values[i * len..(i + 1) * len].to_vec(), shape)
            }
        }
    }
}
