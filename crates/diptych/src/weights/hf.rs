//! The configuration files of a `CLIPModel` of Hugging Face's transformers.
//!
//! Sources: `CLIPConfig` in transformers' `configuration_clip.py` and `CLIPImageProcessor` in its
//! `image_processing_clip.py`, 5.23; a field that is missing has the class's default.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::image::{Interpolation, Order, Preprocess, ResizeMode};
use crate::model::{ClipConfig, Layers};
use crate::text::Tokenizer;
use crate::{Error, Result};

/// `config.json`, as far as it bears on the architecture; its other fields are transformers' own.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    model_type: Option<String>,
    #[serde(default = "default_projection")]
    projection_dim: usize,
    #[serde(default)]
    text_config: Option<Value>,
    #[serde(default)]
    vision_config: Option<Value>,
    /// What old files have instead of the two above, or beside them; then these count alone.
    #[serde(default)]
    text_config_dict: Option<Value>,
    #[serde(default)]
    vision_config_dict: Option<Value>,
}

#[derive(Deserialize)]
#[serde(default)]
struct TextFile {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    eos_token_id: Option<u32>,
}

impl Default for TextFile {
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
            eos_token_id: Some(49_407),
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct VisionFile {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
}

impl Default for VisionFile {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
        }
    }
}

fn default_projection() -> usize {
    512
}

/// The architecture that a `config.json` describes.
///
/// # Errors
/// [`Error::Config`] naming `origin` and the field that can't be followed.
pub(super) fn architecture(origin: &str, json: &[u8]) -> Result<ClipConfig> {
    let refuse = |reason: String| Error::Config {
        origin: origin.into(),
        reason,
    };
    let file: ConfigFile = serde_json::from_slice(json).map_err(|e| refuse(e.to_string()))?;
    match file.model_type.as_deref() {
        Some("clip") => {}
        Some(other) => {
            return Err(refuse(format!(
                "`model_type` is `{other}`, and of transformers' models only `clip` is supported"
            )));
        }
        None => return Err(refuse("there is no `model_type`, wanted `clip`".into())),
    }
    // What old files call a dictionary goes before the other, its defaults included.
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

    let quick_gelu = match [text.hidden_act.as_str(), &vision.hidden_act] {
        ["quick_gelu", "quick_gelu"] => true,
        ["gelu", "gelu"] => false,
        acts => {
            return Err(refuse(format!(
                "`hidden_act` is {acts:?} in the towers, wanted quick_gelu or gelu in both"
            )));
        }
    };
    for (tower, epsilon) in [
        ("text", text.layer_norm_eps),
        ("vision", vision.layer_norm_eps),
    ] {
        if (epsilon - 1e-5).abs() > 1e-9 {
            return Err(refuse(format!(
                "`{tower}_config.layer_norm_eps` is {epsilon}, and only 1e-5 is supported"
            )));
        }
    }
    if vision.num_channels != 3 {
        return Err(refuse(format!(
            "`vision_config.num_channels` is {}, wanted 3",
            vision.num_channels
        )));
    }
    // The text is read at its highest id, which is the end token. Old files say 2 and mean that.
    let last = text.vocab_size.saturating_sub(1);
    if text
        .eos_token_id
        .is_some_and(|id| id != 2 && id as usize != last)
    {
        return Err(refuse(format!(
            "`text_config.eos_token_id` is {:?}, wanted the last of the vocabulary, {last}",
            text.eos_token_id
        )));
    }
    if !vision
        .hidden_size
        .is_multiple_of(vision.num_attention_heads)
    {
        return Err(refuse(format!(
            "`vision_config.hidden_size` {} is not shared evenly by {} heads",
            vision.hidden_size, vision.num_attention_heads
        )));
    }
    // open_clip's configurations have a ratio, by which a width is multiplied and cut off.
    let ratio = |inner: usize, width: usize| {
        let ratio = inner as f64 / width.max(1) as f64;
        match (width as f64 * ratio) as usize == inner {
            true => ratio,
            false => (inner as f64 + 0.5) / width.max(1) as f64,
        }
    };
    let config = json!({
        "embed_dim": file.projection_dim,
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "image_size": vision.image_size,
            "layers": vision.num_hidden_layers,
            "width": vision.hidden_size,
            "head_width": vision.hidden_size / vision.num_attention_heads,
            "patch_size": vision.patch_size,
            "mlp_ratio": ratio(vision.intermediate_size, vision.hidden_size),
        },
        "text_cfg": {
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
            "mlp_ratio": ratio(text.intermediate_size, text.hidden_size),
        },
    });
    ClipConfig::from_json(origin, config)
}

/// The `config.json` of an architecture whose towers are `CLIPModel`'s.
pub(super) fn config(config: &ClipConfig, tokenizer: &Tokenizer) -> Value {
    let (vision, text) = (&config.vision_cfg, &config.text_cfg);
    let act = if config.quick_gelu {
        "quick_gelu"
    } else {
        "gelu"
    };
    let layers = match vision.layers {
        Layers::Vit(layers) => layers,
        Layers::ResNet(stages) => stages.iter().sum(),
    };
    json!({
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
            "hidden_act": act,
            "layer_norm_eps": 1e-5,
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
            "hidden_act": act,
            "layer_norm_eps": 1e-5,
            "projection_dim": config.embed_dim,
        },
    })
}

/// The `preprocessor_config.json` of a preprocessing.
///
/// # Errors
/// [`Error::Config`] for one that `CLIPImageProcessor` has no words for.
pub(super) fn processor(preprocess: &Preprocess) -> Result<Value> {
    let side = preprocess.size;
    let square = json!({"height": side, "width": side});
    let (size, crops) = match preprocess.resize_mode {
        ResizeMode::Shortest => (json!({"shortest_edge": side}), true),
        ResizeMode::Squash => (square.clone(), false),
        ResizeMode::Longest => {
            return Err(Error::Config {
                origin: "preprocessor_config.json".into(),
                reason: "transformers has no word for the resize mode `longest`".into(),
            });
        }
    };
    let resample = match preprocess.interpolation {
        Interpolation::Bilinear => 2,
        Interpolation::Bicubic => 3,
    };
    Ok(json!({
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": true,
        "do_resize": true,
        "size": size,
        "resample": resample,
        "do_center_crop": crops,
        "crop_size": square,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": preprocess.mean,
        "image_std": preprocess.std,
    }))
}

/// `preprocessor_config.json`, or the part of `processor_config.json` that is about pictures.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ProcessorFile {
    image_processor: Option<Box<ProcessorFile>>,
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    size: Option<Size>,
    crop_size: Option<Size>,
    do_convert_rgb: Option<bool>,
    do_resize: Option<bool>,
    do_center_crop: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    resample: Option<u8>,
    rescale_factor: Option<f64>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
}

/// The classes whose defaults these are.
const PROCESSORS: [&str; 4] = [
    "CLIPImageProcessor",
    "CLIPImageProcessorFast",
    "CLIPImageProcessorPil",
    "CLIPFeatureExtractor",
];

/// The side that those classes resize and crop to, if a file does not say.
const DEFAULT_SIDE: Size = Size::Side(224);

/// A side, or sides by name.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(usize),
    Shortest { shortest_edge: usize },
    Sides { height: usize, width: usize },
}

/// The preprocessing that a `preprocessor_config.json` describes, for pictures of `side` pixels.
///
/// # Errors
/// [`Error::Config`] naming `origin` and the field that can't be followed.
pub(super) fn preprocess(origin: &str, json: &[u8], side: usize) -> Result<Preprocess> {
    let refuse = |reason: String| Error::Config {
        origin: origin.into(),
        reason,
    };
    let mut file: ProcessorFile =
        serde_json::from_slice(json).map_err(|e| refuse(e.to_string()))?;
    if let Some(inner) = file.image_processor.take() {
        file = *inner;
    }
    let class = file
        .image_processor_type
        .as_ref()
        .or(file.feature_extractor_type.as_ref());
    if let Some(class) = class.filter(|class| !PROCESSORS.contains(&class.as_str())) {
        return Err(refuse(format!(
            "`image_processor_type` is `{class}`, wanted one of {}",
            PROCESSORS.join(", ")
        )));
    }
    for (field, value) in [
        ("do_resize", file.do_resize),
        ("do_rescale", file.do_rescale),
        ("do_normalize", file.do_normalize),
    ] {
        if value == Some(false) {
            return Err(refuse(format!("`{field}` is false, wanted true")));
        }
    }
    if file
        .rescale_factor
        .is_some_and(|f| (f * 255.0 - 1.0).abs() > 1e-6)
    {
        return Err(refuse(format!(
            "`rescale_factor` is {:?}, wanted 1 / 255",
            file.rescale_factor
        )));
    }
    let crops = file.do_center_crop != Some(false);
    let resize_mode = match file.size.unwrap_or(DEFAULT_SIDE) {
        Size::Sides { height, width } if [height, width] == [side; 2] => ResizeMode::Squash,
        Size::Side(s) | Size::Shortest { shortest_edge: s } if s == side && crops => {
            ResizeMode::Shortest
        }
        _ => {
            return Err(refuse(format!(
                "`size` is not the image tower's {side}, or pictures are not cropped to it"
            )));
        }
    };
    let crop = match file.crop_size.unwrap_or(DEFAULT_SIDE) {
        Size::Side(s) | Size::Shortest { shortest_edge: s } => [s, s],
        Size::Sides { height, width } => [height, width],
    };
    if crops && crop != [side, side] {
        return Err(refuse(format!(
            "`crop_size` is {crop:?}, but the image tower takes {side}"
        )));
    }
    let interpolation = match file.resample {
        None | Some(3) => Interpolation::Bicubic,
        Some(2) => Interpolation::Bilinear,
        Some(other) => {
            return Err(refuse(format!(
                "`resample` is {other}, wanted 2 (bilinear) or 3 (bicubic)"
            )));
        }
    };
    let openai = Preprocess::openai(side);
    let std = file.image_std.unwrap_or(openai.std);
    if std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(refuse(format!("`image_std` is {std:?}, wanted above 0")));
    }
    Ok(Preprocess {
        mean: file.image_mean.unwrap_or(openai.mean),
        std,
        interpolation,
        resize_mode,
        order: match file.do_convert_rgb {
            Some(false) => Order::Native,
            _ => Order::RgbFirst,
        },
        ..openai
    })
}
