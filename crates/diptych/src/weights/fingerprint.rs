//! What tells one model from another: a hash of its weights and of how its inputs are prepared.
//!
//! Embeddings of two models can't be compared, and nothing in the numbers says so; whoever keeps embeddings keeps this
//! beside them. It is the same wherever a checkpoint lies, as long as values, configuration and preprocessing are.

use sha2::{Digest, Sha256};

use super::Description;
use crate::text::Overflow;
use crate::{Error, Result};

/// Values of a tensor that are hashed, evenly spread over it: training moves all of them, and reading is a checkpoint's
/// largest cost.
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
        let config = serde_json::to_vec(&description.config).map_err(Error::json)?;
        hash.update(config);
        hash.update(format!("{:?}", description.preprocess));
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

#[cfg(test)]
mod tests {
    use crate::Clip;
    use crate::weights::{Checkpoint, LayoutKind, Precision, convert};

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
        let converted = |name: &str, layout, precision| {
            let out = path(name);
            convert(
                &mut Checkpoint::open(&vit).unwrap(),
                &out,
                layout,
                precision,
            )
            .unwrap();
            of(&out)
        };
        assert_eq!(
            converted("same", LayoutKind::OpenClip, Precision::F32),
            tiny
        );
        // transformers makes pictures RGB before it resizes them, so theirs are other inputs.
        assert_ne!(converted("theirs", LayoutKind::Hf, Precision::F32), tiny);
        // Other numbers are another model.
        assert_ne!(
            converted("rounded", LayoutKind::OpenClip, Precision::Bf16),
            tiny
        );
    }
}
