//! PyTorch's files from before version 1.6, which StyleGAN's pickles hold one of for each tensor.
//!
//! Pickles stand one behind the other: a magic number, the version, facts of the machine, the
//! object, the keys of its storages. Then come the storages, in the keys' order: how many numbers,
//! eight bytes, and the numbers, which are little-endian on every machine.
//!
//! Source: `_legacy_save` and `_legacy_load` in `torch/serialization.py`, and
//! `THPStorage_writeFileRaw` in `torch/csrc/serialization.cpp`, PyTorch 2.15.

use std::collections::HashMap;

use super::bytes::{Bytes, Place};
use super::pickle::{Input, Pickle, class_bytes, persistent};

/// Magic number of such a file, behind the opcodes that a pickle begins with: the integer
/// 0x1950a86a20f9469cfc6c in ten bytes, the lowest first.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The only version there was.
const VERSION: i64 = 1001;

/// Bytes at the beginning of a file that tell what it is.
pub(super) const HEAD: usize = 32;

/// Whether a file with such a beginning is one of these.
pub(super) fn is_legacy(head: &[u8]) -> bool {
    head.windows(MAGIC.len()).any(|bytes| bytes == MAGIC)
}

/// The object of such a file, and where its storages lie.
pub(super) struct Legacy {
    pub(super) pickle: Pickle,
    places: HashMap<String, Place>,
}

impl Legacy {
    /// Reads the file that lies at a place of another, which may be all of it.
    ///
    /// # Errors
    /// In words.
    pub(super) fn read(bytes: &Bytes, place: Place) -> Result<Self, String> {
        let mut input = Input::new(bytes, place);
        let head = place.len.min(HEAD as u64);
        if !is_legacy(&bytes.read(Place { len: head, ..place })?) {
            return Err("not one of PyTorch's files: its magic number is missing".into());
        }
        Pickle::read(&mut input)?;
        let version = Pickle::read(&mut input)?;
        if version.int(version.root()) != Some(VERSION) {
            return Err(format!("not of PyTorch's version {VERSION}, the only one"));
        }
        let _machine = Pickle::read(&mut input)?;
        let pickle = Pickle::read(&mut input)?;
        let keys = Pickle::read(&mut input)?;
        let keys = keys
            .list(keys.root())
            .map(|list| list.iter().map(|&id| keys.text(id)));
        let keys = keys.and_then(Iterator::collect::<Option<Vec<&str>>>);
        let keys = keys.ok_or("its list of storages is no list of names")?;
        let sizes = sizes(&pickle)?;
        let mut places = HashMap::new();
        for key in keys {
            let size = sizes.get(key);
            let size = size.ok_or_else(|| format!("nothing in it has its storage `{key}`"))?;
            let count = u64::from_le_bytes(input.take_array()?);
            let len = count.saturating_mul(*size);
            let numbers = input.skip(len);
            let numbers = numbers.map_err(|e| format!("cut off in storage `{key}`: {e}"))?;
            places.insert(key.to_owned(), numbers);
        }
        Ok(Self { pickle, places })
    }

    /// Where a storage lies.
    ///
    /// # Errors
    /// In words that follow the name of a tensor that is a view of it.
    pub(super) fn place(&self, key: &str) -> Result<Place, String> {
        let place = self.places.get(key).copied();
        place.ok_or_else(|| format!("lies in storage `{key}`, which is missing"))
    }
}

/// Bytes of a number in each of the storages that a pickle names.
fn sizes(pickle: &Pickle) -> Result<HashMap<&str, u64>, String> {
    let mut sizes = HashMap::new();
    for storage in pickle.ids().filter_map(|id| persistent(pickle, id)) {
        let (module, name) = storage.class;
        let size = class_bytes(storage.class);
        let size = size.ok_or_else(|| {
            let key = storage.key;
            format!("its storage `{key}` is of the unknown kind `{module}.{name}`")
        })?;
        sizes.insert(storage.key, size);
    }
    Ok(sizes)
}
