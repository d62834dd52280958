//! A writer of TIFF's directories, true or false.

/// Kinds of values in a directory.
pub(super) const SHORT: u16 = 3;
pub(super) const LONG: u16 = 4;
pub(super) const UNDEFINED: u16 = 7;

/// Tag, kind, count, and the value or where it lies.
pub(super) type Entry = (u16, u16, u32, u32);

/// A file of directories, written from its leaves to its root.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    big_endian: bool,
}

impl File {
    /// `start` is the order of bytes and the file's number.
    pub(super) fn new(start: &[u8; 4]) -> Self {
        Self {
            bytes: [start, &[0; 4][..]].concat(),
            big_endian: start[0] == b'M',
        }
    }

    fn long(&self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn short(&self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// Adds bytes and says where they lie.
    pub(super) fn blob(&mut self, bytes: &[u8]) -> u32 {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        at
    }

    /// Adds numbers of four bytes.
    pub(super) fn longs(&mut self, values: &[u32]) -> u32 {
        let bytes: Vec<u8> = values.iter().flat_map(|&v| self.long(v)).collect();
        self.blob(&bytes)
    }

    /// Adds a directory.
    pub(super) fn directory(&mut self, entries: &[Entry], next: u32) -> u32 {
        let mut bytes = self.short(entries.len() as u16).to_vec();
        for &(tag, kind, count, value) in entries {
            bytes.extend(self.short(tag));
            bytes.extend(self.short(kind));
            bytes.extend(self.long(count));
            if kind == SHORT && count == 1 {
                bytes.extend(self.short(value as u16));
                bytes.extend([0; 2]);
            } else {
                bytes.extend(self.long(value));
            }
        }
        bytes.extend(self.long(next));
        self.blob(&bytes)
    }

    /// The file, whose first directory lies at `first`.
    pub(super) fn finish(mut self, first: u32) -> Vec<u8> {
        let first = self.long(first);
        self.bytes[4..8].copy_from_slice(&first);
        self.bytes
    }

    /// Adds a preview and the two entries that point to it.
    pub(super) fn preview(&mut self, jpeg: &[u8]) -> [Entry; 2] {
        let at = self.blob(jpeg);
        [(0x201, LONG, 1, at), (0x202, LONG, 1, jpeg.len() as u32)]
    }

    /// Adds a strip of bytes and the entries that describe it.
    pub(super) fn strip(&mut self, data: &[u8], compression: u32, photometric: u32) -> [Entry; 4] {
        let at = self.blob(data);
        [
            (0x103, SHORT, 1, compression),
            (0x106, SHORT, 1, photometric),
            (0x111, LONG, 1, at),
            (0x117, LONG, 1, data.len() as u32),
        ]
    }

    /// Adds a small picture that TIFF knows, 2×2 in RGB, and its entries.
    pub(super) fn thumbnail(&mut self) -> Vec<Entry> {
        let strip = self.strip(&[200; 12], 1, 2);
        let bits = self.blob(&[self.short(8); 3].concat());
        let size = [
            (0x100, SHORT, 1, 2),
            (0x101, SHORT, 1, 2),
            (0x102, SHORT, 3, bits),
        ];
        let rest = [(0x115, SHORT, 1, 3), (0x116, SHORT, 1, 2)];
        [&size[..], &strip[..3], &rest[..], &strip[3..]].concat()
    }
}
