//! PyTorch's files since version 1.6: a zip archive of a pickle and of the numbers of each storage.
//!
//! `torch.save` writes whatever it is given, most often a state dict; `torch.jit.save` a module,
//! whose attributes are the entries of its state dict. Neither is asked to do anything: see
//! `pickle`.
//!
//! Sources: `torch/serialization.py`, `torch/_utils.py` and
//! `torch/csrc/jit/serialization/pickler.cpp` in PyTorch 2.15; the archives of OpenAI's nine models
//! are of the second kind.

use super::bytes::{Bytes, Place};
use super::pickle::{Found, Input, MAX_PICKLE_BYTES, Pickle, collect};
use super::zip::places;

/// The object in an archive, its tensors, and whether the archive is a program with its weights.
///
/// # Errors
/// In words.
pub(super) fn read(bytes: &Bytes) -> Result<(Pickle, Found, bool), String> {
    let places = places(bytes)?;
    // All files are in one folder, whose name is whatever the file was once called.
    let is_root = |name: &&String| {
        let folder = name.strip_suffix("data.pkl");
        folder.is_some_and(|folder| folder.matches('/').count() == usize::from(!folder.is_empty()))
    };
    let pickle = places.keys().filter(is_root).min();
    let pickle = pickle.ok_or(
        "a zip archive, but not PyTorch's: there is no `data.pkl` in it that is not compressed",
    )?;
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let place = |name: &str| places.get(&format!("{folder}{name}")).copied();
    let small = |name: &str, limit: u64| match place(name) {
        Some(Place { len, .. }) if len > limit => Err(format!(
            "its `{name}` has {len} bytes, wanted at most {limit}"
        )),
        place => Ok(place),
    };
    if let Some(order) = small("byteorder", 64)?
        && bytes.read(order)? != b"little"
    {
        return Err("its numbers are big-endian, wanted little-endian".into());
    }
    let pickle = small("data.pkl", MAX_PICKLE_BYTES)?.ok_or("it has no `data.pkl`")?;
    let pickle = Pickle::read(&mut Input::new(bytes, pickle))?;
    let found = collect(&pickle, bytes, &|storage| {
        place(&format!("data/{storage}"))
            .ok_or_else(|| format!("lies in `data/{storage}`, which is missing or compressed"))
    })?;
    Ok((pickle, found, place("constants.pkl").is_some()))
}
