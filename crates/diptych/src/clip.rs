//! The door: one model's tokenizer, preprocessing and towers, which can't be mismatched.
//!
//! On the CPU the towers are [`Engine`]'s; on other devices, and where they are trained, they are
//! the differentiable ones of [`crate::model`].

mod exits;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::embedding::Embeddings;
use crate::engine::{Engine, Precision};
use crate::image::{Pixels, Preprocess};
#[cfg(feature = "differentiable")]
use crate::model::{BuildOptions, ClipModel, Freeze};
use crate::model::{ClipConfig, Source};
use crate::text::{Overflow, Tokenizer, Tokens};
use crate::weights::{Checkpoint, Description};
use crate::{DeviceKind, Error, Result};

/// A CLIP model with everything that belongs to it.
pub struct Clip {
    name: String,
    config: ClipConfig,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    towers: Towers,
    logit_scale: f32,
    logit_bias: Option<f32>,
    fingerprint: Option<String>,
    notes: Vec<String>,
}

#[allow(clippy::large_enum_variant, reason = "there is one in a model")]
enum Towers {
    Engine(Engine),
    #[cfg(feature = "differentiable")]
    Differentiable(ClipModel),
}

impl Clip {
    /// Opens a model on the CPU: `default`, a checkpoint's directory or file, or the name of a
    /// published one, as [`Checkpoint::named`] does. Each tower is built when it is first used,
    /// and computes in what [`Precision::Auto`] stands for.
    ///
    /// # Errors
    /// Those of [`Checkpoint::named`].
    pub fn open(model: impl AsRef<Path>) -> Result<Self> {
        Self::open_in(model, Precision::Auto)
    }

    /// [`Clip::open`] in a precision.
    ///
    /// # Errors
    /// As [`Clip::open`].
    pub fn open_in(model: impl AsRef<Path>, precision: Precision) -> Result<Self> {
        let model = model.as_ref();
        let mut checkpoint = Checkpoint::named(model)?;
        let description = checkpoint.description().clone();
        let fingerprint = checkpoint.fingerprint().to_owned();
        let mut scalar = |name: &str| -> Result<f32> {
            let value = checkpoint.read(name)?;
            Ok(value.values().first().copied().unwrap_or_default())
        };
        let logits = (
            scalar("logit_scale")?.exp(),
            match description.config.init_logit_bias {
                Some(_) => Some(scalar("logit_bias")?),
                None => None,
            },
        );
        let engine = Engine::new(description.config.clone(), precision, checkpoint);
        Ok(Self {
            name: model.display().to_string(),
            fingerprint: Some(fingerprint),
            ..Self::new(description, Towers::Engine(engine), logits)
        })
    }

    /// [`Clip::open_in`] on a device of any kind.
    ///
    /// # Errors
    /// As [`Clip::open`]; [`Error::Device`] if this build has no such kind, [`Error::Precision`] if
    /// it does not compute in that precision.
    pub fn open_on(
        model: impl AsRef<Path>,
        kind: DeviceKind,
        precision: Precision,
    ) -> Result<Self> {
        match (kind, precision) {
            (DeviceKind::Cpu, precision) => Self::open_in(model, precision),
            #[cfg(feature = "differentiable")]
            (kind, Precision::Auto | Precision::F32) => {
                Self::open_differentiable(model, &kind.open()?)
            }
            #[cfg(not(feature = "differentiable"))]
            (kind, Precision::Auto | Precision::F32) => Err(Error::Device {
                device: kind.name(),
            }),
            (_, precision) => Err(Error::Precision {
                precision: precision.name(),
                reason: "is for the CPU; other devices compute in f32",
            }),
        }
    }

    /// A model whose towers are built of `source`.
    #[cfg(test)]
    pub(crate) fn of_source(
        description: Description,
        source: impl Source + Send + 'static,
    ) -> Self {
        let engine = Engine::new(description.config.clone(), Precision::F32, source);
        Self::new(description, Towers::Engine(engine), (1.0, None))
    }

    fn new(
        description: Description,
        towers: Towers,
        (logit_scale, logit_bias): (f32, Option<f32>),
    ) -> Self {
        let Description {
            config,
            preprocess,
            tokenizer,
            notes,
            ..
        } = description;
        Self {
            name: "a model in training".into(),
            config,
            preprocess,
            tokenizer,
            towers,
            logit_scale,
            logit_bias,
            fingerprint: None,
            notes,
        }
    }

    /// The precision that the towers compute in: never [`Precision::Auto`], but the one it stands
    /// for.
    pub fn precision(&self) -> Precision {
        match &self.towers {
            Towers::Engine(engine) => engine.precision(),
            #[cfg(feature = "differentiable")]
            Towers::Differentiable(_) => Precision::F32,
        }
    }

    /// The model's fingerprint, as [`Checkpoint::fingerprint`]; none while it is being trained.
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// The name or path that it was opened by, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Guesses and omissions when it was opened, a sentence each, to be shown to whoever uses it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The architecture.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// How this model's pictures become pixels.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// How this model's texts become tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The factor `exp(t)` from cosines to logits.
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// The bias that is added to logits; only models trained with the sigmoid loss have one.
    pub fn logit_bias(&self) -> Option<f32> {
        self.logit_bias
    }

    /// Encodes pixels `[N, 3, S, S]` into embeddings `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Size`] if `S` is not the image tower's.
    pub fn encode_images(&self, pixels: &Pixels) -> Result<Embeddings> {
        let features = self.image_features(pixels)?;
        Embeddings::from_features(self.config.embed_dim, features)
    }

    /// Encodes texts into embeddings `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Text`] for a text with more tokens than the model reads.
    pub fn encode_texts<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Embeddings> {
        let tokens = self.tokens(texts, Overflow::Refuse)?;
        let features = self.text_features(&tokens)?;
        Embeddings::from_features(self.config.embed_dim, features)
    }

    /// The tokens of texts, `[N, L]`.
    ///
    /// # Errors
    /// [`Error::Text`] if a text is too long and `overflow` refuses.
    pub fn tokens<T: AsRef<str> + Sync>(&self, texts: &[T], overflow: Overflow) -> Result<Tokens> {
        let context_length = self.config.text_cfg.context_length;
        Ok(self
            .tokenizer
            .encode_batch(texts, context_length, overflow)?)
    }

    /// Image features `[N, D]`, row by row, not normalised.
    ///
    /// # Errors
    /// [`Error::Size`] if the pixels have another size than the image tower takes
    /// ([`Clip::image_exits`] takes any); what keeps the tower's tensors from being read, if it
    /// is used for the first time.
    pub fn image_features(&self, pixels: &Pixels) -> Result<Vec<f32>> {
        match &self.towers {
            Towers::Engine(engine) => engine.image_features(pixels),
            #[cfg(feature = "differentiable")]
            Towers::Differentiable(model) => {
                let (got, want) = (pixels.size(), self.config.vision_cfg.size());
                if got != want {
                    return Err(Error::Size { got, want });
                }
                Ok(model.image_features_of(pixels))
            }
        }
    }

    /// Text features `[N, D]`, row by row, not normalised.
    ///
    /// # Errors
    /// [`Error::Tokens`] if the tokens are another tokenizer's: longer than the context, empty, or
    /// with ids that the vocabulary doesn't have; what keeps the tower's tensors from being read,
    /// if it is used for the first time.
    pub fn text_features(&self, tokens: &Tokens) -> Result<Vec<f32>> {
        self.check(tokens)?;
        match &self.towers {
            Towers::Engine(engine) => engine.text_features(tokens),
            #[cfg(feature = "differentiable")]
            Towers::Differentiable(model) => Ok(model.text_features_of(tokens)),
        }
    }

    /// Whether the text tower can read these tokens.
    fn check(&self, tokens: &Tokens) -> Result<()> {
        let text = &self.config.text_cfg;
        let refuse = |reason: String| Err(Error::Tokens { reason });
        if let Some(&long) = tokens
            .lengths()
            .iter()
            .find(|&&n| n > text.context_length || n == 0)
        {
            return refuse(format!(
                "a row has {long}, wanted 1 to {}",
                text.context_length
            ));
        }
        let is_whole = tokens.context_length() == text.context_length;
        if self.config.reading().reads_padding() && !is_whole {
            return refuse(format!(
                "rows are padded to {}, wanted {}",
                tokens.context_length(),
                text.context_length
            ));
        }
        if let Some(&id) = tokens
            .ids()
            .iter()
            .find(|&&id| id as usize >= text.vocab_size)
        {
            return refuse(format!(
                "id {id} is not in the vocabulary of {}",
                text.vocab_size
            ));
        }
        Ok(())
    }
}

#[cfg(feature = "differentiable")]
impl Clip {
    /// [`Clip::open`] with the towers that training uses, on any device: slower on the CPU, and
    /// what the others are tested against. Nothing of the towers is trained: on a device with
    /// autodiff, gradients reach the pixels, and none is computed or kept for a weight. The
    /// temperature (and SigLIP's bias) alone has a gradient, where a loss uses it.
    ///
    /// ```
    /// use diptych::burn::tensor::Tensor;
    /// use diptych::{Clip, Device, layers::Phase};
    ///
    /// let device = Device::flex().autodiff();
    /// let clip = Clip::open_differentiable("default", &device)?;
    /// let towers = clip.towers().expect("they are differentiable");
    /// let side = clip.preprocess().size;
    /// let pixels = Tensor::<4>::zeros([1, 3, side, side], &device).require_grad();
    /// let features = towers.image_features(pixels.clone(), Phase::Infer);
    /// let gradient = pixels.grad(&features.sum().backward()).expect("of the pixels");
    /// assert_eq!(gradient.dims(), [1, 3, side, side]);
    /// # Ok::<(), diptych::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Clip::open`].
    pub fn open_differentiable(model: impl AsRef<Path>, device: &crate::Device) -> Result<Self> {
        let name = model.as_ref().display().to_string();
        let mut checkpoint = Checkpoint::named(model)?;
        let description = checkpoint.description().clone();
        let options = BuildOptions {
            freeze: Freeze::ALL,
            ..BuildOptions::default()
        };
        let config = &description.config;
        let model = ClipModel::build_with(config, &mut checkpoint, device, options)?;
        Ok(Self {
            name,
            fingerprint: Some(checkpoint.fingerprint().to_owned()),
            ..Self::from_model(description, model)
        })
    }

    /// The differentiable towers, where these are: of a model that was opened by
    /// [`Clip::open_differentiable`] or is in training.
    pub fn towers(&self) -> Option<&ClipModel> {
        match &self.towers {
            Towers::Differentiable(model) => Some(model),
            Towers::Engine(_) => None,
        }
    }

    /// A model that is being trained, with what belongs to it. It has no fingerprint.
    pub fn from_model(description: Description, model: ClipModel) -> Self {
        let bias = model.logit_bias().map(burn::tensor::Tensor::into_scalar);
        let logits = (model.logit_scale().into_scalar(), bias);
        Self::new(description, Towers::Differentiable(model), logits)
    }
}
