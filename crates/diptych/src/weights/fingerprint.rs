//! Fingerprint of a model: a hash of its weights and of how its inputs are prepared.
//!
//! Embeddings of two models can't be compared, and nothing in the numbers says so; so embeddings
//! are kept together with their model's fingerprint. It does not change with the place of a
//! checkpoint, only with its values, its configuration or its preprocessing.
//! Invariant: the form of the bytes that are hashed is written out here, and tests hold it to
//! golden values; this is version 1. An index that people have refuses a model whose fingerprint
//! has changed, so another form must be another version, and both are compared.

use sha2::{Digest, Sha256};

use super::Description;
use crate::image::{Interpolation, Order, Preprocess, ResizeMode};
use crate::model::ClipConfig;
use crate::text::Overflow;
use crate::{Error, Result};

/// Values of a tensor that are hashed, evenly spread over it: training moves all of them, and
/// reading is a checkpoint's largest cost.
const VALUES: usize = 1024;

/// Texts whose tokens stand for a tokenizer.
const TEXTS: &[&str] = &[
    "a photo of a cat, 1/2 \u{2013} Caf\u{e9}!",
    "Two dogs' running",
    "\u{732b}",
];

pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with everything of a model but its tensors.
    pub(super) fn new(description: &Description) -> Result<Self> {
        let mut hash = Sha256::new();
        hash.update(written_config(&description.config)?);
        hash.update(written_preprocess(&description.preprocess));
        let context = description.config.text_cfg.context_length;
        let tokens = description
            .tokenizer
            .encode_batch(TEXTS, context, Overflow::Truncate)?;
        tokens
            .ids()
            .iter()
            .for_each(|id| hash.update(id.to_le_bytes()));
        Ok(Self(hash))
    }

    /// Goes on with a tensor.
    pub(super) fn add(&mut self, name: &str, values: &[f32]) {
        // Its shape follows from the configuration.
        self.0.update(name);
        let n = values.len().min(VALUES);
        for i in 0..n {
            self.0.update(values[i * values.len() / n].to_le_bytes());
        }
    }

    /// In hexadecimal digits.
    pub(super) fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// An architecture as its JSON, in the order of [`ClipConfig`]'s fields, without those that are at
/// their defaults.
fn written_config(config: &ClipConfig) -> Result<Vec<u8>> {
    let mut config = config.clone();
    // Their order is a matter of how serde_json was built.
    if let Some(options) = &mut config.text_cfg.tokenizer_kwargs {
        options.sort_all_objects();
    }
    serde_json::to_vec(&config).map_err(Error::json)
}

/// A preprocessing, every field by name.
fn written_preprocess(preprocess: &Preprocess) -> String {
    let Preprocess {
        size,
        mean,
        std,
        interpolation,
        resize_mode,
        fill,
        order,
    } = preprocess;
    let interpolation = match interpolation {
        Interpolation::Bicubic => "Bicubic",
        Interpolation::Bilinear => "Bilinear",
    };
    let resize_mode = match resize_mode {
        ResizeMode::Shortest => "Shortest",
        ResizeMode::Longest => "Longest",
        ResizeMode::Squash => "Squash",
    };
    let order = match order {
        Order::Native => "Native",
        Order::RgbFirst => "RgbFirst",
    };
    format!(
        "Preprocess {{ size: {size}, mean: {mean:?}, std: {std:?}, interpolation: {interpolation}, \
         resize_mode: {resize_mode}, fill: {fill}, order: {order} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clip;
    use crate::weights::{Checkpoint, Dtype, LayoutKind, convert};

    /// If these change, every index that people have refuses its model.
    #[test]
    fn fingerprints_of_published_models_stay_what_they_are() {
        let golden = diptych_testing::folder("tiny-vit");
        let of = |path: &std::path::Path| Checkpoint::open(path).unwrap().fingerprint().to_owned();
        let default = Checkpoint::named("default").unwrap();
        assert_eq!(
            default.fingerprint(),
            "37a9f2afe590a1ef4e08dc72122edb8fa52d884feb27beab1dd7fbd203faf93b"
        );
        assert_eq!(
            of(&golden),
            "2f5c4bc2118b4b0d0122e8dcc3077d345f855827fba1fcb480de764b267d467c"
        );
        assert_eq!(
            of(&diptych_testing::folder("tiny-resnet")),
            "27cbaa661d733bd881caad1917ab445f87cf85cff3cefdbb3c610e14d92bbd3f"
        );
    }

    #[test]
    fn every_field_is_written_by_a_fixed_name() {
        let preprocess = Preprocess {
            size: 224,
            mean: [0.5, 0.481_454_67, 0.0],
            std: [1.0, 0.25, 0.275_777_1],
            interpolation: Interpolation::Bilinear,
            resize_mode: ResizeMode::Longest,
            fill: 255,
            order: Order::RgbFirst,
        };
        assert_eq!(
            written_preprocess(&preprocess),
            "Preprocess { size: 224, mean: [0.5, 0.48145467, 0.0], std: [1.0, 0.25, 0.2757771], \
             interpolation: Bilinear, resize_mode: Longest, fill: 255, order: RgbFirst }"
        );
        let openai = written_preprocess(&Preprocess::openai(288));
        assert!(openai.ends_with("Bicubic, resize_mode: Shortest, fill: 0, order: Native }"));
        let config = serde_json::json!({
            "embed_dim": 512,
            "vision_cfg": {
                "image_size": 256, "layers": 12, "width": 512, "patch_size": 16, "mlp_ratio": 3.5,
                "pool_type": "map", "norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": "tanh"},
            },
            "text_cfg": {
                "context_length": 64, "vocab_size": 100, "width": 768, "heads": 12, "layers": 2,
                "pool_type": "last", "no_causal_mask": true, "proj_bias": true,
                "tokenizer_kwargs": {"b": 1, "a": 2},
            },
            "quick_gelu": true, "init_logit_scale": 2.5, "init_logit_bias": -10.0,
        });
        let config = ClipConfig::from_json("test", config).unwrap();
        let written = String::from_utf8(written_config(&config).unwrap()).unwrap();
        assert_eq!(
            written,
            r#"{"embed_dim":512,"vision_cfg":{"image_size":256,"layers":12,"width":512,"patch_size":16,"head_width":64,"mlp_ratio":3.5,"pool_type":"map","norm_kwargs":{"eps":1e-6},"act_kwargs":{"approximate":"tanh"}},"text_cfg":{"context_length":64,"vocab_size":100,"width":768,"heads":12,"layers":2,"pool_type":"last","no_causal_mask":true,"proj_bias":true,"tokenizer_kwargs":{"a":2,"b":1}},"quick_gelu":true,"init_logit_scale":2.5,"init_logit_bias":-10.0}"#
        );
    }

    #[test]
    fn a_fingerprint_is_the_weights_and_the_preprocessing() {
        let folder = tempfile::tempdir().unwrap();
        let default = Checkpoint::named("default")
            .unwrap()
            .fingerprint()
            .to_owned();
        assert_eq!(
            Clip::open("default").unwrap().fingerprint(),
            Some(default.as_str())
        );
        let path = |name: &str| folder.path().join(name);
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
        let vit = std::path::Path::new(golden).join("tiny-vit");
        let of = |path: &std::path::Path| Checkpoint::open(path).unwrap().fingerprint().to_owned();
        let tiny = of(&vit);
        assert_ne!(tiny, default);
        let converted = |name: &str, layout, dtype| {
            let out = path(name);
            convert(
                &mut Checkpoint::open(&vit).unwrap(),
                &out,
                layout,
                Some(dtype),
            )
            .unwrap();
            of(&out)
        };
        assert_eq!(converted("same", LayoutKind::OpenClip, Dtype::F32), tiny);
        // transformers makes pictures RGB before it resizes them, so theirs are other inputs.
        assert_ne!(converted("theirs", LayoutKind::Hf, Dtype::F32), tiny);
        // Other numbers are another model.
        assert_ne!(
            converted("rounded", LayoutKind::OpenClip, Dtype::Bf16),
            tiny
        );
    }
}
