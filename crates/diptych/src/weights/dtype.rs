//! Number formats of weights on disk.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// The number format of a checkpoint's weights on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 16-bit IEEE floating point.
    F16,
    /// 16-bit brain floating point.
    Bf16,
    /// Integers from −127 to 127, and for each row of a tensor (each output of a convolution, each
    /// token) a scale by which they are multiplied. Tensors whose rows are short, such as biases
    /// and norms, are f32.
    Int8,
}

/// The least values that a row has for the integers and their scale to be worth it.
const LEAST_ROW: usize = 16;

/// The name of the scales of a tensor's rows, as the format of compressed-tensors has it
/// (`weight_scale` of `weight`).
pub(super) fn scale_name(tensor: &str) -> String {
    format!("{tensor}_scale")
}

impl Dtype {
    /// This format, or the one in which a tensor of this shape is written instead.
    pub(super) fn of_shape(self, shape: &[usize]) -> Self {
        match (self, shape) {
            (Self::Int8, [_, rest @ ..]) if rest.iter().product::<usize>() >= LEAST_ROW => self,
            (Self::Int8, _) => Self::F32,
            _ => self,
        }
    }

    /// `values`, so many rows of a tensor, as little-endian bytes in this format; of int8 the
    /// integers, then the scales in f32.
    pub(super) fn encode(self, values: &[f32], count: usize) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F16 => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
            Self::Bf16 => values
                .iter()
                .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
                .collect(),
            Self::Int8 => {
                let rows = values.chunks_exact((values.len() / count.max(1)).max(1));
                let (mut bytes, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
                for row in rows {
                    let largest = row.iter().fold(0f32, |most, v| most.max(v.abs()));
                    let scale = largest / 127.0;
                    // A row of zeros has no scale, and none is needed.
                    let inverse = if scale == 0.0 { 0.0 } else { scale.recip() };
                    bytes.extend(row.iter().map(|v| (v * inverse).round() as i8 as u8));
                    scales.extend(scale.to_le_bytes());
                }
                bytes.extend(scales);
                bytes
            }
        }
    }

    /// Whether `value` is a number in this format.
    pub(super) fn holds(self, value: f32) -> bool {
        match self {
            Self::F32 | Self::Int8 => value.is_finite(),
            Self::F16 => f16::from_f32(value).is_finite(),
            Self::Bf16 => bf16::from_f32(value).is_finite(),
        }
    }

    /// Bytes of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    /// Name in the header of a safetensors file.
    pub(super) fn name_in_header(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Int8 => "I8",
        }
    }
}

/// The number format of a stored tensor: those that are written, and all others that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StoredDtype {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// 16-bit IEEE floating point.
    F16,
    /// 16-bit brain floating point.
    Bf16,
    /// Signed 8-bit integers with a scale for each row, as [`Dtype::Int8`].
    Int8,
    /// Signed 64-bit integers.
    I64,
    /// Signed 32-bit integers.
    I32,
    /// Signed 16-bit integers.
    I16,
    /// Signed 8-bit integers.
    I8,
    /// Unsigned 64-bit integers.
    U64,
    /// Unsigned 32-bit integers.
    U32,
    /// Unsigned 16-bit integers.
    U16,
    /// Unsigned 8-bit integers.
    U8,
    /// True and false, a byte each; read as 1 and 0.
    Bool,
}

impl StoredDtype {
    /// Its name in messages and in JSON: `f32`, `bf16`, `i64`, `bool`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Whether its numbers are what weights are: floating-point, or integers with a scale.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::F64 | Self::F32 | Self::F16 | Self::Bf16 | Self::Int8
        )
    }

    /// Bytes of a number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::Int8 | Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}
