//! The number formats that the towers compute in.

use diptych_kernels::{Packing, Rounding};
use serde::{Deserialize, Serialize};

#[cfg(feature = "differentiable")]
use crate::Error;
use crate::model::ClipConfig;

/// The precision that a model's towers compute in on the CPU. Sums, normalisations, the residual
/// stream of a Transformer and the projection to embeddings are in f32 in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// [`Precision::Bf16`] where the CPU has instructions for it (AVX512-BF16), else
    /// [`Precision::F32`].
    #[default]
    Auto,
    /// Nothing is rounded.
    F32,
    /// Weights and activations are rounded to bf16.
    Bf16,
    /// Weights are rounded to eight bits, with one scale per output channel. Activations are, too,
    /// where they are multiplied with weights, with one scale per token or position, or per band of
    /// a picture that a convolution takes at a time. The rest is as in [`Precision::Auto`], and so
    /// is the projection after attention in text towers.
    Int8,
}

impl Precision {
    /// All of them, by their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("f32", Self::F32),
        ("bf16", Self::Bf16),
        ("int8", Self::Int8),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.into_iter().find(|(_, p)| *p == self);
        named.map_or("auto", |(name, _)| name)
    }

    /// The rounding of the factors of a differentiable tower's products.
    ///
    /// # Errors
    /// [`Error::Precision`] for eight bits, and for bf16 on a CPU without instructions for it.
    #[cfg(feature = "differentiable")]
    pub(crate) fn rounding(self) -> Result<Rounding, Error> {
        let reason = match self {
            Self::F32 => return Ok(Rounding::F32),
            Self::Auto | Self::Bf16 if Rounding::Bf16.is_native() => return Ok(Rounding::Bf16),
            Self::Auto => return Ok(Rounding::F32),
            Self::Bf16 => "needs a CPU with AVX512-BF16, which this one is not; wanted `f32`",
            Self::Int8 => "has no gradients; wanted `f32` or `bf16`",
        };
        Err(Error::Precision {
            precision: self.name(),
            reason,
        })
    }

    /// Billions of operations a second that `threads` of this CPU reach in it, in a loop over
    /// registers.
    pub fn limit_gops(self, threads: usize) -> f64 {
        let packing = match self {
            Self::F32 => Packing::F32,
            Self::Bf16 => Packing::Bf16,
            Self::Int8 => Packing::Int8,
            Self::Auto if Rounding::Bf16.is_native() => Packing::Bf16,
            Self::Auto => Packing::F32,
        };
        diptych_kernels::limit_gops(threads, packing)
    }

    /// Replaces [`Precision::Auto`] by the precision that it stands for on this CPU. bf16 values
    /// are multiplied in pairs, and a pair must not span two heads: with heads of an odd width,
    /// which no published model has, f32 takes the place of bf16.
    pub(super) fn resolve(self, config: &ClipConfig) -> Self {
        let is_native = Rounding::Bf16.is_native();
        match self {
            Self::Auto if !is_native => Self::F32,
            Self::Auto | Self::Bf16 if is_paired(config) => Self::Bf16,
            Self::Auto | Self::Bf16 => Self::F32,
            other => other,
        }
    }

    /// The formats of a model's towers; `width` is that of the widest stream.
    pub(super) fn formats(self, config: &ClipConfig, width: usize) -> Formats {
        let is_bf16 = Rounding::Bf16.is_native() && is_paired(config);
        let kept = match self {
            Self::Bf16 => Rounding::Bf16,
            Self::Int8 if is_bf16 => Rounding::Bf16,
            _ => Rounding::F32,
        };
        let weights = match self {
            Self::Int8 if width <= diptych_kernels::INT8_INPUTS => Packing::Int8,
            _ => unrounded(kept),
        };
        Formats {
            kept,
            weights,
            out_proj: weights,
        }
    }
}

/// Whether all heads are of an even width.
fn is_paired(config: &ClipConfig) -> bool {
    let text = &config.text_cfg;
    let heads = [config.vision_cfg.head_width, text.width / text.heads.max(1)];
    heads.iter().all(|width| width.is_multiple_of(2))
}

/// The format of weights that are not in eight bits: that of the activations.
fn unrounded(kept: Rounding) -> Packing {
    match kept {
        Rounding::F32 => Packing::F32,
        Rounding::Bf16 => Packing::Bf16,
    }
}

/// The formats that a tower's numbers are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    /// Activations between layers.
    pub(super) kept: Rounding,
    /// Weights.
    pub(super) weights: Packing,
    /// Weights of the projection after attention.
    pub(super) out_proj: Packing,
}

impl Formats {
    /// These formats for a text tower: the projection after attention is not in eight bits. It is a
    /// twelfth of the arithmetic; in eight bits as well, the least cosine to f32 of 200 captions
    /// was 0.99946 instead of 0.99961 (ViT-B/32, random weights).
    pub(super) fn of_texts(self) -> Self {
        Self {
            out_proj: unrounded(self.kept),
            ..self
        }
    }

    /// The format of a weight with `inputs` inputs: `packing`, unless that is eight bits and the
    /// inputs are too many for it.
    pub(super) fn weight(self, packing: Packing, inputs: usize) -> Packing {
        match packing {
            Packing::Int8 if inputs > diptych_kernels::INT8_INPUTS => unrounded(self.kept),
            packing => packing,
        }
    }
}
