//! NumPy's arrays and scalars: the calls that would rebuild them, as views of bytes in the pickle.
//!
//! Source: `array_reduce` in `numpy/_core/src/multiarray/methods.c`, `arraydescr_reduce` in
//! `descriptor.c`, and `numpy/_core/numeric.py`, NumPy 2.4. Before 2.0 the module was `numpy.core`.

use super::contents::Storages;
use super::{Data, Id, Node, Pickle};
use crate::weights::StoredDtype;
use crate::weights::tensors::bytes::Bytes;
use crate::weights::tensors::value::Value;
use crate::weights::tensors::view::{Order, Storage, View, column_strides, row_strides};

/// Whether a module is one of NumPy's internal ones, by its name since 2.0 or before.
fn is_core(module: &str, name: &str) -> bool {
    let inner = ["numpy._core.", "numpy.core."];
    inner
        .iter()
        .any(|core| module.strip_prefix(core) == Some(name))
}

/// The array or scalar that a value stands for, if it stands for one; a scalar has no dimension.
///
/// # Errors
/// In words that follow its name.
pub(super) fn tensor(
    pickle: &Pickle,
    id: Id,
    storages: &mut Storages<'_>,
) -> Result<Option<View>, String> {
    let Some(((module, name), arguments)) = pickle.call(id) else {
        return Ok(None);
    };
    match (name, arguments) {
        ("_reconstruct", &[class, ..]) if is_core(module, "multiarray") => {
            let is_array = pickle.global(class) == Some(("numpy", "ndarray"));
            is_array
                .then(|| reconstructed(pickle, id, storages))
                .transpose()
        }
        ("_frombuffer", &[data, dtype, shape, order]) if is_core(module, "numeric") => {
            let is_fortran = pickle.text(order) == Some("F");
            array(pickle, [data, dtype, shape], is_fortran, storages).map(Some)
        }
        ("scalar", &[dtype, data]) if is_core(module, "multiarray") => {
            let storage = storage(pickle, data, dtype, storages)?;
            View::contiguous(storage, Vec::new()).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether a value is a scalar of NumPy's.
pub(super) fn is_scalar(pickle: &Pickle, id: Id) -> bool {
    let call = pickle.call(id);
    call.is_some_and(|((module, name), _)| name == "scalar" && is_core(module, "multiarray"))
}

/// The scalar of NumPy's that a value stands for, if it stands for one.
pub(super) fn scalar(pickle: &Pickle, id: Id, bytes: &Bytes) -> Option<Value> {
    let nothing = |_: &str| Err("there is none".to_owned());
    let mut storages = Storages::new(bytes, &nothing);
    let is_scalar = is_scalar(pickle, id);
    let view = is_scalar.then(|| tensor(pickle, id, &mut storages).ok()?);
    view.flatten()?.scalar(bytes)
}

/// An array by its state, `(version, shape, dtype, is_fortran, data)`.
fn reconstructed(pickle: &Pickle, id: Id, storages: &mut Storages<'_>) -> Result<View, String> {
    let state = match pickle.get(id) {
        Node::Call {
            state: Some(state), ..
        } => pickle.list(*state),
        _ => None,
    };
    match state {
        Some(&[_version, shape, dtype, is_fortran, data]) => {
            let is_fortran = matches!(pickle.get(is_fortran), Node::Bool(true) | Node::Int(1));
            array(pickle, [data, dtype, shape], is_fortran, storages)
        }
        _ => Err("is an array without numbers".into()),
    }
}

fn array(
    pickle: &Pickle,
    [data, dtype, shape]: [Id; 3],
    is_fortran: bool,
    storages: &mut Storages<'_>,
) -> Result<View, String> {
    let storage = storage(pickle, data, dtype, storages)?;
    let shape = pickle.counts(shape);
    let shape =
        shape.ok_or("is an array whose shape is no whole numbers, or has more than eight")?;
    let strides = if is_fortran {
        column_strides(shape.iter())
    } else {
        row_strides(&shape)
    };
    View::new(storage, shape, strides, 0)
}

/// The numbers of a format that some bytes hold.
fn storage(
    pickle: &Pickle,
    data: Id,
    dtype: Id,
    storages: &mut Storages<'_>,
) -> Result<Storage, String> {
    let (dtype, order) = format(pickle, dtype)?;
    let data = pickle.bytes(data);
    let (place, text) = match data.ok_or("is an array without bytes")? {
        Data::Plain(place) => (place, None),
        Data::Text(text) => (storages.decoded(text)?, Some(text)),
    };
    Ok(Storage {
        place,
        dtype,
        order,
        text,
    })
}

/// The format that a `dtype` describes: `dtype("f4", …)` with a state `(3, "<", …)`.
fn format(pickle: &Pickle, id: Id) -> Result<(StoredDtype, Order), String> {
    let unknown = || "holds numbers of an unknown kind".to_owned();
    let code = match pickle.call(id) {
        Some((("numpy", "dtype"), &[code, ..])) => pickle.text(code).ok_or_else(unknown)?,
        _ => return Err(unknown()),
    };
    let state = match pickle.get(id) {
        Node::Call {
            state: Some(state), ..
        } => pickle.list(*state).unwrap_or_default(),
        _ => &[],
    };
    let order = match state.get(1).and_then(|&order| pickle.text(order)) {
        Some(">") => Order::Big,
        _ => Order::Little,
    };
    let dtype = match code {
        "f8" => StoredDtype::F64,
        "f4" => StoredDtype::F32,
        "f2" => StoredDtype::F16,
        "i8" => StoredDtype::I64,
        "i4" => StoredDtype::I32,
        "i2" => StoredDtype::I16,
        "i1" => StoredDtype::I8,
        "u8" => StoredDtype::U64,
        "u4" => StoredDtype::U32,
        "u2" => StoredDtype::U16,
        "u1" => StoredDtype::U8,
        "b1" => StoredDtype::Bool,
        "O8" | "O4" | "O" => return Err("holds Python's objects, wanted numbers".into()),
        other if other.len() < 16 => {
            return Err(format!(
                "holds numbers of the kind `{other}`, which is not read"
            ));
        }
        _ => return Err(unknown()),
    };
    Ok((dtype, order))
}
