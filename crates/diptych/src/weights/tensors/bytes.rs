//! The bytes of a file of tensors, read at any place: on disk, or in memory.

use std::borrow::Cow;
use std::io;

use diptych_files::PositionedFile;

/// Where the bytes are.
pub(super) enum Bytes {
    File(PositionedFile),
    Memory(Cow<'static, [u8]>),
}

/// A range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Place {
    /// The first byte behind it; none where there can be no such byte.
    pub(super) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }
}

impl Bytes {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer` from byte `offset` on.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, offset),
            Self::Memory(bytes) => {
                let mut rest = bytes.get(offset as usize..).unwrap_or_default();
                std::io::Read::read_exact(&mut rest, buffer)
            }
        }
    }

    /// The bytes of a place that lies within the file, which bounds the memory that they take.
    pub(super) fn read(&self, place: Place) -> Result<Vec<u8>, String> {
        if place.end().is_none_or(|end| end > self.len()) {
            return Err("cut off: a part of it does not lie within the file".into());
        }
        let mut bytes = vec![0; place.len as usize];
        let done = self.read_exact_at(&mut bytes, place.offset);
        done.map_err(|e| e.to_string()).map(|()| bytes)
    }
}
