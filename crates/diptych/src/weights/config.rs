//! `open_clip_config.json` ⇄ [`ClipConfig`] and [`Preprocess`].
//!
//! Source: `PreprocessCfg` in open_clip's `transform.py`, 3.3.0; defaults are its own.

use serde::{Deserialize, Serialize};

use crate::image::{Interpolation, Order, Preprocess, ResizeMode};
use crate::model::ClipConfig;
use crate::{Error, Result};

/// The file `open_clip_config.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile<M = serde_json::Value, P = serde_json::Value> {
    pub(super) model_cfg: M,
    #[serde(default)]
    pub(super) preprocess_cfg: P,
}

/// `preprocess_cfg`, with open_clip's names.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreprocessFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<[f32; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<[f32; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpolation: Option<Interpolation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resize_mode: Option<ResizeMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_color: Option<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(usize),
    Sides([usize; 2]),
}

/// The preprocessing that `json` describes for pictures of `side` pixels.
///
/// # Errors
/// [`Error::Preprocess`] naming `origin` and the field that can't be followed.
pub(super) fn preprocess_from_json(
    origin: &str,
    json: serde_json::Value,
    config: &ClipConfig,
) -> Result<Preprocess> {
    let refuse = |reason: String| Error::Preprocess {
        origin: origin.into(),
        reason,
    };
    let file: PreprocessFile = match json {
        serde_json::Value::Null => PreprocessFile::default(),
        json => {
            serde_json::from_value(json).map_err(|e| refuse(format!("`preprocess_cfg`: {e}")))?
        }
    };
    let side = config.vision_cfg.image_size;
    let mut preprocess = Preprocess::openai(side);
    match file.size {
        None => {}
        Some(Size::Side(s) | Size::Sides([s, _])) if s != side => {
            return Err(refuse(format!(
                "`preprocess_cfg.size` is {s}, but the image tower takes {side}"
            )));
        }
        Some(Size::Sides([h, w])) if h != w => {
            return Err(refuse(format!(
                "`preprocess_cfg.size` is {h} × {w}, wanted a square"
            )));
        }
        Some(_) => {}
    }
    if let Some(mode) = file.mode.filter(|mode| mode != "RGB") {
        return Err(refuse(format!(
            "`preprocess_cfg.mode` is `{mode}`, wanted `RGB`"
        )));
    }
    preprocess.mean = file.mean.unwrap_or(preprocess.mean);
    preprocess.std = file.std.unwrap_or(preprocess.std);
    if preprocess.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(refuse(format!(
            "`preprocess_cfg.std` is {:?}, wanted above 0",
            preprocess.std
        )));
    }
    preprocess.interpolation = file.interpolation.unwrap_or(preprocess.interpolation);
    preprocess.resize_mode = file.resize_mode.unwrap_or(preprocess.resize_mode);
    preprocess.fill = file.fill_color.unwrap_or(preprocess.fill);
    preprocess.order = Order::Native;
    Ok(preprocess)
}

impl From<&Preprocess> for PreprocessFile {
    fn from(preprocess: &Preprocess) -> Self {
        Self {
            size: Some(Size::Side(preprocess.size)),
            mode: Some("RGB".into()),
            mean: Some(preprocess.mean),
            std: Some(preprocess.std),
            interpolation: Some(preprocess.interpolation),
            resize_mode: Some(preprocess.resize_mode),
            fill_color: Some(preprocess.fill),
        }
    }
}
