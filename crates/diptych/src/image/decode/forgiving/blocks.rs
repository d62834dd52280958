//! The coefficients of one block, from a sequential scan or one of the four kinds of a progressive
//! file: the first bits of DC and AC, and more bits of each.
//!
//! Source: F.2 and G.1.2 of T.81; values wrap where libjpeg's do.

use super::markers::{Scan, Stream, Tables, place};
use super::scan::State;
use super::{Block, Fault, bits};

/// How the blocks of a scan are coded.
pub(super) struct Coder {
    kind: Kind,
    first: usize,
    last: usize,
    low: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequential,
    FirstDc,
    MoreDc,
    FirstAc,
    MoreAc,
}

/// The codes that a component's blocks are in.
pub(super) struct Codes {
    dc: Option<bits::Codes>,
    ac: Option<bits::Codes>,
}

impl Coder {
    pub(super) fn new(progressive: bool, scan: &Scan) -> Result<Self, Fault> {
        let &Scan {
            first,
            last,
            high,
            low,
            ..
        } = scan;
        if !progressive {
            return Ok(Self {
                kind: Kind::Sequential,
                first: 0,
                last: 63,
                low: 0,
            });
        }
        let is_band = match first {
            0 => last == 0,
            _ => first <= last && last < 64 && scan.components.len() == 1,
        };
        if !is_band || high != 0 && low + 1 != high || low > 13 {
            return Err("a progressive scan that can't be".into());
        }
        let kind = match (first, high) {
            (0, 0) => Kind::FirstDc,
            (0, _) => Kind::MoreDc,
            (_, 0) => Kind::FirstAc,
            _ => Kind::MoreAc,
        };
        Ok(Self {
            kind,
            first,
            last,
            low,
        })
    }

    /// The codes that this kind of scan needs.
    pub(super) fn codes(&self, tables: &Tables, dc: u8, ac: u8) -> Result<Codes, Fault> {
        let needs_dc = matches!(self.kind, Kind::Sequential | Kind::FirstDc);
        let needs_ac = matches!(self.kind, Kind::Sequential | Kind::FirstAc | Kind::MoreAc);
        let dc = needs_dc.then(|| tables.codes(true, dc)).transpose()?;
        let ac = needs_ac.then(|| tables.codes(false, ac)).transpose()?;
        Ok(Codes { dc, ac })
    }

    /// Reads a block of the component in this slot of the scan.
    pub(super) fn read(
        &self,
        stream: &mut Stream,
        state: &mut State,
        slot: usize,
        codes: &Codes,
        block: &mut Block,
    ) -> Result<(), Fault> {
        if self.kind == Kind::MoreDc {
            if state.bits.take(stream, 1)? == 1 {
                block[0] |= 1 << self.low;
            }
            return Ok(());
        }
        if let Some(codes) = &codes.dc {
            let size = state.bits.symbol(stream, codes)?;
            let difference = state.bits.signed(stream, size.into())?;
            let last = &mut state.last[slot];
            *last = last.wrapping_add(difference);
            block[0] = last.wrapping_shl(self.low) as i16;
        }
        match (self.kind, &codes.ac) {
            (Kind::Sequential, Some(codes)) => sequential(stream, state, codes, block),
            (Kind::FirstAc, Some(codes)) => self.first_ac(stream, state, codes, block),
            (Kind::MoreAc, Some(codes)) => self.more_ac(stream, state, codes, block),
            _ => Ok(()),
        }
    }

    fn first_ac(
        &self,
        stream: &mut Stream,
        state: &mut State,
        codes: &bits::Codes,
        block: &mut Block,
    ) -> Result<(), Fault> {
        if state.zero_blocks > 0 {
            state.zero_blocks -= 1;
            return Ok(());
        }
        let mut k = self.first;
        while k <= self.last {
            let symbol = state.bits.symbol(stream, codes)?;
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size > 0 {
                k += run;
                let value = state.bits.signed(stream, size.into())?;
                block[place(k)] = (value << self.low) as i16;
            } else if run == 15 {
                k += 15;
            } else {
                state.zero_blocks = zero_blocks(stream, state, run as u32)? - 1;
                break;
            }
            k += 1;
        }
        Ok(())
    }

    fn more_ac(
        &self,
        stream: &mut Stream,
        state: &mut State,
        codes: &bits::Codes,
        block: &mut Block,
    ) -> Result<(), Fault> {
        let bit = 1i16 << self.low;
        let mut k = self.first;
        if state.zero_blocks == 0 {
            while k <= self.last {
                let symbol = state.bits.symbol(stream, codes)?;
                let mut run = symbol >> 4;
                let mut new = 0;
                if symbol & 15 > 0 {
                    // Whatever its size says, a new coefficient is one bit.
                    new = match state.bits.take(stream, 1)? {
                        1 => bit,
                        _ => -bit,
                    };
                } else if run < 15 {
                    state.zero_blocks = zero_blocks(stream, state, run.into())?;
                    break;
                }
                // Over those that are there already, each with its bit, and `run` that are not.
                while k <= self.last {
                    let value = &mut block[place(k)];
                    if *value != 0 {
                        refine(stream, state, bit, value)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if new != 0 {
                    block[place(k)] = new;
                }
                k += 1;
            }
        }
        if state.zero_blocks > 0 {
            for k in k..=self.last {
                let value = &mut block[place(k)];
                if *value != 0 {
                    refine(stream, state, bit, value)?;
                }
            }
            state.zero_blocks -= 1;
        }
        Ok(())
    }
}

/// All coefficients behind the first, as a sequential scan has them.
fn sequential(
    stream: &mut Stream,
    state: &mut State,
    codes: &bits::Codes,
    block: &mut Block,
) -> Result<(), Fault> {
    let mut k = 1;
    while k < 64 {
        let symbol = state.bits.symbol(stream, codes)?;
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size > 0 {
            k += run;
            block[place(k)] = state.bits.signed(stream, size.into())? as i16;
        } else if run == 15 {
            k += 15;
        } else {
            break;
        }
        k += 1;
    }
    Ok(())
}

/// The blocks, this one among them, that have no more coefficients in the band: EOBRUN.
fn zero_blocks(stream: &mut Stream, state: &mut State, bits: u32) -> Result<u32, Fault> {
    let more = state.bits.take(stream, bits)?;
    Ok((1 << bits) + more as u32)
}

/// One more bit of a coefficient that is not zero.
fn refine(stream: &mut Stream, state: &mut State, bit: i16, value: &mut i16) -> Result<(), Fault> {
    if state.bits.take(stream, 1)? == 1 && *value & bit == 0 {
        *value = if *value >= 0 {
            value.wrapping_add(bit)
        } else {
            value.wrapping_sub(bit)
        };
    }
    Ok(())
}
