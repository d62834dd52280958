//! Bits of a scan, and codes of Huffman.

use super::Fault;
use super::markers::Stream;

/// Bits that are read ahead, at most.
const AHEAD: u32 = 57;

/// Codes up to this length are looked up.
const LOOK: u32 = 8;

/// The bits between two markers; zeros follow where they end.
#[derive(Default)]
pub(super) struct Bits {
    buffer: u64,
    left: u32,
    /// Whether more was asked for than the segment has.
    pub(super) starved: bool,
}

impl Bits {
    /// Forgets what was read ahead.
    pub(super) fn clear(&mut self) {
        self.left = 0;
    }

    /// Reads ahead as far as the next marker; fills up with zeros if there are less than `wanted`.
    fn fill(&mut self, stream: &mut Stream, wanted: u32) -> Result<(), Fault> {
        while self.left < AHEAD
            && let Some(byte) = stream.data()?
        {
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
        if self.left < wanted {
            self.starved = true;
            self.buffer <<= AHEAD - self.left;
            self.left = AHEAD;
        }
        Ok(())
    }

    /// The next `count` bits, 16 at most.
    pub(super) fn take(&mut self, stream: &mut Stream, count: u32) -> Result<i32, Fault> {
        if self.left < count {
            self.fill(stream, count)?;
        }
        self.left -= count;
        Ok((self.buffer >> self.left) as i32 & ((1 << count) - 1))
    }

    /// A value of `count` bits, whose first tells its sign: F.2.2.1 of T.81. Of three bits, 101 is
    /// 5 and 010 is 2 − 8 + 1 = −5.
    pub(super) fn signed(&mut self, stream: &mut Stream, count: u32) -> Result<i32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        let value = self.take(stream, count)?;
        Ok(if value < 1 << (count - 1) {
            value - (1 << count) + 1
        } else {
            value
        })
    }

    /// The next symbol; 0 for a code that is none.
    pub(super) fn symbol(&mut self, stream: &mut Stream, codes: &Codes) -> Result<u8, Fault> {
        if self.left < LOOK {
            self.fill(stream, 0)?;
        }
        let mut length = 1;
        if self.left >= LOOK {
            let next = (self.buffer >> (self.left - LOOK)) as usize & 0xff;
            let (bits, symbol) = codes.short[next];
            if bits > 0 {
                self.left -= u32::from(bits);
                return Ok(symbol);
            }
            length = LOOK as usize + 1;
        }
        let mut code = self.take(stream, length as u32)?;
        while length <= 16 && code > codes.largest[length] {
            code = code << 1 | self.take(stream, 1)?;
            length += 1;
        }
        if length > 16 {
            return Ok(0);
        }
        Ok(codes.values[(code + codes.offset[length]) as usize & 0xff])
    }
}

/// Codes of a table, ready to be read.
pub(super) struct Codes {
    /// The largest code of each length, or -1; what is added to a code to find its value.
    largest: [i32; 17],
    offset: [i32; 17],
    values: [u8; 256],
    /// Length and symbol of the code that eight bits begin with; no length, if it is longer.
    short: [(u8, u8); 256],
}

impl Codes {
    /// From the number of codes of each length, 1 to 16, and their values in order.
    pub(super) fn new(counts: &[u8; 17], values: &[u8; 256], is_dc: bool) -> Result<Self, Fault> {
        let wrong = || Err("a table of codes that can't be".into());
        let mut codes = Self {
            largest: [-1; 17],
            offset: [0; 17],
            values: *values,
            short: [(0, 0); 256],
        };
        let (mut code, mut at) = (0i32, 0);
        for (length, &count) in counts.iter().enumerate().skip(1) {
            let count = i32::from(count);
            if at + count > 256 {
                return wrong();
            }
            codes.offset[length] = at - code;
            for _ in 0..count {
                if length <= LOOK as usize && code < 1 << length {
                    let rest = LOOK as usize - length;
                    let start = (code as usize) << rest;
                    codes.short[start..start + (1 << rest)]
                        .fill((length as u8, values[at as usize]));
                }
                code += 1;
                at += 1;
            }
            if count > 0 {
                // No code is all ones.
                if code >= 1 << length {
                    return wrong();
                }
                codes.largest[length] = code - 1;
            }
            code <<= 1;
        }
        if is_dc && values[..at as usize].iter().any(|&bits| bits > 15) {
            return wrong();
        }
        Ok(codes)
    }
}
