//! Names of stored tensors → the names that a layout has for them, without what wraps the model in
//! training.
//!
//! Modules of PyTorch's that hold another may stand anywhere in a name. The attribute by which
//! somebody's own module holds the CLIP begins all of the model's names: Lightning's `model.`. And
//! open_clip's `CustomTextCLIP` puts `text.` before the text tower's.
//!
//! Source of the last: `convert_to_custom_text_state_dict` in open_clip's `model.py`, 3.3.0.

use std::collections::BTreeMap;

/// Modules that hold one other and have no tensors of their own: `DataParallel`, `torch.compile`,
/// FSDP and checkpoints of activations. No module of a CLIP is called so.
///
/// Sources: `_FSDP_WRAPPED_MODULE` and `_CHECKPOINT_WRAPPED_MODULE` in PyTorch's
/// `torch/distributed`, 2.15; `OptimizedModule` in `torch/_dynamo/eval_frame.py`.
const WRAPPERS: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// Prefix that `CustomTextCLIP` puts before the text tower's names.
const CUSTOM_TEXT: &str = "text.";

/// Tensors by which a CLIP is known, in open_clip's layout and in transformers'.
const LANDMARKS: [&str; 5] = [
    "token_embedding.weight",
    "visual.conv1.weight",
    "logit_scale",
    "text_model.embeddings.token_embedding.weight",
    "vision_model.embeddings.patch_embedding.weight",
];

/// The names of a checkpoint's tensors.
pub(super) struct Names<'a> {
    /// Names in the checkpoint, by the names without wrappers.
    stored: BTreeMap<String, &'a str>,
    /// Prefix of all of the model's names; mostly empty.
    prefix: String,
    /// Names in the checkpoint of tensors that are not the model's.
    others: Vec<&'a str>,
    /// Why they can't be told apart, a sentence each.
    pub(super) problems: Vec<String>,
}

impl<'a> Names<'a> {
    pub(super) fn of(stored: impl IntoIterator<Item = &'a str>) -> Self {
        let unwrapped: Vec<(String, &str)> = stored
            .into_iter()
            .map(|name| (unwrapped(name), name))
            .collect();
        let (prefix, problem) = prefix(unwrapped.iter().map(|(name, _)| name.as_str()));
        let mut names = Self {
            stored: BTreeMap::new(),
            prefix,
            others: Vec::new(),
            problems: problem.into_iter().collect(),
        };
        for (name, stored) in unwrapped {
            let Some(name) = name.strip_prefix(&names.prefix) else {
                names.others.push(stored);
                continue;
            };
            let name = name.strip_prefix(CUSTOM_TEXT).unwrap_or(name);
            if let Some(other) = names.stored.insert(name.to_owned(), stored) {
                let problem = format!("`{other}` and `{stored}` are both `{name}`");
                names.problems.push(problem);
            }
        }
        names
    }

    /// The checkpoint's name of the tensor that a layout calls `name`.
    pub(super) fn stored(&self, name: &str) -> Option<&'a str> {
        self.stored.get(name).copied()
    }

    /// Every name without wrappers, and what it is called in the checkpoint.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        let named = self.stored.iter();
        named.map(|(name, stored)| (name.as_str(), *stored))
    }

    /// A note on the tensors that lie beside the model, if there are any.
    pub(super) fn note(&self) -> Option<String> {
        (!self.others.is_empty()).then(|| {
            format!(
                "its model is `{}*`; beside it there {} left out: {}",
                self.prefix,
                match self.others.len() {
                    1 => "is 1 tensor that is".to_owned(),
                    n => format!("are {n} tensors that are"),
                },
                some(&self.others)
            )
        })
    }
}

/// The contents of a file in words: how many tensors it has, and the first of their names.
pub(super) fn contents(names: &[&str]) -> String {
    match names.len() {
        0 => "there is no tensor in it".into(),
        1 => format!("the only tensor in it is {}", some(names)),
        n => format!("its {n} tensors are {}", some(names)),
    }
}

/// The first of some names, and how many more there are.
pub(super) fn some(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name without the modules that only hold others.
fn unwrapped(name: &str) -> String {
    let kept: Vec<&str> = name
        .split('.')
        .filter(|part| !WRAPPERS.contains(part))
        .collect();
    kept.join(".")
}

/// Prefix of the names of a CLIP; and the problem, in words, if it could be one of several CLIPs.
fn prefix<'a>(names: impl Iterator<Item = &'a str>) -> (String, Option<String>) {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let longest = LANDMARKS
            .iter()
            .filter_map(|landmark| name.strip_suffix(landmark))
            .min_by_key(|prefix| prefix.len());
        if let Some(prefix) = longest {
            let prefix = match prefix.strip_suffix(CUSTOM_TEXT) {
                Some(before) if before.is_empty() || before.ends_with('.') => before,
                _ => prefix,
            };
            if prefix.is_empty() || prefix.ends_with('.') {
                *found.entry(prefix).or_default() += 1;
            }
        }
    }
    let most = found.values().copied().max().unwrap_or(0);
    let mut best = found.iter().filter(|(_, landmarks)| **landmarks == most);
    // The names as they are come first; they begin with nothing.
    let Some((&prefix, _)) = best.next() else {
        return (String::new(), None);
    };
    let others: Vec<String> = best.map(|(prefix, _)| format!("{prefix}*")).collect();
    let problem = (!prefix.is_empty() && !others.is_empty()).then(|| {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        format!(
            "it holds {} models, `{prefix}*` and {}; save one of them by itself",
            1 + others.len(),
            some(&others)
        )
    });
    (prefix.to_owned(), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that a layout has for these.
    fn bare(stored: &[&str]) -> Vec<String> {
        let names = Names::of(stored.iter().copied());
        assert_eq!(names.problems, [""; 0]);
        names.iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn wrappers_are_stripped_wherever_they_stand() {
        let wanted = [
            "logit_scale",
            "token_embedding.weight",
            "visual.conv1.weight",
        ];
        for [scale, tokens, conv] in [
            wanted,
            [
                "module._orig_mod.logit_scale",
                "module._orig_mod.token_embedding.weight",
                "module._orig_mod.visual.conv1.weight",
            ],
            [
                "logit_scale",
                "token_embedding.weight",
                "visual._orig_mod.conv1.weight",
            ],
            [
                "model.logit_scale",
                "model.text.token_embedding.weight",
                "model.visual.conv1.weight",
            ],
            [
                "clip_model._fsdp_wrapped_module.logit_scale",
                "clip_model._fsdp_wrapped_module.token_embedding._fsdp_wrapped_module.weight",
                "clip_model._fsdp_wrapped_module.visual._checkpoint_wrapped_module.conv1.weight",
            ],
            [
                "any.thing.logit_scale",
                "any.thing.token_embedding.weight",
                "any.thing.visual.conv1.weight",
            ],
        ] {
            assert_eq!(bare(&[scale, tokens, conv]), wanted, "{tokens}");
        }
        let hf = "model.text_model.embeddings.token_embedding.weight";
        assert_eq!(bare(&[hf]), [&hf[6..]]);
    }

    #[test]
    fn what_lies_beside_the_model_is_told() {
        let stored = [
            "loss.temperature",
            "model.logit_scale",
            "model.token_embedding.weight",
        ];
        let names = Names::of(stored);
        assert_eq!(names.stored("logit_scale"), Some("model.logit_scale"));
        let note = names.note().unwrap();
        assert_eq!(
            note,
            "its model is `model.*`; beside it there is 1 tensor that is left out: `loss.temperature`"
        );
    }

    #[test]
    fn two_models_and_two_tensors_of_one_name_are_refused() {
        let two = Names::of(["ema.logit_scale", "model.logit_scale"]);
        assert_eq!(
            two.problems,
            ["it holds 2 models, `ema.*` and `model.*`; save one of them by itself"]
        );
        let twice = Names::of(["logit_scale", "module.logit_scale"]);
        assert_eq!(
            twice.problems,
            ["`logit_scale` and `module.logit_scale` are both `logit_scale`"]
        );
        // One as it should be, and another beside it, which is unexpected there.
        let names = Names::of(["ema.logit_scale", "logit_scale"]);
        assert_eq!(names.stored("logit_scale"), Some("logit_scale"));
        assert_eq!(names.stored("ema.logit_scale"), Some("ema.logit_scale"));
    }
}
