//! Thrift's compact protocol, in which Parquet keeps what it tells of a file and of its pages.
//!
//! Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.

/// A result whose error is a sentence about the file, which the caller names.
pub(super) type Result<T> = std::result::Result<T, String>;

/// Ends with a sentence unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($sentence:tt)+) => {
        if !$holds {
            return Err(format!($($sentence)+));
        }
    };
}

pub(super) use ensure;

/// Levels of a schema, and of values in each other; tables of pictures have two, nested ones a
/// dozen.
pub(super) const MAX_DEPTH: usize = 64;

/// The kinds of Thrift's compact protocol that are looked into.
pub(super) const I32: u8 = 5;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Bytes of Thrift's compact protocol, from the next one on.
pub(super) struct Compact<'a>(pub(super) &'a [u8]);

impl Compact<'_> {
    /// Id and kind of the next field; none after the last.
    pub(super) fn field(&mut self, last: &mut i64) -> Result<Option<(i64, u8)>> {
        let byte = self.byte()?;
        let (step, kind) = (byte >> 4, byte & 15);
        if kind == 0 {
            return Ok(None);
        }
        *last = match step {
            0 => self.zigzag()?,
            step => last
                .checked_add(step.into())
                .ok_or("a field's number is too large")?,
        };
        Ok(Some((*last, kind)))
    }

    /// Length and kind of a list.
    pub(super) fn list(&mut self) -> Result<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Ok((count, byte & 15))
    }

    /// Goes over a value.
    pub(super) fn skip(&mut self, kind: u8, depth: usize) -> Result<()> {
        ensure!(depth < MAX_DEPTH, "it is more than {MAX_DEPTH} levels deep");
        match kind {
            1 | 2 => Ok(()), // the kind is the value
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                // A value in a list has at least a byte, a truth value, too.
                (0..count).try_for_each(|_| match kind {
                    1 | 2 => self.byte().map(drop),
                    kind => self.skip(kind, depth + 1),
                })
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip(kinds >> 4, depth + 1)?;
                    self.skip(kinds & 15, depth + 1)
                })
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            13 => self.pass(16),
            kind => Err(format!("it has a value of kind {kind}")),
        }
    }

    fn pass(&mut self, count: u64) -> Result<()> {
        let rest = usize::try_from(count).ok().and_then(|n| self.0.get(n..));
        self.0 = rest.ok_or("it ends early")?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.0.split_first().ok_or("it ends early")?;
        self.0 = rest;
        Ok(first)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("it has a number of more than 64 bits".into())
    }

    pub(super) fn zigzag(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
