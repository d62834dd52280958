//! A tensor as a file has it: where its numbers lie, their format, their order.

use std::io;

use half::{bf16, f16};

use super::bytes::{Bytes, Place};
use super::value::Value;
use crate::weights::StoredDtype;

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// The numbers that tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage {
    /// Where they lie in the file; in the bytes that `text` stands for, if there is one.
    pub(super) place: Place,
    pub(super) dtype: StoredDtype,
    pub(super) order: Order,
    /// A text of UTF-8 in the file, each character of which is a byte: protocol 2 of pickles has
    /// no bytes.
    pub(super) text: Option<Place>,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    storage: Storage,
    pub(super) shape: Vec<usize>,
    /// Values before its first.
    offset: u64,
    /// Values from one to the next, in each dimension.
    strides: Vec<u64>,
    /// By what each of its rows is multiplied.
    scales: Option<Box<View>>,
}

/// Why a tensor can't be read.
pub(super) enum Unread {
    Io(io::Error),
    /// In words that follow the tensor's name.
    Reason(String),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes that are read at once, whole numbers of every format. Not a whole tensor, so that there is
/// no second copy of a large one.
const PART: usize = 1 << 20;

impl Storage {
    /// Little-endian numbers as they are.
    pub(super) fn plain(place: Place, dtype: StoredDtype) -> Self {
        Self {
            place,
            dtype,
            order: Order::Little,
            text: None,
        }
    }

    /// The most numbers of its format that its bytes can hold.
    pub(super) fn count(&self) -> u64 {
        self.place.len / self.dtype.bytes()
    }
}

/// The bytes that the characters of a text stand for.
///
/// # Errors
/// In words that follow the tensor's name.
pub(super) fn latin1(bytes: &Bytes, text: Place) -> Result<Vec<u8>, String> {
    let refuse = || "holds a text that stands for no bytes".to_owned();
    let text = String::from_utf8(bytes.read(text)?).map_err(|_| refuse())?;
    let byte = |c: char| u8::try_from(c).map_err(|_| refuse());
    text.chars().map(byte).collect()
}

impl View {
    /// All of a storage, or its beginning, row by row.
    ///
    /// # Errors
    /// As [`View::new`].
    pub(super) fn contiguous(storage: Storage, shape: Vec<u64>) -> Result<Self, String> {
        let strides = row_strides(&shape);
        Self::new(storage, shape, strides, 0)
    }

    /// A view that has been checked to lie within its storage, and to have no more values than
    /// that.
    ///
    /// # Errors
    /// In words that follow the tensor's name.
    pub(super) fn new(
        storage: Storage,
        shape: Vec<u64>,
        strides: Vec<u64>,
        offset: u64,
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!(
                "is a tensor of shape {shape:?} with strides {strides:?}"
            ));
        }
        let available = storage.count();
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (&n, stride)| {
                last.checked_add(n.saturating_sub(1).checked_mul(*stride)?)
            });
        let count = shape
            .iter()
            .try_fold(1u64, |count, &n| count.checked_mul(n));
        match (last, count) {
            (Some(_), Some(0)) if offset <= available => {}
            (Some(last), Some(count)) if last < available && count <= available => {}
            _ => {
                return Err(format!(
                    "is {shape:?} from value {offset} on, and its storage has {available} values"
                ));
            }
        }
        Ok(Self {
            storage,
            shape: shape.iter().map(|&n| n as usize).collect(),
            offset,
            strides,
            scales: None,
        })
    }

    pub(super) fn dtype(&self) -> StoredDtype {
        match self.scales {
            Some(_) => StoredDtype::Int8,
            None => self.storage.dtype,
        }
    }

    /// Whether `scales` has a number for each row of this tensor.
    pub(super) fn takes(&self, scales: &Self) -> bool {
        scales.dtype().is_float()
            && self
                .shape
                .first()
                .is_some_and(|&rows| scales.shape == [rows])
    }

    /// The same, each row multiplied by its scale.
    pub(super) fn scaled(mut self, scales: Self) -> Self {
        self.scales = Some(Box::new(scales));
        self
    }

    /// Where its values lie, from the first to the last.
    pub(super) fn span(&self) -> Place {
        let size = self.storage.dtype.bytes();
        let values = if self.shape.contains(&0) {
            0
        } else {
            let steps = self.shape.iter().zip(&self.strides);
            1 + steps
                .map(|(&n, stride)| (n as u64 - 1) * stride)
                .sum::<u64>()
        };
        Place {
            offset: self.storage.place.offset + self.offset * size,
            len: values * size,
        }
    }

    /// Its values in f32 and in order.
    pub(super) fn read(&self, bytes: &Bytes) -> Result<Vec<f32>, Unread> {
        let mut values = self.numbers(bytes)?;
        if let Some(scales) = &self.scales {
            let scales = scales.numbers(bytes)?;
            let row = values.len() / scales.len().max(1);
            for (row, scale) in values.chunks_exact_mut(row.max(1)).zip(scales) {
                row.iter_mut().for_each(|value| *value *= scale);
            }
        }
        Ok(values)
    }

    /// Its numbers as they are stored, in order.
    fn numbers(&self, bytes: &Bytes) -> Result<Vec<f32>, Unread> {
        let span = match self.storage.text {
            None => self.values_of_span(bytes)?,
            Some(text) => {
                let decoded = latin1(bytes, text).map_err(Unread::Reason)?;
                self.values_of_span(&Bytes::Memory(decoded.into()))?
            }
        };
        let count: usize = self.shape.iter().product();
        if span.len() == count && self.is_contiguous() {
            return Ok(span);
        }
        let place = |mut index: usize| {
            let dimensions = self.shape.iter().zip(&self.strides).rev();
            dimensions.fold(0, |place, (&n, &stride)| {
                let along = index % n;
                index /= n;
                place + along * stride as usize
            })
        };
        Ok((0..count).map(|index| span[place(index)]).collect())
    }

    /// The values from its first to its last, as they lie.
    fn values_of_span(&self, bytes: &Bytes) -> Result<Vec<f32>, Unread> {
        let Storage { dtype, order, .. } = self.storage;
        let Place { offset, len } = self.span();
        let size = dtype.bytes() as usize;
        let len = len as usize;
        let mut values = Vec::with_capacity(len / size);
        let mut buffer = vec![0; PART.min(len)];
        for start in (0..len).step_by(PART) {
            let part = &mut buffer[..PART.min(len - start)];
            bytes.read_exact_at(part, offset + start as u64)?;
            if order == Order::Big {
                part.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            decode(dtype, part, &mut values).map_err(Unread::Reason)?;
        }
        Ok(values)
    }

    /// The value of a scalar, exactly.
    pub(super) fn scalar(&self, bytes: &Bytes) -> Option<Value> {
        let decoded;
        let bytes = match self.storage.text {
            None => bytes,
            Some(text) => {
                decoded = Bytes::Memory(latin1(bytes, text).ok()?.into());
                &decoded
            }
        };
        let mut word = bytes.read(self.span()).ok()?;
        if self.storage.order == Order::Big {
            word.reverse();
        }
        Some(match (self.storage.dtype, &word[..]) {
            (StoredDtype::F64, word) => Value::Float(f64::from_le_bytes(word.try_into().ok()?)),
            (StoredDtype::I64, word) => Value::Int(i64::from_le_bytes(word.try_into().ok()?)),
            (StoredDtype::U64, word) => {
                Value::Int(u64::from_le_bytes(word.try_into().ok()?).try_into().ok()?)
            }
            (StoredDtype::I32, word) => {
                Value::Int(i32::from_le_bytes(word.try_into().ok()?).into())
            }
            (StoredDtype::U32, word) => {
                Value::Int(u32::from_le_bytes(word.try_into().ok()?).into())
            }
            (StoredDtype::Bool, &[byte]) => Value::Bool(byte != 0),
            (dtype, word) => {
                let mut value = Vec::new();
                decode(dtype, word, &mut value).ok()?;
                let &[value] = &value[..] else { return None };
                if dtype.is_float() {
                    Value::Float(value.into())
                } else {
                    Value::Int(value as i64)
                }
            }
        })
    }

    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        let dimensions = self.shape.iter().zip(&self.strides).rev();
        dimensions.into_iter().all(|(&n, &stride)| {
            let fits = n == 1 || stride == wanted;
            wanted = wanted.saturating_mul(n as u64);
            fits
        })
    }
}

/// The strides of a tensor whose values lie row by row.
pub(super) fn row_strides(shape: &[u64]) -> Vec<u64> {
    column_strides(shape.iter().rev())
        .into_iter()
        .rev()
        .collect()
}

/// The strides of a tensor whose values lie column by column, as Fortran has them.
pub(super) fn column_strides<'a>(shape: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let sides = shape.scan(1u64, |next, &n| {
        let stride = *next;
        *next = next.saturating_mul(n.max(1));
        Some(stride)
    });
    sides.collect()
}

/// Appends the little-endian numbers in `bytes` to `out`, as f32.
fn decode(dtype: StoredDtype, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), String> {
    use StoredDtype as D;
    match dtype {
        D::F64 => floats(bytes, out, |w| f64::from_le_bytes(w) as f32),
        D::F32 => floats(bytes, out, f32::from_le_bytes),
        D::F16 => floats(bytes, out, |w| f16::from_le_bytes(w).to_f32()),
        D::Bf16 => floats(bytes, out, |w| bf16::from_le_bytes(w).to_f32()),
        D::Bool => floats(bytes, out, |[byte]| f32::from(u8::from(byte != 0))),
        D::I8 | D::Int8 => floats(bytes, out, |w| i8::from_le_bytes(w).into()),
        D::U8 => floats(bytes, out, |[byte]| byte.into()),
        D::I16 => floats(bytes, out, |w| i16::from_le_bytes(w).into()),
        D::U16 => floats(bytes, out, |w| u16::from_le_bytes(w).into()),
        D::I32 => return integers(bytes, out, i32::from_le_bytes),
        D::U32 => return integers(bytes, out, u32::from_le_bytes),
        D::I64 => return integers(bytes, out, i64::from_le_bytes),
        D::U64 => return integers(bytes, out, u64::from_le_bytes),
    }
    Ok(())
}

fn floats<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
    out.extend(bytes.as_chunks::<N>().0.iter().map(|&word| number(word)));
}

/// Integers, each of which must be a number in f32, too: a count that is rounded is another count.
fn integers<const N: usize, T: Into<i128>>(
    bytes: &[u8],
    out: &mut Vec<f32>,
    number: impl Fn([u8; N]) -> T,
) -> Result<(), String> {
    for &word in bytes.as_chunks::<N>().0 {
        let integer: i128 = number(word).into();
        let value = integer as f32;
        if value as i128 != integer {
            return Err(format!("holds {integer}, which f32 can't hold"));
        }
        out.push(value);
    }
    Ok(())
}
