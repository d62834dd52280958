//! What the towers compute in.

use std::str::FromStr;

use kernels::Format;

/// What a model's towers compute in, on the CPU. Sums, normalisations and the residual stream of a Transformer are in f32
/// in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// [`Precision::Bf16`] where the CPU has instructions for it (AVX512-BF16), else [`Precision::F32`].
    #[default]
    Auto,
    /// Nothing is rounded.
    F32,
    /// Weights and activations are rounded to bf16.
    Bf16,
    /// Weights are rounded to eight bits, with one scale an output channel; activations, too, where they are multiplied
    /// with weights, with scales of their own for each token, or each picture in a convolution.
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

    /// What [`Precision::Auto`] stands for on this CPU; the others stand for themselves.
    #[must_use]
    pub fn resolve(self) -> Self {
        match self {
            Self::Auto if kernels::Precision::Bf16.is_native() => Self::Bf16,
            Self::Auto => Self::F32,
            other => other,
        }
    }

    /// The formats of a tower whose attention heads are so wide.
    pub(super) fn formats(self, head_width: usize) -> Formats {
        // Pairs of bf16 are multiplied at once, and a pair must not belong to two heads.
        let is_paired = head_width.is_multiple_of(2);
        let bf16 = kernels::Precision::Bf16;
        let (kept, weights) = match self.resolve() {
            Self::Bf16 if is_paired => (bf16, Format::Bf16),
            Self::Int8 if is_paired && bf16.is_native() => (bf16, Format::Int8),
            Self::Int8 => (kernels::Precision::F32, Format::Int8),
            _ => (kernels::Precision::F32, Format::F32),
        };
        Formats {
            kept,
            weights,
            out_proj: weights,
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::NAMES.into_iter().find(|(known, _)| *known == name);
        let names = Self::NAMES.map(|(name, _)| name).join(", ");
        named.map_or_else(
            || Err(format!("{name:?} is no precision; there are {names}")),
            |(_, precision)| Ok(precision),
        )
    }
}

/// What a tower's numbers are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formats {
    /// Activations between layers.
    pub(super) kept: kernels::Precision,
    /// Weights.
    pub(super) weights: Format,
    /// Those of what follows attention.
    pub(super) out_proj: Format,
}

impl Formats {
    /// Of a text tower. A twelfth of its arithmetic is what follows attention, and with that in eight bits as well the least
    /// cosine to f32 of 200 captions was 0.99946 instead of 0.99961 (ViT-B/32, random weights).
    pub(super) fn of_texts(self) -> Self {
        Self {
            out_proj: self.unrounded(),
            ..self
        }
    }

    /// Weights as activations are kept.
    fn unrounded(self) -> Format {
        match self.kept {
            kernels::Precision::F32 => Format::F32,
            kernels::Precision::Bf16 => Format::Bf16,
        }
    }

    /// Of the weight of a layer with so many inputs, where a format is asked for.
    pub(super) fn weight(self, format: Format, inputs: usize) -> Format {
        match format {
            Format::Int8 if inputs > kernels::INT8_INPUTS => self.unrounded(),
            format => format,
        }
    }
}
