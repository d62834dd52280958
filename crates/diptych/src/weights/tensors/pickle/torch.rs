//! Tensors of PyTorch's: the calls that would rebuild them, as views of storages.
//!
//! Source: `torch/_utils.py`, `torch/storage.py` and `torch/serialization.py` in PyTorch 2.15.

use super::contents::Storages;
use super::{Id, Node, Pickle};
use crate::weights::StoredDtype;
use crate::weights::tensors::bytes::Place;
use crate::weights::tensors::view::{Storage, View};

/// Bytes of a storage's name.
const MAX_KEY: usize = 256;

/// The format of numbers by the name of a storage's class, or of a `dtype`.
fn dtype((module, name): (&str, &str)) -> Option<StoredDtype> {
    let dtype = match name {
        "DoubleStorage" | "float64" => StoredDtype::F64,
        "FloatStorage" | "float32" => StoredDtype::F32,
        "HalfStorage" | "float16" => StoredDtype::F16,
        "BFloat16Storage" | "bfloat16" => StoredDtype::Bf16,
        "LongStorage" | "int64" => StoredDtype::I64,
        "IntStorage" | "int32" => StoredDtype::I32,
        "ShortStorage" | "int16" => StoredDtype::I16,
        "CharStorage" | "int8" => StoredDtype::I8,
        "ByteStorage" | "uint8" => StoredDtype::U8,
        "BoolStorage" | "bool" => StoredDtype::Bool,
        "uint16" => StoredDtype::U16,
        "uint32" => StoredDtype::U32,
        "uint64" => StoredDtype::U64,
        _ => return None,
    };
    (module == "torch").then_some(dtype)
}

/// Bytes of a number in a storage of a class, those that no tensor is read from included.
pub(in crate::weights::tensors) fn class_bytes(class: (&str, &str)) -> Option<u64> {
    match class {
        ("torch", "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage") => {
            Some(1)
        }
        ("torch.storage", "UntypedStorage") => Some(1),
        ("torch", "QInt32Storage") => Some(4),
        ("torch", "ComplexFloatStorage") => Some(8),
        ("torch", "ComplexDoubleStorage") => Some(16),
        _ => dtype(class).map(StoredDtype::bytes),
    }
}

/// A storage that is kept outside of the pickle.
#[derive(Clone, Copy)]
pub(in crate::weights::tensors) struct Persistent<'a> {
    pub(in crate::weights::tensors) key: &'a str,
    /// Module and name of its class.
    pub(in crate::weights::tensors) class: (&'a str, &'a str),
    /// First value, and number of values, of a storage that is a part of another.
    part: Option<(u64, u64)>,
}

/// The storage that a persistent name, `("storage", class, key, location, values, part)`, stands
/// for.
pub(in crate::weights::tensors) fn persistent(pickle: &Pickle, id: Id) -> Option<Persistent<'_>> {
    let Node::Persistent(name) = pickle.get(id) else {
        return None;
    };
    let (kind, class, key, rest) = match pickle.list(*name)? {
        &[kind, class, key, ref rest @ ..] => (kind, class, key, rest),
        _ => return None,
    };
    let part = rest.get(2).and_then(|&part| match *pickle.list(part)? {
        [_key, first, count] => Some((pickle.count(first)?, pickle.count(count)?)),
        _ => None,
    });
    let is_storage = pickle.text(kind) == Some("storage");
    let key = pickle.text(key).filter(|key| key.len() < MAX_KEY)?;
    let class = pickle.global(class)?;
    is_storage.then_some(Persistent { key, class, part })
}

impl Persistent<'_> {
    /// The place of this storage, which is `whole` or a part of it; a number has `size` bytes.
    fn place(&self, whole: Place, size: u64) -> Option<Place> {
        let Some((first, count)) = self.part else {
            return Some(whole);
        };
        let (offset, len) = (first.checked_mul(size)?, count.checked_mul(size)?);
        let is_within = offset.checked_add(len)? <= whole.len;
        is_within.then_some(Place {
            offset: whole.offset + offset,
            len,
        })
    }
}

/// The tensor that a value stands for, if it stands for one of PyTorch's.
///
/// # Errors
/// In words that follow its name.
pub(super) fn tensor(
    pickle: &Pickle,
    id: Id,
    storages: &mut Storages<'_>,
) -> Result<Option<View>, String> {
    let Some((mut name, mut arguments)) = pickle.call(id) else {
        return Ok(None);
    };
    // A parameter and a subclass wrap a tensor; what wraps itself is none.
    for _ in 0..4 {
        let inner = match (name, arguments) {
            (
                ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"),
                &[inner, ..],
            ) => pickle.call(inner),
            (("torch._tensor", "_rebuild_from_type_v2"), &[function, _, inner, ..]) => {
                pickle.global(function).zip(pickle.list(inner))
            }
            (
                ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3"),
                _,
            ) => return view(pickle, arguments, storages).map(Some),
            _ => return Ok(None),
        };
        let Some(inner) = inner else {
            return Ok(None);
        };
        (name, arguments) = inner;
    }
    Ok(None)
}

/// The view that `(storage, offset, shape, strides, …)` describe.
fn view(pickle: &Pickle, arguments: &[Id], storages: &mut Storages<'_>) -> Result<View, String> {
    let &[given, offset, shape, strides, ref rest @ ..] = arguments else {
        return Err("is a tensor without a shape".into());
    };
    // Since `_rebuild_tensor_v3` storages are bytes, and the tensor says what is in them.
    let own = rest.get(2).and_then(|&dtype| pickle.global(dtype));
    let storage = match pickle.call(given) {
        Some((("torch.storage", "_load_from_bytes"), &[stream])) => {
            storages.nested(pickle, stream)?
        }
        _ => stored(pickle, given, own, storages)?,
    };
    let (Some(offset), Some(shape), Some(strides)) = (
        pickle.count(offset),
        pickle.counts(shape),
        pickle.counts(strides),
    ) else {
        return Err("is a tensor whose place and shape are no whole numbers".into());
    };
    View::new(storage, shape, strides, offset)
}

/// The storage that a persistent name stands for, of numbers of its class's format or, where it is
/// of plain bytes, of the tensor's `own`.
pub(super) fn stored(
    pickle: &Pickle,
    id: Id,
    own: Option<(&str, &str)>,
    storages: &Storages<'_>,
) -> Result<Storage, String> {
    let persistent = persistent(pickle, id).ok_or("is a tensor without a storage")?;
    let class = match persistent.class {
        ("torch.storage", "UntypedStorage") => own,
        class => Some(class),
    };
    let dtype = class.and_then(dtype);
    let dtype = dtype.ok_or("holds numbers of an unknown kind")?;
    let whole = storages.place(persistent.key)?;
    let place = persistent.place(whole, dtype.bytes());
    let place = place.ok_or("lies in a part of a storage that is smaller than that")?;
    Ok(Storage::plain(place, dtype))
}
