//! Directories of TIFF, in which EXIF blocks, TIFFs and most camera RAW files keep their facts.
//!
//! Source: TIFF 6.0, section 2.
//! Invariant: every position is checked, and nothing is allocated.

/// Bytes whose positions count from their first, with an order of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) big_endian: bool,
}

/// One line of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) tag: u16,
    kind: u16,
    /// Values, not bytes.
    pub(super) count: u32,
    /// Where the value's field lies in the block.
    pub(super) at: usize,
}

impl Entry {
    /// Bytes of a value.
    fn width(self) -> Option<usize> {
        match self.kind {
            1 | 2 | 6 | 7 => Some(1),
            3 | 8 => Some(2),
            4 | 9 | 11 | 13 => Some(4),
            5 | 10 | 12 | 16 | 17 | 18 => Some(8),
            _ => None,
        }
    }
}

impl<'a> Block<'a> {
    /// Asks for the order of bytes alone; the number that says TIFF, or which camera, is not looked
    /// at.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..2)? {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    pub(super) fn short(self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    pub(super) fn long(self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    /// Where the first directory lies.
    pub(super) fn first(self) -> Option<usize> {
        Some(self.long(4)? as usize)
    }

    /// Where the directory lies that follows the one at `directory`.
    pub(super) fn next(self, directory: usize) -> Option<usize> {
        let entries = usize::from(self.short(directory)?);
        let at = self.long(directory.checked_add(2 + 12 * entries)?)? as usize;
        (at != 0).then_some(at)
    }

    /// The entries of a directory; one that leaves the block ends them.
    pub(super) fn entries(self, directory: usize) -> impl Iterator<Item = Entry> + use<'a> {
        let entries = usize::from(self.short(directory).unwrap_or(0));
        (0..entries).map_while(move |i| {
            let at = directory.checked_add(2 + 12 * i)?;
            Some(Entry {
                tag: self.short(at)?,
                kind: self.short(at + 2)?,
                count: self.long(at + 4)?,
                at: at + 8,
            })
        })
    }

    /// The entries of the first directory of a TIFF, or of a BigTIFF, whose counts and positions
    /// have eight bytes.
    pub(super) fn first_entries(self) -> impl Iterator<Item = Entry> + use<'a> {
        let is_big = self.short(2) == Some(43);
        let directory = if is_big {
            self.long_long(8)
        } else {
            self.first()
        };
        let count = directory.and_then(|at| {
            if is_big {
                self.long_long(at)
            } else {
                self.short(at).map(usize::from)
            }
        });
        let (before, size) = if is_big { (8, 20) } else { (2, 12) };
        (0..count.unwrap_or(0)).map_while(move |i| {
            let at = directory?
                .checked_add(i.checked_mul(size)?)?
                .checked_add(before)?;
            Some(Entry {
                tag: self.short(at)?,
                kind: self.short(at + 2)?,
                count: if is_big {
                    u32::try_from(self.long_long(at + 4)?).unwrap_or(u32::MAX)
                } else {
                    self.long(at + 4)?
                },
                at: at + if is_big { 12 } else { 8 },
            })
        })
    }

    /// Eight bytes that count something in memory.
    fn long_long(self, at: usize) -> Option<usize> {
        let halves = [self.long(at)?, self.long(at.checked_add(4)?)?];
        let [high, low] = if self.big_endian {
            halves
        } else {
            [halves[1], halves[0]]
        };
        usize::try_from(u64::from(high) << 32 | u64::from(low)).ok()
    }

    /// The SHORT, LONG or IFD in an entry's field, the first if there are more that fit.
    pub(super) fn field(self, entry: Entry) -> Option<u32> {
        match entry.kind {
            3 => self.short(entry.at).map(u32::from),
            4 | 13 => self.long(entry.at),
            _ => None,
        }
    }

    /// The bytes of an entry's values, in its field or where that points to.
    pub(super) fn values(self, entry: Entry) -> Option<&'a [u8]> {
        let length = usize::try_from(entry.count)
            .ok()?
            .checked_mul(entry.width()?)?;
        let is_big = self.short(2) == Some(43);
        let start = match (length <= if is_big { 8 } else { 4 }, is_big) {
            (true, _) => entry.at,
            (false, true) => self.long_long(entry.at)?,
            (false, false) => self.long(entry.at)? as usize,
        };
        self.bytes.get(start..start.checked_add(length)?)
    }

    /// The whole numbers of an entry, none below zero; those that leave the block are left out.
    pub(super) fn numbers(self, entry: Entry) -> impl Iterator<Item = u64> + use<'a> {
        let width = match entry.kind {
            1 | 3 | 4 | 13 | 16 | 18 => entry.width(),
            _ => None,
        };
        let bytes = self.values(entry).unwrap_or_default();
        bytes
            .chunks_exact(width.unwrap_or(1))
            .filter(move |_| width.is_some())
            .map(move |value| {
                let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
                if self.big_endian {
                    value.iter().fold(0, join)
                } else {
                    value.iter().rev().fold(0, join)
                }
            })
    }

    /// The fractions of an entry.
    pub(super) fn fractions(self, entry: Entry) -> impl Iterator<Item = f32> + use<'a> {
        let is_fraction = entry.kind == 5;
        let bytes = self.values(entry).unwrap_or_default();
        let pairs = bytes.as_chunks::<8>().0.iter().filter(move |_| is_fraction);
        pairs.filter_map(move |pair| {
            let of = Block {
                bytes: pair,
                ..self
            };
            Some((f64::from(of.long(0)?) / f64::from(of.long(4)?)) as f32)
        })
    }

    /// The bytes that an entry of more than four bytes points to: their start and length.
    pub(super) fn range(self, entry: Entry) -> Option<(u64, u64)> {
        (entry.count > 4).then_some((self.long(entry.at)?.into(), entry.count.into()))
    }
}
