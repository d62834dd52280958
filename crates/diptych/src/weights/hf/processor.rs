//! `preprocessor_config.json`, read and written.
//!
//! Sources: `CLIPImageProcessor` in transformers' `image_processing_clip.py` and
//! `SiglipImageProcessor` in its `image_processing_siglip.py`, 5.23; a field that is missing has
//! the class's default.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Family;
use crate::image::{Interpolation, Order, Preprocess, ResizeMode};
use crate::{Error, Result};

/// The side that the classes resize and crop to, if a file does not say.
const DEFAULT_SIDE: usize = 224;

impl Family {
    /// The preprocessing of the family's classes to `side` pixels, where no file says otherwise.
    pub(in crate::weights) fn preprocess(self, side: usize) -> Preprocess {
        let clip = Preprocess {
            order: Order::RgbFirst,
            ..Preprocess::openai(side)
        };
        match self {
            Self::Clip => clip,
            Self::Siglip => Preprocess {
                mean: [0.5; 3],
                std: [0.5; 3],
                resize_mode: ResizeMode::Squash,
                ..clip
            },
        }
    }

    fn default_size(self) -> Size {
        match self {
            Self::Clip => Size::Side(DEFAULT_SIDE),
            Self::Siglip => Size::Sides {
                height: DEFAULT_SIDE,
                width: DEFAULT_SIDE,
            },
        }
    }
}

/// The `preprocessor_config.json` of a preprocessing.
///
/// # Errors
/// [`Error::Preprocess`] for one that `CLIPImageProcessor` has no words for.
pub(in crate::weights) fn processor(preprocess: &Preprocess) -> Result<Value> {
    let side = preprocess.size;
    let square = json!({"height": side, "width": side});
    let (size, crops) = match preprocess.resize_mode {
        ResizeMode::Shortest => (json!({"shortest_edge": side}), true),
        ResizeMode::Squash => (square.clone(), false),
        ResizeMode::Longest => {
            return Err(Error::Preprocess {
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

/// Classes of processors, and whose defaults they have.
const CLASSES: [(&str, Family); 7] = [
    ("CLIPImageProcessor", Family::Clip),
    ("CLIPImageProcessorFast", Family::Clip),
    ("CLIPImageProcessorPil", Family::Clip),
    ("CLIPFeatureExtractor", Family::Clip),
    ("SiglipImageProcessor", Family::Siglip),
    ("SiglipImageProcessorFast", Family::Siglip),
    ("SiglipImageProcessorPil", Family::Siglip),
];

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
/// [`Error::Preprocess`] naming `origin` and the field that can't be followed.
pub(in crate::weights) fn preprocess(
    origin: &str,
    json: &[u8],
    family: Family,
    side: usize,
) -> Result<Preprocess> {
    let refuse = |reason: String| Error::Preprocess {
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
    let family = match class {
        None => family,
        Some(class) => match CLASSES.iter().find(|(name, _)| name == class) {
            Some((_, family)) => *family,
            None => {
                return Err(refuse(format!(
                    "`image_processor_type` is `{class}`, wanted one of {}",
                    CLASSES.map(|(name, _)| name).join(", ")
                )));
            }
        },
    };
    let default = family.preprocess(side);
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
    let crops = file.do_center_crop.unwrap_or(family == Family::Clip);
    let resize_mode = match file.size.unwrap_or(family.default_size()) {
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
    let crop = match file.crop_size.unwrap_or(Size::Side(DEFAULT_SIDE)) {
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
    let std = file.image_std.unwrap_or(default.std);
    if std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(refuse(format!("`image_std` is {std:?}, wanted above 0")));
    }
    Ok(Preprocess {
        mean: file.image_mean.unwrap_or(default.mean),
        std,
        interpolation,
        resize_mode,
        order: match file.do_convert_rgb {
            Some(false) => Order::Native,
            _ => Order::RgbFirst,
        },
        ..default
    })
}
