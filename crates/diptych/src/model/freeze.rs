//! The parameters that are frozen: not changed while a model is trained.
//!
//! Source: `lock_image_tower` and `lock_text_tower` in open_clip; LiT, arXiv 2111.07991, which
//! trains the text tower against a locked image tower.

use serde::{Deserialize, Serialize};

/// The frozen part of each tower. The temperature and the bias on logits are always trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freeze {
    /// Frozen part of the image tower. The layers of a ModifiedResNet are its stages.
    pub image: Frozen,
    /// Frozen part of the text tower.
    pub text: Frozen,
}

/// The frozen part of a tower: `"none"`, `"all"`, or its inputs and this many first layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frozen {
    /// Nothing.
    #[default]
    None,
    /// Everything before this layer: embeddings, stem and the layers from 0.
    First(usize),
    /// The whole tower.
    All,
}

impl Serialize for Frozen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::All => serializer.serialize_str("all"),
            Self::First(n) => serializer.serialize_u64(*n as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Frozen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "\"none\", \"all\" or a number of layers")]
        enum Form {
            Layers(usize),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            None,
            All,
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Layers(n) => Self::First(n),
            Form::Word(Word::None) => Self::None,
            Form::Word(Word::All) => Self::All,
        })
    }
}

impl Freeze {
    /// Both towers.
    pub const ALL: Self = Self {
        image: Frozen::All,
        text: Frozen::All,
    };

    /// Whether the parameter of this name is frozen.
    pub fn holds(self, name: &str) -> bool {
        match name.strip_prefix("visual.") {
            Some(name) => self.image.holds(image_layer(name)),
            None if name.starts_with("logit_") => false,
            None => self.text.holds(text_layer(name)),
        }
    }
}

/// A parameter's place in its tower.
enum Place {
    /// Before the first layer.
    Input,
    /// In this layer, from 0.
    Layer(usize),
    /// After the last layer.
    Output,
}

impl Frozen {
    fn holds(self, place: Place) -> bool {
        match (self, place) {
            (Self::None, _) => false,
            (Self::All, _) => true,
            (Self::First(_), Place::Input) => true,
            (Self::First(n), Place::Layer(layer)) => layer < n,
            (Self::First(_), Place::Output) => false,
        }
    }
}

fn image_layer(name: &str) -> Place {
    let stage = ["layer1.", "layer2.", "layer3.", "layer4."]
        .iter()
        .position(|stage| name.starts_with(stage));
    match stage.or_else(|| block(name)) {
        Some(layer) => Place::Layer(layer),
        None if ["attnpool.", "ln_post.", "proj", "head."]
            .iter()
            .any(|p| name.starts_with(p)) =>
        {
            Place::Output
        }
        None => Place::Input,
    }
}

fn text_layer(name: &str) -> Place {
    match block(name) {
        Some(layer) => Place::Layer(layer),
        None if name.starts_with("ln_final.") || name.starts_with("text_projection") => {
            Place::Output
        }
        None => Place::Input,
    }
}

/// The number of a Transformer's block in `transformer.resblocks.3.…`.
fn block(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("transformer.resblocks.")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towers_freeze_from_their_inputs_up() {
        let freeze = |image, text| Freeze { image, text };
        let first = freeze(Frozen::First(1), Frozen::First(2));
        for name in [
            "visual.conv1.weight",
            "visual.bn2.running_mean",
            "visual.positional_embedding",
            "visual.layer1.0.conv1.weight",
            "visual.transformer.resblocks.0.ln_1.weight",
            "token_embedding.weight",
            "transformer.resblocks.1.mlp.c_fc.bias",
        ] {
            assert!(first.holds(name), "{name}");
        }
        for name in [
            "visual.layer2.0.conv1.weight",
            "visual.attnpool.k_proj.weight",
            "visual.transformer.resblocks.10.ln_1.weight",
            "visual.proj",
            "transformer.resblocks.2.ln_1.bias",
            "text_projection",
            "logit_scale",
        ] {
            assert!(!first.holds(name), "{name}");
        }
        let locked = freeze(Frozen::All, Frozen::None);
        assert!(locked.holds("visual.proj") && !locked.holds("ln_final.weight"));
        assert!(!Freeze::ALL.holds("logit_bias"));
    }

    #[test]
    fn a_run_file_says_it_in_words_or_a_number() {
        let read = |text: &str| toml::from_str::<Freeze>(text).map_err(|e| e.to_string());
        let want = Freeze {
            image: Frozen::All,
            text: Frozen::First(3),
        };
        assert_eq!(read("image = \"all\"\ntext = 3"), Ok(want));
        assert_eq!(read(&toml::to_string(&want).unwrap()), Ok(want));
        assert!(read("image = \"half\"").unwrap_err().contains("\"all\""));
    }
}
