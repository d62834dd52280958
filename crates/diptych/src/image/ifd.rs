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
    /// Whether its values are a text.
    pub(super) fn is_text(self) -> bool {
        self.kind == 2
    }

    /// Bytes of a number that [`Block::field`] reads.
    pub(super) fn size(self) -> Option<usize> {
        match self.kind {
            3 => Some(2),
            4 | 13 => Some(4),
            _ => None,
        }
    }
}

impl<'a> Block<'a> {
    /// Asks for the order of bytes alone; the number that says TIFF, or which camera, is not looked at.
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

    /// The entries of the first directory of a TIFF, or of a BigTIFF, whose counts and positions have eight bytes.
    pub(super) fn first_entries(self) -> impl Iterator<Item = Entry> + use<'a> {
        let is_big = self.short(2) == Some(43);
        let directory = if is_big {
            self.long_long(8)
        } else {
            self.first()
        };
        let count = directory.and_then(|at| match is_big {
            true => self.long_long(at),
            false => self.short(at).map(usize::from),
        });
        let (before, size) = if is_big { (8, 20) } else { (2, 12) };
        (0..count.unwrap_or(0)).map_while(move |i| {
            let at = directory?
                .checked_add(i.checked_mul(size)?)?
                .checked_add(before)?;
            Some(Entry {
                tag: self.short(at)?,
                kind: self.short(at + 2)?,
                count: match is_big {
                    true => u32::try_from(self.long_long(at + 4)?).unwrap_or(u32::MAX),
                    false => self.long(at + 4)?,
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

    /// The numbers of an entry, in its field or where that points to.
    pub(super) fn numbers(self, entry: Entry) -> impl Iterator<Item = u32> + use<'a> {
        let (size, fitting) = if entry.kind == 3 { (2, 2) } else { (4, 1) };
        let start = match entry.count > fitting {
            true => self.long(entry.at).map(|at| at as usize),
            false => Some(entry.at),
        };
        (0..entry.count as usize).map_while(move |i| {
            let at = start?.checked_add(i.checked_mul(size)?)?;
            self.field(Entry { at, ..entry })
        })
    }

    /// The bytes that an entry of more than four bytes points to: their start and length.
    pub(super) fn range(self, entry: Entry) -> Option<(u64, u64)> {
        (entry.count > 4).then_some((self.long(entry.at)?.into(), entry.count.into()))
    }
}
