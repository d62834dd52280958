//! The one scan of a sequential file: means are decoded, other coefficients passed.

use std::sync::Arc;

use libjpeg_turbo_rs::common::huffman_table::HuffmanTable;
use libjpeg_turbo_rs::decode::marker::JpegMetadata;

use super::bits::{Bits, unstuff};
use super::{Block, Plane};

/// Fills `planes` from the scan; `mcus` are across and down.
pub(super) fn scan(
    bytes: &[u8],
    meta: &JpegMetadata,
    planes: &mut [Plane],
    mcus: (usize, usize),
) -> Option<()> {
    let selectors = &meta.scan.components;
    if selectors.len() != planes.len() {
        return None;
    }
    // A picture of one component is scanned without filling up MCUs.
    let single = planes.len() == 1;
    let (across, down) = if single {
        (planes[0].columns, planes[0].rows)
    } else {
        mcus
    };
    let table = |tables: &[Option<Arc<HuffmanTable>>; 4], index: u8| {
        tables.get(usize::from(index))?.clone()
    };
    let mut coders = Vec::with_capacity(planes.len());
    for (selector, plane) in selectors.iter().zip(planes.iter()) {
        if selector.component_id != plane.id {
            return None;
        }
        let dc = table(&meta.dc_huffman_tables, selector.dc_table_index)?;
        let ac = table(&meta.ac_huffman_tables, selector.ac_table_index)?;
        let skips = (plane.side == 1).then(|| Skips::new(&ac));
        coders.push((dc, ac, skips, 0i16));
    }

    let mut rest = bytes.get(meta.entropy_data_offset..)?;
    let interval = match usize::from(meta.restart_interval) {
        0 => across * down,
        interval => interval,
    };
    let mut segment = Vec::with_capacity(rest.len());
    for first in (0..across * down).step_by(interval) {
        rest = unstuff(rest, &mut segment);
        let mut bits = Bits::new(&segment);
        coders.iter_mut().for_each(|coder| coder.3 = 0);
        for mcu in first..(first + interval).min(across * down) {
            let (mcu_x, mcu_y) = (mcu % across, mcu / across);
            for (plane, (dc, ac, skips, last)) in planes.iter_mut().zip(&mut coders) {
                let (h, v) = if single { (1, 1) } else { (plane.h, plane.v) };
                for i in 0..h * v {
                    let (x, y) = (mcu_x * h + i % h, mcu_y * v + i / h);
                    let mut block: Block = [0; 64];
                    *last = last.wrapping_add(bits.difference(dc)?);
                    match skips {
                        Some(skips) => skips.pass(&mut bits, ac)?,
                        None => bits.block(ac, &mut block)?,
                    }
                    block[0] = *last;
                    plane.put(x, y, &block);
                }
            }
            if bits.ended() {
                return None;
            }
        }
        // Whole bytes that are left before the next marker: damage made a block end early.
        if bits.unread() >= 8 {
            return None;
        }
    }
    Some(())
}

/// Bits that [`Skips`] looks at.
const LOOK: u32 = 13;

/// The symbols that can be passed at once, for every value of the next [`LOOK`] bits.
struct Skips(Box<[Skip; 1 << LOOK]>);

/// Whole symbols, with the bits of their values.
#[derive(Clone, Copy, Default)]
struct Skip {
    /// Their bits, at most [`SKIP_MOST`].
    bits: u8,
    /// Their coefficients, zeros included; and [`ENDS`] if the last ends the block, or [`NONE`] if
    /// there is none.
    coefficients: u8,
}

/// A third of the bits that [`Bits::fill`] gives at least.
const SKIP_MOST: u8 = 18;
const NONE: u8 = 64;
const ENDS: u8 = 128;

impl Skips {
    fn new(table: &HuffmanTable) -> Self {
        let skip = |bits| Skip::of(bits as u16, table);
        Self(Box::new(std::array::from_fn(skip)))
    }

    /// Moves `bits` behind the block whose first coefficient was just read.
    #[inline(always)]
    fn pass(&self, bits: &mut Bits<'_>, table: &HuffmanTable) -> Option<()> {
        let mut at = 1; // the coefficient to come
        while at < 64 {
            bits.fill();
            for _ in 0..3 {
                let skip = self.0[(bits.word >> (64 - LOOK)) as usize];
                let next = at + u32::from(skip.coefficients);
                // Skips only short of the 64th coefficient, at which the block would end in the
                // midst of these symbols.
                let ends = (u32::from(ENDS)..u32::from(ENDS) + 64).contains(&next);
                if next < 64 || ends {
                    bits.drop(skip.bits.into());
                    if ends {
                        return Some(());
                    }
                    at = next;
                    continue;
                }
                let (symbol, length) = bits.symbol(table)?;
                bits.drop(length + (symbol & 15));
                match (symbol >> 4, symbol & 15) {
                    (15, 0) => at += 16,
                    (_, 0) => return Some(()),
                    (run, _) => at += run + 1,
                }
                break;
            }
        }
        Some(())
    }
}

impl Skip {
    /// The symbols whose codes lie in `bits`.
    fn of(bits: u16, table: &HuffmanTable) -> Self {
        let mut skip = Self::default();
        while u32::from(skip.bits) < LOOK {
            let rest = bits << (16 - LOOK) << skip.bits;
            let Ok((symbol, length)) = table.lookup(rest) else {
                break;
            };
            let (run, size) = (symbol >> 4, symbol & 15);
            let coefficients = match (run, size) {
                (15, 0) => 16,
                (_, 0) => 0,
                _ => run + 1,
            };
            let seen = u32::from(skip.bits + length) <= LOOK;
            let many = skip.bits + length + size > SKIP_MOST;
            if !seen || many || skip.coefficients + coefficients > 62 {
                break;
            }
            skip.bits += length + size;
            skip.coefficients += coefficients;
            if coefficients == 0 {
                skip.coefficients += ENDS;
                break;
            }
        }
        if skip.bits == 0 {
            skip.coefficients = NONE;
        }
        skip
    }
}
