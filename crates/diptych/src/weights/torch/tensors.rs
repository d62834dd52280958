//! The tensors that a pickle's values stand for.

use std::collections::{BTreeMap, HashSet};

use half::{bf16, f16};

use super::pickle::{Id, Node, Pickle};
use super::zip::Place;

/// What a state dict has.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// Entries that are no tensors we can read, and why: an error where one of them is needed.
    pub(super) refused: BTreeMap<String, String>,
}

/// Entries that a state dict may have, bytes of a name, and modules within each other.
const MAX_ENTRIES: usize = 1 << 16;
const MAX_NAME: usize = 256;
const MAX_DEPTH: usize = 32;

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// Where its storage lies in the file.
    storage: Place,
    pub(super) shape: Vec<usize>,
    dtype: Dtype,
    /// Values before its first.
    offset: u64,
    /// Values from one to the next, in each dimension.
    strides: Vec<u64>,
}

/// A format of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    /// Whole numbers and others, of so many bytes; never a weight.
    Other(u64),
}

impl Dtype {
    /// By the name of PyTorch's storage class, or of its `dtype`, both of the module `torch`.
    fn named((module, name): (&str, &str)) -> Option<Self> {
        let dtype = match name {
            "DoubleStorage" | "float64" => Self::F64,
            "FloatStorage" | "float32" => Self::F32,
            "HalfStorage" | "float16" => Self::F16,
            "BFloat16Storage" | "bfloat16" => Self::Bf16,
            "LongStorage" | "int64" => Self::Other(8),
            "IntStorage" | "int32" => Self::Other(4),
            "ShortStorage" | "int16" => Self::Other(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" | "int8" | "uint8" | "bool" => {
                Self::Other(1)
            }
            _ => return None,
        };
        (module == "torch").then_some(dtype)
    }

    fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(bytes) => bytes,
        }
    }
}

impl Tensor {
    /// The format of its numbers, if they are floating-point.
    pub(super) fn dtype(&self) -> Option<&'static str> {
        match self.dtype {
            Dtype::F64 => Some("f64"),
            Dtype::F32 => Some("f32"),
            Dtype::F16 => Some("f16"),
            Dtype::Bf16 => Some("bf16"),
            Dtype::Other(_) => None,
        }
    }

    /// Where its values lie in the file, from the first to the last.
    pub(super) fn span(&self) -> Place {
        let size = self.dtype.bytes();
        let values = match self.shape.contains(&0) {
            true => 0,
            false => {
                let steps = self.shape.iter().zip(&self.strides);
                1 + steps
                    .map(|(&n, stride)| (n as u64 - 1) * stride)
                    .sum::<u64>()
            }
        };
        Place {
            offset: self.storage.offset + self.offset * size,
            len: values * size,
        }
    }

    /// Its values in f32 and in order, given the bytes of its span.
    pub(super) fn values(&self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        match self.dtype {
            Dtype::F64 => Ok(self.gather(bytes, |w| f64::from_le_bytes(w) as f32)),
            Dtype::F32 => Ok(self.gather(bytes, f32::from_le_bytes)),
            Dtype::F16 => Ok(self.gather(bytes, |w| f16::from_le_bytes(w).to_f32())),
            Dtype::Bf16 => Ok(self.gather(bytes, |w| bf16::from_le_bytes(w).to_f32())),
            Dtype::Other(_) => Err("holds no floating-point numbers".into()),
        }
    }

    /// The words of its span in its own order.
    fn gather<const N: usize>(&self, bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let words = bytes.as_chunks::<N>().0;
        let count: usize = self.shape.iter().product();
        if words.len() == count && self.is_contiguous() {
            return words.iter().map(|&word| number(word)).collect();
        }
        let place = |mut index: usize| {
            let dimensions = self.shape.iter().zip(&self.strides).rev();
            dimensions.fold(0, |place, (&n, &stride)| {
                let along = index % n;
                index /= n;
                place + along * stride as usize
            })
        };
        (0..count)
            .map(|index| number(words[place(index)]))
            .collect()
    }

    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(&n, &stride)| {
                let fits = n == 1 || stride == wanted;
                wanted = wanted.saturating_mul(n as u64);
                fits
            })
    }
}

/// The state dict in a pickle, given where each storage lies, in a file of so many bytes.
///
/// # Errors
/// In words, if there is none, or it is larger than any that its file could hold.
pub(super) fn collect(
    pickle: &Pickle,
    file_len: u64,
    storage: impl Fn(&str) -> Option<Place>,
) -> Result<Found, String> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut waiting = vec![(state_dict(pickle), String::new(), 0)];
    let mut bytes = 0u64;
    while let Some((id, path, depth)) = waiting.pop() {
        if !seen.insert(id) {
            continue; // a module may hold itself
        }
        for &(key, value) in attributes(pickle, id).unwrap_or_default() {
            let Some(key) = pickle.text(key) else {
                continue;
            };
            if path.len() + key.len() >= MAX_NAME || depth == MAX_DEPTH {
                return Err(format!(
                    "its modules are more than {MAX_DEPTH} deep, or a name has more than {MAX_NAME} bytes"
                ));
            }
            if found.tensors.len() + found.refused.len() + waiting.len() == MAX_ENTRIES {
                return Err(format!("it has more than {MAX_ENTRIES} entries"));
            }
            let name = match path.is_empty() {
                true => key.to_owned(),
                false => format!("{path}.{key}"),
            };
            match tensor(pickle, value, &storage) {
                Ok(Some(tensor)) => {
                    bytes = bytes.saturating_add(tensor.span().len);
                    found.tensors.insert(name, tensor);
                }
                Ok(None) if attributes(pickle, value).is_some() => {
                    waiting.push((value, name, depth + 1));
                }
                Ok(None) => {
                    if let Node::Call { callee, .. } = pickle.get(value) {
                        found.refused.insert(name, made_by(pickle, *callee));
                    }
                }
                Err(reason) => drop(found.refused.insert(name, reason)),
            }
        }
    }
    if bytes > file_len {
        return Err(format!(
            "its tensors have {bytes} bytes, more than the file: several share their numbers"
        ));
    }
    match found.tensors.is_empty() {
        true => Err(match found.refused.into_iter().next() {
            Some((name, reason)) => {
                format!("there is no tensor in its state dict: `{name}` {reason}")
            }
            None => "there is no tensor in its state dict".into(),
        }),
        false => Ok(found),
    }
}

/// Why something that would have to be called is no tensor.
fn made_by(pickle: &Pickle, callee: Id) -> String {
    match pickle.global(callee) {
        Some((module, name)) if module.len() + name.len() < MAX_NAME => {
            format!("is made by `{module}.{name}`, which is not run")
        }
        _ => "is made by a call, which is not run".into(),
    }
}

/// The root, or the state dict in it, where a training loop wrote other things beside.
fn state_dict(pickle: &Pickle) -> Id {
    let entries = attributes(pickle, pickle.root()).unwrap_or_default();
    let named = |name: &str| {
        let entry = entries
            .iter()
            .find(|(key, _)| pickle.text(*key) == Some(name));
        entry.filter(|(_, value)| attributes(pickle, *value).is_some())
    };
    let inner = ["state_dict", "model_state_dict", "model"].map(named);
    inner
        .into_iter()
        .flatten()
        .next()
        .map_or(pickle.root(), |(_, value)| *value)
}

/// What a dictionary holds, or a module of TorchScript; none of another value.
fn attributes(pickle: &Pickle, id: Id) -> Option<&[(Id, Id)]> {
    match pickle.get(id) {
        Node::Dict(entries) => Some(entries),
        Node::Call {
            callee,
            state,
            entries,
            ..
        } => match (pickle.global(*callee)?, state) {
            ((module, _), Some(state)) if module.starts_with("__torch__") => {
                match pickle.get(*state) {
                    Node::Dict(entries) => Some(entries),
                    _ => None,
                }
            }
            (("collections", "OrderedDict"), _) => Some(entries),
            _ => None,
        },
        _ => None,
    }
}

/// The tensor that a value stands for, if it stands for one.
fn tensor(
    pickle: &Pickle,
    id: Id,
    storage: &impl Fn(&str) -> Option<Place>,
) -> Result<Option<Tensor>, String> {
    let Node::Call {
        callee, arguments, ..
    } = pickle.get(id)
    else {
        return Ok(None);
    };
    let (mut callee, mut arguments) = (*callee, *arguments);
    // A parameter and a subclass wrap a tensor; what wraps itself is none.
    for _ in 0..4 {
        let (Some(name), Some(given)) = (pickle.global(callee), pickle.list(arguments)) else {
            return Ok(None);
        };
        match (name, given) {
            (
                ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"),
                &[inner, ..],
            ) => match pickle.get(inner) {
                Node::Call {
                    callee: inner_callee,
                    arguments: inner_arguments,
                    ..
                } => (callee, arguments) = (*inner_callee, *inner_arguments),
                _ => return Ok(None),
            },
            (("torch._tensor", "_rebuild_from_type_v2"), &[function, _, inner, ..]) => {
                (callee, arguments) = (function, inner);
            }
            (
                ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3"),
                _,
            ) => return view(pickle, given, storage).map(Some),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The view that `(storage, offset, shape, strides, …)` describe.
fn view(
    pickle: &Pickle,
    arguments: &[Id],
    storage: &impl Fn(&str) -> Option<Place>,
) -> Result<Tensor, String> {
    let &[given, offset, shape, strides, ref rest @ ..] = arguments else {
        return Err("is a tensor without a shape".into());
    };
    let Node::Persistent(name) = pickle.get(given) else {
        return Err("is a tensor without a storage".into());
    };
    let (class, key) = match pickle.list(*name) {
        Some(&[_kind, class, key, ..]) => (class, key),
        _ => return Err("is a tensor whose storage has no name".into()),
    };
    let key = pickle.text(key).filter(|key| key.len() < MAX_NAME);
    let key = key.ok_or("is a tensor whose storage has no name")?;
    // Since `_rebuild_tensor_v3` storages are bytes, and the tensor says what is in them.
    let class = match pickle.global(class) {
        Some(("torch.storage", "UntypedStorage")) => {
            rest.get(2).and_then(|&dtype| pickle.global(dtype))
        }
        class => class,
    };
    let dtype = class
        .and_then(Dtype::named)
        .ok_or("holds numbers of an unknown kind")?;
    let numbers = |id: Id| -> Option<Vec<u64>> {
        let items = pickle.list(id)?;
        let whole = |&item: &Id| u64::try_from(pickle.int(item)?).ok();
        (items.len() <= 8).then(|| items.iter().map(whole).collect())?
    };
    let offset = pickle.int(offset).and_then(|o| u64::try_from(o).ok());
    let (Some(offset), Some(shape), Some(strides)) = (offset, numbers(shape), numbers(strides))
    else {
        return Err("is a tensor whose place and shape are no whole numbers".into());
    };
    if shape.len() != strides.len() {
        return Err(format!(
            "is a tensor of shape {shape:?} with strides {strides:?}"
        ));
    }
    let place = storage(key)
        .ok_or_else(|| format!("lies in `data/{key}`, which is missing or compressed"))?;
    let available = place.len / dtype.bytes();
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
                "is {shape:?} from value {offset} on, and `data/{key}` has {available} values"
            ));
        }
    }
    Ok(Tensor {
        storage: place,
        shape: shape.iter().map(|&n| n as usize).collect(),
        dtype,
        offset,
        strides,
    })
}
