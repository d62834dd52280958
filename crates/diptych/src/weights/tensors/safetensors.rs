//! Safetensors files: a header of names, formats, shapes and places, then the numbers.
//!
//! Source: <https://github.com/huggingface/safetensors#format>.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, Metadata};

use super::bytes::{Bytes, Place};
use super::pickle::Found;
use super::view::{Storage, View};
use crate::guarded;
use crate::weights::StoredDtype;
use crate::weights::dtype::scale_name;

/// Bytes that a header may have; the largest published ones have some 200,000. The format allows
/// 100 million, of which a million names took 921 MB.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// The tensors of a file, and the texts of the header's `__metadata__`.
///
/// # Errors
/// In words, if it is no whole file of safetensors.
pub(super) fn read(bytes: &Bytes) -> Result<(Found, BTreeMap<String, String>), String> {
    let len = bytes.len();
    if len < 8 {
        return Err(format!("not a safetensors file: it has {len} bytes"));
    }
    let prefix = bytes.read(Place { offset: 0, len: 8 })?;
    let header_len = prefix.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
    // The longest header that the format allows. In any other file these eight bytes are text or
    // another format's mark.
    const LONGEST: u64 = 100_000_000;
    if header_len > LONGEST && header_len > len {
        return Err("not a file of tensors: it is none of safetensors, PyTorch or a pickle".into());
    }
    if header_len > len - 8 {
        return Err(format!(
            "not a whole safetensors file: its header should have {header_len} bytes, the file has {len}"
        ));
    }
    if header_len > MAX_HEADER_BYTES {
        return Err(format!(
            "its safetensors header has {header_len} bytes, wanted at most {MAX_HEADER_BYTES}"
        ));
    }
    let header = bytes.read(Place {
        offset: 8,
        len: header_len,
    })?;
    // Deserialising checks that the tensors' places follow each other and fit their shapes.
    let metadata: Metadata = guarded(|| serde_json::from_slice(&header))
        .map_err(|gave_up| gave_up.to_string())?
        .map_err(|e| format!("the safetensors header is not valid: {e}"))?;
    let data_start = 8 + header_len;
    let wanted = data_start + metadata.data_len() as u64;
    if wanted != len {
        return Err(format!(
            "cut off or padded: the header describes {wanted} bytes, the file has {len}"
        ));
    }
    let mut found = Found::default();
    for (name, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let place = Place {
            offset: data_start + start as u64,
            len: (end - start) as u64,
        };
        let shape = info.shape.iter().map(|&n| n as u64).collect();
        let view = match dtype(info.dtype) {
            Some(dtype) => View::contiguous(Storage::plain(place, dtype), shape),
            None => Err(format!("holds {:?}, which is not read", info.dtype)),
        };
        match view {
            Ok(view) => drop(found.views.insert(name, view)),
            Err(reason) => drop(found.refused.insert(name, reason)),
        }
    }
    scale(&mut found);
    let texts = metadata.metadata().iter().flatten();
    let texts = texts.map(|(name, text)| (name.clone(), text.clone()));
    Ok((found, texts.collect()))
}

/// Makes integers of eight bits the weights that they stand for, where a scale for each of their
/// rows lies beside them.
fn scale(found: &mut Found) {
    let integers = found.views.iter();
    let integers = integers.filter(|(_, view)| view.dtype() == StoredDtype::I8);
    let names: Vec<String> = integers.map(|(name, _)| name.clone()).collect();
    for name in names {
        let beside = scale_name(&name);
        let (Some(view), Some(scales)) = (found.views.get(&name), found.views.get(&beside)) else {
            continue;
        };
        if view.takes(scales) {
            let scaled = view.clone().scaled(scales.clone());
            found.views.remove(&beside);
            found.views.insert(name, scaled);
        }
    }
}

/// The format of numbers by its name in the header.
fn dtype(dtype: Dtype) -> Option<StoredDtype> {
    Some(match dtype {
        Dtype::F64 => StoredDtype::F64,
        Dtype::F32 => StoredDtype::F32,
        Dtype::F16 => StoredDtype::F16,
        Dtype::BF16 => StoredDtype::Bf16,
        Dtype::I64 => StoredDtype::I64,
        Dtype::I32 => StoredDtype::I32,
        Dtype::I16 => StoredDtype::I16,
        Dtype::I8 => StoredDtype::I8,
        Dtype::U64 => StoredDtype::U64,
        Dtype::U32 => StoredDtype::U32,
        Dtype::U16 => StoredDtype::U16,
        Dtype::U8 => StoredDtype::U8,
        Dtype::BOOL => StoredDtype::Bool,
        _ => return None,
    })
}
