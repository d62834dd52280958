//! A safetensors file: its header in memory, its tensors read by position when asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::TensorData;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};

use crate::{Error, Result, guarded};
use diptych_files::PositionedFile;

/// Bytes that a header may have; the largest published ones have some 200,000. The format allows 100 million, of which a
/// million names took 921 MB.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// An open safetensors file.
pub struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    metadata: Metadata,
    /// Where the first tensor begins, in bytes.
    data_start: u64,
}

/// Where the bytes are.
enum Bytes {
    File(PositionedFile),
    Memory(&'static [u8]),
}

impl TensorFile {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tensors`] if it is not a whole safetensors file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = PositionedFile::open(path)?;
        let len = file.len();
        Self::new(path.to_owned(), Bytes::File(file), len)
    }

    /// Opens a file that is part of the program; `name` stands for its path in errors.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is not a whole safetensors file.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(name.into(), Bytes::Memory(bytes), bytes.len() as u64)
    }

    fn new(path: PathBuf, bytes: Bytes, len: u64) -> Result<Self> {
        let broken = |reason: String| Error::Tensors {
            path: path.clone(),
            reason,
        };
        if len < 8 {
            return Err(broken(format!(
                "not a safetensors file: it has {len} bytes"
            )));
        }
        let mut prefix = [0; 8];
        bytes
            .read_at(&mut prefix, 0)
            .map_err(|e| Error::io(&path, e))?;
        let header_len = u64::from_le_bytes(prefix);
        if header_len > len - 8 {
            return Err(broken(format!(
                "not a whole safetensors file: its header should have {header_len} bytes, the file has {len}"
            )));
        }
        if header_len > MAX_HEADER_BYTES {
            return Err(broken(format!(
                "its safetensors header has {header_len} bytes, wanted at most {MAX_HEADER_BYTES}"
            )));
        }
        let mut header = vec![0; header_len as usize];
        bytes
            .read_at(&mut header, 8)
            .map_err(|e| Error::io(&path, e))?;
        // Deserialising checks that the tensors' places follow each other and fit their shapes.
        let metadata: Metadata = guarded(|| serde_json::from_slice(&header))
            .map_err(|gave_up| broken(gave_up.to_string()))?
            .map_err(|e| broken(format!("the safetensors header is not valid: {e}")))?;
        let data_start = 8 + header_len;
        let wanted = data_start + metadata.data_len() as u64;
        if wanted != len {
            return Err(broken(format!(
                "cut off or padded: the header describes {wanted} bytes, the file has {len}"
            )));
        }
        Ok(Self {
            path,
            bytes,
            metadata,
            data_start,
        })
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor's name and shape.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, info.shape.clone()))
            .collect()
    }

    /// The formats of its floating-point numbers.
    pub(super) fn dtypes(&self) -> BTreeSet<&'static str> {
        let tensors = self.metadata.tensors().into_values();
        tensors.filter_map(|info| name_of(info.dtype)).collect()
    }

    /// The format of a tensor's numbers, if they are floating-point.
    pub(super) fn dtype(&self, name: &str) -> Option<&'static str> {
        name_of(self.metadata.info(name)?.dtype)
    }

    /// The text entries of the header's `__metadata__`.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.metadata
            .metadata()
            .iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// Reads the tensor `name` as f32.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is none, or its numbers are not f32, f16 or bf16.
    pub fn read(&self, name: &str) -> Result<TensorData> {
        let broken = |reason: String| Error::Tensors {
            path: self.path.clone(),
            reason,
        };
        let info = self
            .metadata
            .info(name)
            .ok_or_else(|| broken(format!("there is no tensor `{name}`")))?;
        let decode = decoder(info.dtype).ok_or_else(|| {
            broken(format!(
                "tensor `{name}` holds {:?}, wanted F64, F32, F16 or BF16",
                info.dtype
            ))
        })?;
        let (start, end) = info.data_offsets;
        let mut values = Vec::with_capacity(info.shape.iter().product());
        // In parts, so that there is no second copy of a large tensor.
        let mut buffer = vec![0; PART.min(end - start)];
        for place in (start..end).step_by(PART) {
            let part = &mut buffer[..PART.min(end - place)];
            self.bytes
                .read_at(part, self.data_start + place as u64)
                .map_err(|e| Error::io(&self.path, e))?;
            decode(part, &mut values);
        }
        Ok(TensorData::new(values, info.shape.clone()))
    }
}

/// The name of a floating-point format.
fn name_of(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F64 => Some("f64"),
        Dtype::F32 => Some("f32"),
        Dtype::F16 => Some("f16"),
        Dtype::BF16 => Some("bf16"),
        _ => None,
    }
}

/// Bytes that are read at once, whole numbers of every format.
const PART: usize = 1 << 20;

/// Appends the numbers in some bytes.
type Decode = fn(&[u8], &mut Vec<f32>);

/// How numbers of a format become f32; none for formats that are not floating-point.
fn decoder(dtype: Dtype) -> Option<Decode> {
    Some(match dtype {
        Dtype::F64 => |bytes, out| out.extend(words(bytes).map(|w| f64::from_le_bytes(w) as f32)),
        Dtype::F32 => |bytes, out| out.extend(words(bytes).map(f32::from_le_bytes)),
        Dtype::F16 => |bytes, out| out.extend(words(bytes).map(|w| f16::from_le_bytes(w).to_f32())),
        Dtype::BF16 => {
            |bytes, out| out.extend(words(bytes).map(|w| bf16::from_le_bytes(w).to_f32()))
        }
        _ => return None,
    })
}

/// `bytes` in groups of `N`.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

impl Bytes {
    /// Fills `buffer` from byte `offset` on.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, offset),
            Self::Memory(bytes) => {
                let mut rest = bytes.get(offset as usize..).unwrap_or_default();
                std::io::Read::read_exact(&mut rest, buffer)
            }
        }
    }
}
