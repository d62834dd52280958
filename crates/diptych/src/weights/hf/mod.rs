//! The configuration files of a `CLIPModel` or a `SiglipModel` of Hugging Face's transformers.
//!
//! Sources: `CLIPConfig` in transformers' `configuration_clip.py` and `SiglipConfig` in its
//! `configuration_siglip.py`, 5.23; a field that is missing has the class's default.

mod processor;

use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::processor::{preprocess, processor};
use crate::model::{
    ActivationOptions, Approximation, ClipConfig, ImagePool, Layers, NormOptions, TextPool,
};
use crate::text::ClipTokenizer;
use crate::{Error, Result};

/// Whose towers a directory of transformers' has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `CLIPModel`.
    Clip,
    /// `SiglipModel`, which is SigLIP 2's at a fixed resolution as well.
    Siglip,
}

/// `config.json`, as far as it bears on the architecture; its other fields are transformers' own.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    model_type: Option<String>,
    #[serde(default)]
    projection_dim: Option<usize>,
    #[serde(default)]
    text_config: Option<Value>,
    #[serde(default)]
    vision_config: Option<Value>,
    /// Names of the two above in old files. If a file has both, the old one counts alone.
    #[serde(default)]
    text_config_dict: Option<Value>,
    #[serde(default)]
    vision_config_dict: Option<Value>,
}

/// `text_config`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TextFile {
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    max_position_embeddings: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    eos_token_id: Option<OneOrMany>,
    /// SigLIP's, if its embedding is not as wide as the tower.
    projection_size: Option<usize>,
}

/// `vision_config`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct VisionFile {
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_channels: Option<usize>,
    image_size: Option<OneOrMany>,
    patch_size: Option<OneOrMany>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    vision_use_head: Option<bool>,
}

/// A number, or a list: of end tokens, or of a height and a width.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(usize),
    Many(Vec<usize>),
}

impl OneOrMany {
    /// The number, if all of a list are the same.
    fn one(given: &Option<Self>, field: &str, default: usize) -> Result<usize, String> {
        match given {
            None => Ok(default),
            Some(Self::One(number)) => Ok(*number),
            Some(Self::Many(list)) => match list.split_first() {
                Some((first, rest)) if rest.iter().all(|n| n == first) => Ok(*first),
                _ => Err(format!("`{field}` is {list:?}, wanted one number")),
            },
        }
    }
}

/// Values that the classes of a family have where a file says nothing.
struct Defaults {
    vocab_size: usize,
    text_width: usize,
    text_heads: usize,
    context_length: usize,
    patch_size: usize,
    act: &'static str,
    epsilon: f64,
}

impl Family {
    fn defaults(self) -> Defaults {
        match self {
            Self::Clip => Defaults {
                vocab_size: 49_408,
                text_width: 512,
                text_heads: 8,
                context_length: 77,
                patch_size: 32,
                act: "quick_gelu",
                epsilon: 1e-5,
            },
            Self::Siglip => Defaults {
                vocab_size: 32_000,
                text_width: 768,
                text_heads: 12,
                context_length: 64,
                patch_size: 16,
                act: "gelu_pytorch_tanh",
                epsilon: 1e-6,
            },
        }
    }
}

/// The architecture that a `config.json` describes, and whose it is.
///
/// # Errors
/// [`Error::Architecture`] naming `origin` and the field that can't be followed.
pub(super) fn architecture(origin: &str, json: &[u8]) -> Result<(ClipConfig, Family)> {
    let refuse = |reason: String| Error::Architecture {
        origin: origin.into(),
        reason,
    };
    let file: ConfigFile = serde_json::from_slice(json).map_err(|e| refuse(e.to_string()))?;
    let family = match file.model_type.as_deref() {
        Some("clip") => Family::Clip,
        Some("siglip") => Family::Siglip,
        Some("siglip2") => {
            return Err(refuse(
                "`model_type` is `siglip2`, which takes pictures of any shape (NaFlex); of SigLIP 2 the models \
                 of a fixed resolution are supported, whose `model_type` is `siglip`"
                    .into(),
            ));
        }
        Some(other) => {
            return Err(refuse(format!(
                "`model_type` is `{other}`, and of transformers' models only `clip` and `siglip` are supported"
            )));
        }
        None => {
            return Err(refuse(
                "there is no `model_type`, wanted `clip` or `siglip`".into(),
            ));
        }
    };
    // A dictionary by its old name goes before the other, and what it lacks has the class's
    // default.
    let part = |value: Option<Value>, old: Option<Value>| {
        let given = [old, value].into_iter().flatten();
        given
            .into_iter()
            .find(|v| !v.is_null())
            .unwrap_or_else(|| json!({}))
    };
    let text = part(file.text_config, file.text_config_dict);
    let text: TextFile =
        serde_json::from_value(text).map_err(|e| refuse(format!("`text_config`: {e}")))?;
    let vision = part(file.vision_config, file.vision_config_dict);
    let vision: VisionFile =
        serde_json::from_value(vision).map_err(|e| refuse(format!("`vision_config`: {e}")))?;
    let config =
        model_cfg(family, file.projection_dim.unwrap_or(512), &text, &vision).map_err(refuse)?;
    Ok((ClipConfig::from_json(origin, config)?, family))
}

/// The same in open_clip's words; in words of our own, what can't be followed.
fn model_cfg(
    family: Family,
    projection_dim: usize,
    text: &TextFile,
    vision: &VisionFile,
) -> Result<Value, String> {
    let defaults = family.defaults();
    let is_siglip = family == Family::Siglip;
    let text_width = text.hidden_size.unwrap_or(defaults.text_width);
    let vocab_size = text.vocab_size.unwrap_or(defaults.vocab_size);
    let width = vision.hidden_size.unwrap_or(768);
    let heads = vision.num_attention_heads.unwrap_or(12);
    if !width.is_multiple_of(heads.max(1)) || heads == 0 {
        return Err(format!(
            "`vision_config.hidden_size` {width} is not shared evenly by {heads} heads"
        ));
    }
    if vision.num_channels.is_some_and(|n| n != 3) {
        return Err(format!(
            "`vision_config.num_channels` is {:?}, wanted 3",
            vision.num_channels
        ));
    }
    if vision.vision_use_head == Some(false) {
        return Err("`vision_config.vision_use_head` is false, wanted true".into());
    }
    // The text is read at its highest id, which is the end token. Old files say 2 and mean that.
    // SigLIP's is read at its last place, whatever is there.
    let last = vocab_size.saturating_sub(1);
    if !is_siglip {
        let end = OneOrMany::one(&text.eos_token_id, "text_config.eos_token_id", 49_407)?;
        if end != 2 && end != last {
            return Err(format!(
                "`text_config.eos_token_id` is {end}, wanted the last of the vocabulary, {last}"
            ));
        }
    }
    let act = |act: &Option<String>| act.clone().unwrap_or_else(|| defaults.act.into());
    let (quick_gelu, is_tanh) = match [act(&text.hidden_act), act(&vision.hidden_act)] {
        [text, vision] if text != vision => {
            return Err(format!(
                "`hidden_act` is {text} in one tower and {vision} in the other"
            ));
        }
        [act, _] => match act.as_str() {
            "quick_gelu" => (true, false),
            "gelu" => (false, false),
            "gelu_pytorch_tanh" => (false, true),
            _ => {
                return Err(format!(
                    "`hidden_act` is {act}, wanted quick_gelu, gelu or gelu_pytorch_tanh"
                ));
            }
        },
    };
    let embed_dim = if is_siglip {
        text.projection_size.unwrap_or(text_width)
    } else {
        projection_dim
    };
    if is_siglip && embed_dim != width {
        return Err(format!(
            "`text_config.projection_size` is {embed_dim}, `vision_config.hidden_size` {width}; wanted the same"
        ));
    }
    let side = OneOrMany::one(&vision.image_size, "vision_config.image_size", 224)?;
    let patch = &vision.patch_size;
    let patch = OneOrMany::one(patch, "vision_config.patch_size", defaults.patch_size)?;
    let mut config = json!({
        "embed_dim": embed_dim,
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": side,
            "layers": vision.num_hidden_layers.unwrap_or(12),
            "width": width,
            "head_width": width / heads,
            "patch_size": patch,
            "mlp_ratio": ratio(vision.intermediate_size.unwrap_or(3072), width),
        },
        "text_cfg": {
            "context_length": text.max_position_embeddings.unwrap_or(defaults.context_length),
            "vocab_size": vocab_size,
            "width": text_width,
            "heads": text.num_attention_heads.unwrap_or(defaults.text_heads),
            "layers": text.num_hidden_layers.unwrap_or(12),
            "mlp_ratio": ratio(text.intermediate_size.unwrap_or(4 * defaults.text_width), text_width),
        },
    });
    for (tower, epsilon) in [
        ("text_cfg", text.layer_norm_eps),
        ("vision_cfg", vision.layer_norm_eps),
    ] {
        // PyTorch's default and the exact GELU go without saying.
        let epsilon = epsilon.unwrap_or(defaults.epsilon);
        if (epsilon - 1e-5).abs() >= 1e-9 {
            config[tower]["norm_kwargs"] = json!({"eps": epsilon});
        }
        if is_tanh {
            config[tower]["act_kwargs"] = json!({"approximate": "tanh"});
        }
    }
    if is_siglip {
        config["init_logit_bias"] = json!(-10);
        config["vision_cfg"]["pool_type"] = json!("map");
        for (field, value) in [
            ("pool_type", json!("last")),
            ("no_causal_mask", json!(true)),
            ("proj_bias", json!(true)),
        ] {
            config["text_cfg"][field] = value;
        }
    }
    Ok(config)
}

/// The ratio of an open_clip configuration that makes `inner` of `width`: open_clip truncates
/// `width · ratio`. To make 1 of 49 the ratio is 1.5 / 49, as 49 · (1 / 49) in f64 is just below 1,
/// and would become 0.
fn ratio(inner: usize, width: usize) -> f64 {
    let ratio = inner as f64 / width.max(1) as f64;
    if (width as f64 * ratio) as usize == inner {
        ratio
    } else {
        (inner as f64 + 0.5) / width.max(1) as f64
    }
}

/// The `config.json` of an architecture whose towers are `CLIPModel`'s.
///
/// # Errors
/// In words, what `CLIPModel` has no place for.
pub(super) fn config(config: &ClipConfig, tokenizer: &ClipTokenizer) -> Result<Value, String> {
    let (vision, text) = (&config.vision_cfg, &config.text_cfg);
    let Layers::Vit(layers) = vision.layers else {
        return Err("transformers' `CLIPModel` has no place for a ModifiedResNet".into());
    };
    for (field, is_so) in [
        (
            "vision_cfg.pool_type = \"map\"",
            vision.pool_type == ImagePool::Map,
        ),
        (
            "text_cfg.pool_type = \"last\"",
            text.pool_type == TextPool::Last,
        ),
        ("text_cfg.no_causal_mask", text.no_causal_mask),
        ("text_cfg.proj_bias", text.proj_bias),
        ("init_logit_bias", config.init_logit_bias.is_some()),
    ] {
        if is_so {
            return Err(format!(
                "transformers' `CLIPModel` has no place for `{field}`"
            ));
        }
    }
    let act = |options: Option<ActivationOptions>| match (config.quick_gelu, options) {
        (true, _) => "quick_gelu",
        (false, Some(options)) if options.approximate == Approximation::Tanh => "gelu_pytorch_tanh",
        (false, _) => "gelu",
    };
    let epsilon = |options: Option<NormOptions>| options.map_or(1e-5, |options| options.eps);
    Ok(json!({
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": config.embed_dim,
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": text.vocab_size,
            "hidden_size": text.width,
            "intermediate_size": config.text_mlp_width(),
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "max_position_embeddings": text.context_length,
            "hidden_act": act(text.act_kwargs),
            "layer_norm_eps": epsilon(text.norm_kwargs),
            "projection_dim": config.embed_dim,
            "bos_token_id": tokenizer.start_id(),
            "eos_token_id": tokenizer.end_id(),
            "pad_token_id": 0,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": vision.width,
            "intermediate_size": config.vision_mlp_width(),
            "num_hidden_layers": layers,
            "num_attention_heads": vision.width / vision.head_width,
            "num_channels": 3,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "hidden_act": act(vision.act_kwargs),
            "layer_norm_eps": epsilon(vision.norm_kwargs),
            "projection_dim": config.embed_dim,
        },
    }))
}
