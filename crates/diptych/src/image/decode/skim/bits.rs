//! A reader of Huffman codes that lets many bits be passed at once.

use libjpeg_turbo_rs::common::huffman_table::HuffmanTable;
use libjpeg_turbo_rs::common::quant_table::ZIGZAG_ORDER;

use super::Block;

/// Puts the coded bytes up to the next marker into `out`; returns what follows a marker that is
/// within the scan.
pub(super) fn unstuff<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.clear();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        out.extend_from_slice(&rest[..at]);
        match rest.get(at + 1) {
            Some(0) => {
                out.push(0xff);
                rest = &rest[at + 2..];
            }
            Some(0xff) => rest = &rest[at + 1..],
            Some(0xd0..=0xd7) => return &rest[at + 2..],
            _ => return &[],
        }
    }
    out.extend_from_slice(rest);
    &[]
}

/// Bits of coded bytes, the first ones high; behind the last come zeros.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the highest; more than `held` may be there.
    pub(super) word: u64,
    /// Bits of `word` that count as read.
    held: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            word: 0,
            held: 0,
        }
    }

    /// Whether more bits were taken than there are.
    pub(super) fn ended(&self) -> bool {
        8 * self.at > 8 * self.bytes.len() + self.held as usize
    }

    /// Bits that are there and have not been taken.
    pub(super) fn unread(&self) -> usize {
        (8 * self.bytes.len() + self.held as usize).saturating_sub(8 * self.at)
    }

    /// Fills up to at least 56 bits.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        let next = match self.bytes.get(self.at..) {
            Some([a, b, c, d, e, f, g, h, ..]) => {
                u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])
            }
            rest => {
                let mut last = [0; 8];
                let rest = rest.unwrap_or_default();
                last[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(last)
            }
        };
        self.word |= next >> self.held;
        self.at += ((63 - self.held) / 8) as usize;
        self.held |= 56;
    }

    /// The next symbol and the length of its code; behind it are the bits of its value.
    #[inline(always)]
    pub(super) fn symbol(&mut self, table: &HuffmanTable) -> Option<(u32, u32)> {
        if self.held < SYMBOL_MOST {
            self.fill();
        }
        let (symbol, length) = table.lookup((self.word >> 48) as u16).ok()?;
        Some((symbol.into(), length.into()))
    }

    #[inline(always)]
    pub(super) fn drop(&mut self, bits: u32) {
        self.word <<= bits;
        self.held -= bits;
    }

    /// A value of `size` bits, signed as JPEG does.
    #[inline(always)]
    fn value(&mut self, size: u32) -> i16 {
        if size == 0 {
            return 0;
        }
        let raw = (self.word >> (64 - size)) as i32;
        self.drop(size);
        let half = 1 << (size - 1);
        (if raw < half { raw - 2 * half + 1 } else { raw }) as i16
    }

    /// Reads the difference of a block's first coefficient from that of the block before.
    #[inline(always)]
    pub(super) fn difference(&mut self, table: &HuffmanTable) -> Option<i16> {
        let (size, length) = self.symbol(table)?;
        self.drop(length);
        (size < 16).then(|| self.value(size))
    }

    /// The other coefficients.
    #[inline(always)]
    pub(super) fn block(&mut self, table: &HuffmanTable, block: &mut Block) -> Option<()> {
        let mut at = 1;
        while at < 64 {
            let (symbol, length) = self.symbol(table)?;
            self.drop(length);
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (_, 0) => return Some(()),
                (run, size) => {
                    at += run as usize;
                    // Beyond the block, libjpeg overwrites its last.
                    block[ZIGZAG_ORDER[at.min(63)]] = self.value(size);
                    at += 1;
                }
            }
        }
        Some(())
    }
}

/// Bits that a code and its value may have: 16 and 15.
const SYMBOL_MOST: u32 = 31;
