//! The bytes of a pickle, read in order through a small buffer; numbers are passed over where they
//! lie.

use crate::weights::tensors::bytes::{Bytes, Place};

use super::machine::Step;

/// A place of a file that is read from its beginning on.
pub(in crate::weights::tensors) struct Input<'a> {
    bytes: &'a Bytes,
    /// The next byte to be read, and the first behind the last, in the file.
    at: u64,
    end: u64,
    /// Bytes of the file from `buffered` on.
    buffer: Vec<u8>,
    buffered: u64,
    /// Bytes that were read so far, without those that were passed over.
    taken: u64,
}

/// Bytes that are read of the disk at once.
const BUFFER: u64 = 8 << 10;

/// Bytes that a line may have: a module's name, a key.
const MAX_LINE: u64 = 4 << 10;

/// Bytes that a pickle may have beside the numbers in it. Those of the largest published
/// checkpoints have less than one million.
pub(in crate::weights::tensors) const MAX_PICKLE_BYTES: u64 = 4 << 20;

impl<'a> Input<'a> {
    /// A place that lies within the file.
    pub(in crate::weights::tensors) fn new(bytes: &'a Bytes, place: Place) -> Self {
        Self {
            bytes,
            at: place.offset,
            end: place
                .end()
                .map_or(place.offset, |end| end.min(bytes.len()).max(place.offset)),
            buffer: Vec::new(),
            buffered: 0,
            taken: 0,
        }
    }

    /// Where the next byte lies in the file.
    pub(in crate::weights::tensors) fn at(&self) -> u64 {
        self.at
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: u64) -> Step<&[u8]> {
        self.wanted(len)?;
        self.taken += len;
        if self.taken > MAX_PICKLE_BYTES {
            return Err(format!(
                "it has more than {MAX_PICKLE_BYTES} bytes beside its numbers"
            ));
        }
        let start = self.at;
        self.at += len;
        self.buffer(start, len)
    }

    pub(in crate::weights::tensors) fn take_array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| "bytes are missing".into())
    }

    /// Passes `len` bytes over; where they lie.
    pub(in crate::weights::tensors) fn skip(&mut self, len: u64) -> Step<Place> {
        self.wanted(len)?;
        let offset = self.at;
        self.at += len;
        Ok(Place { offset, len })
    }

    /// The text up to the next line feed, and where it lies.
    pub(super) fn line(&mut self) -> Step<(String, Place)> {
        let offset = self.at;
        let ahead = MAX_LINE.min(self.end - self.at);
        let found = self.buffer(offset, ahead)?;
        let len = found.iter().position(|&byte| byte == b'\n');
        let len = len.ok_or("a line that does not end")? as u64;
        let line = self.take(len + 1)?;
        let line = std::str::from_utf8(&line[..len as usize]);
        let line = line.map_err(|_| "a line that is not UTF-8")?.to_owned();
        Ok((line, Place { offset, len }))
    }

    /// Refuses to go beyond the end.
    fn wanted(&self, len: u64) -> Step {
        let left = self.end - self.at;
        if len > left {
            return Err(format!("{len} bytes are wanted, and {left} are left"));
        }
        Ok(())
    }

    /// `len` bytes from `start` on, which lie before the end.
    fn buffer(&mut self, start: u64, len: u64) -> Step<&[u8]> {
        let has = self.buffered..self.buffered + self.buffer.len() as u64;
        if start < has.start || start + len > has.end {
            let more = len.max(BUFFER).min(self.end - start);
            self.buffer.resize(more as usize, 0);
            let read = self.bytes.read_exact_at(&mut self.buffer, start);
            self.buffered = start;
            if let Err(error) = read {
                self.buffer.clear();
                return Err(error.to_string());
            }
        }
        let from = (start - self.buffered) as usize;
        Ok(&self.buffer[from..from + len as usize])
    }
}
