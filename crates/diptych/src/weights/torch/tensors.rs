//! The tensors that a pickle's values stand for.

use std::collections::{BTreeMap, HashSet};

use half::{bf16, f16};

use super::pickle::{Id, Node, Pickle};

/// What a state dict has.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// Entries that depend on something we don't know, and on what.
    pub(super) opaque: BTreeMap<String, String>,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// The storage's name in the archive.
    pub(super) storage: String,
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
    /// By the name of PyTorch's storage class, or of its `dtype`.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "torch.DoubleStorage" | "torch.float64" => Self::F64,
            "torch.FloatStorage" | "torch.float32" => Self::F32,
            "torch.HalfStorage" | "torch.float16" => Self::F16,
            "torch.BFloat16Storage" | "torch.bfloat16" => Self::Bf16,
            "torch.LongStorage" | "torch.int64" | "torch.ComplexFloatStorage" => Self::Other(8),
            "torch.IntStorage" | "torch.int32" => Self::Other(4),
            "torch.ShortStorage" | "torch.int16" => Self::Other(2),
            "torch.CharStorage" | "torch.ByteStorage" | "torch.BoolStorage" | "torch.int8"
            | "torch.uint8" | "torch.bool" => Self::Other(1),
            _ => return None,
        })
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

    /// Where its values lie in its storage: the first byte, and how many there are up to the last.
    pub(super) fn span(&self) -> (u64, u64) {
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
        (self.offset * size, values * size)
    }

    /// Its values in f32 and in order, given the bytes of its span.
    pub(super) fn values(&self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        let span: Vec<f32> = match self.dtype {
            Dtype::F64 => words(bytes).map(|w| f64::from_le_bytes(w) as f32).collect(),
            Dtype::F32 => words(bytes).map(f32::from_le_bytes).collect(),
            Dtype::F16 => words(bytes)
                .map(|w| f16::from_le_bytes(w).to_f32())
                .collect(),
            Dtype::Bf16 => words(bytes)
                .map(|w| bf16::from_le_bytes(w).to_f32())
                .collect(),
            Dtype::Other(_) => return Err("holds no floating-point numbers".into()),
        };
        if self.is_contiguous() {
            return Ok(span);
        }
        let count: usize = self.shape.iter().product();
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

    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(&n, &stride)| {
                let fits = n == 1 || stride == wanted;
                wanted *= n as u64;
                fits
            })
    }
}

/// `bytes` in groups of `N`.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

/// The state dict in a pickle, given the size of each storage in bytes.
///
/// # Errors
/// In words, if there is none, or a tensor does not lie in its storage.
pub(super) fn collect(
    pickle: &Pickle,
    storage_len: impl Fn(&str) -> Option<u64>,
) -> Result<Found, String> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut waiting = vec![(state_dict(pickle), String::new())];
    while let Some((id, path)) = waiting.pop() {
        if !seen.insert(id) {
            continue; // a module may hold itself
        }
        for &(key, value) in attributes(pickle, id).unwrap_or_default() {
            let Some(key) = pickle.text(key) else {
                continue;
            };
            let name = match path.is_empty() {
                true => key.to_owned(),
                false => format!("{path}.{key}"),
            };
            match tensor(pickle, value, &storage_len) {
                Ok(Some(tensor)) => drop(found.tensors.insert(name, tensor)),
                Ok(None) if attributes(pickle, value).is_some() => waiting.push((value, name)),
                Ok(None) => {
                    if let Node::Call { callee, .. } = pickle.get(value) {
                        let what = pickle.global(*callee).unwrap_or_else(|| "a call".into());
                        found.opaque.insert(name, what);
                    }
                }
                Err(reason) => return Err(format!("`{name}` {reason}")),
            }
        }
    }
    match found.tensors.is_empty() {
        true => Err("there is no tensor in its state dict".into()),
        false => Ok(found),
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
        } => {
            let class = pickle.global(*callee)?;
            match state {
                Some(state) if class.starts_with("__torch__.") => match pickle.get(*state) {
                    Node::Dict(entries) => Some(entries),
                    _ => None,
                },
                _ if class == "collections.OrderedDict" => Some(entries),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The tensor that a value stands for, if it stands for one.
fn tensor(
    pickle: &Pickle,
    id: Id,
    storage_len: &impl Fn(&str) -> Option<u64>,
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
        match (name.as_str(), given) {
            ("torch._utils._rebuild_parameter", &[inner, ..])
            | ("torch._utils._rebuild_parameter_with_state", &[inner, ..]) => {
                match pickle.get(inner) {
                    Node::Call {
                        callee: c,
                        arguments: a,
                        ..
                    } => (callee, arguments) = (*c, *a),
                    _ => return Ok(None),
                }
            }
            ("torch._tensor._rebuild_from_type_v2", &[function, _, inner, ..]) => {
                (callee, arguments) = (function, inner);
            }
            ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", _)
            | ("torch._utils._rebuild_tensor_v3", _) => {
                return view(pickle, given, storage_len).map(Some);
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The view that `(storage, offset, shape, strides, …)` describe.
fn view(
    pickle: &Pickle,
    arguments: &[Id],
    storage_len: &impl Fn(&str) -> Option<u64>,
) -> Result<Tensor, String> {
    let &[storage, offset, shape, strides, ref rest @ ..] = arguments else {
        return Err("is a tensor without a shape".into());
    };
    let Node::Persistent(name) = pickle.get(storage) else {
        return Err("is a tensor without a storage".into());
    };
    let (class, key) = match pickle.list(*name) {
        Some(&[_kind, class, key, ..]) => (class, key),
        _ => return Err("is a tensor whose storage has no name".into()),
    };
    let key = pickle
        .text(key)
        .ok_or("is a tensor whose storage has no name")?;
    // Since `_rebuild_tensor_v3` storages are bytes, and the tensor says what is in them.
    let class = pickle.global(class).unwrap_or_default();
    let class = match class.as_str() {
        "torch.storage.UntypedStorage" => rest.get(2).and_then(|&dtype| pickle.global(dtype)),
        _ => Some(class),
    };
    let class = class.unwrap_or_default();
    let dtype = Dtype::named(&class)
        .ok_or_else(|| format!("holds numbers of the unknown kind `{class}`"))?;
    let numbers = |id: Id| -> Option<Vec<u64>> {
        let items = pickle.list(id)?.iter();
        items
            .map(|&item| u64::try_from(pickle.int(item)?).ok())
            .collect()
    };
    let offset = pickle.int(offset).and_then(|o| u64::try_from(o).ok());
    let (Some(offset), Some(shape), Some(strides)) = (offset, numbers(shape), numbers(strides))
    else {
        return Err("is a tensor whose place and shape are no whole numbers".into());
    };
    if shape.len() != strides.len() || shape.len() > 8 {
        return Err(format!(
            "is a tensor of shape {shape:?} with strides {strides:?}"
        ));
    }
    let len = storage_len(key).ok_or_else(|| format!("lies in `data/{key}`, which is missing"))?;
    let available = len / dtype.bytes();
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
        (_, Some(0)) => {}
        (Some(last), Some(count)) if last < available && count <= available => {}
        _ => {
            return Err(format!(
                "is {shape:?} from value {offset} on, and `data/{key}` has {available} values"
            ));
        }
    }
    Ok(Tensor {
        storage: key.to_owned(),
        shape: shape.iter().map(|&n| n as usize).collect(),
        dtype,
        offset,
        strides,
    })
}
