//! One scan: its blocks in order, and how the decoder gets back in step at restart markers.

use super::bits::Bits;
use super::blocks::{Coder, Codes};
use super::markers::{Scan, Stream, Tables};
use super::{Fault, Frame};

/// Most blocks of an MCU: B.2.3 of T.81.
const MAX_BLOCKS: usize = 10;

/// Reads a scan into the blocks of its components.
pub(super) fn read(stream: &mut Stream, tables: &mut Tables, scan: &Scan) -> Result<(), Fault> {
    let mut frame = tables.frame.take().ok_or("a scan before the frame")?;
    let result = read_into(&mut frame, stream, tables, scan);
    tables.frame = Some(frame);
    result
}

fn read_into(
    frame: &mut Frame,
    stream: &mut Stream,
    tables: &Tables,
    scan: &Scan,
) -> Result<(), Fault> {
    for &(index, ..) in &scan.components {
        let component = &mut frame.components[index];
        if component.quant.is_none() {
            component.quant = Some(tables.quant(component.table)?);
        }
    }
    let coder = Coder::new(frame.progressive, scan)?;
    let codes: Result<Vec<Codes>, Fault> = scan
        .components
        .iter()
        .map(|&(_, dc, ac)| coder.codes(tables, dc, ac))
        .collect();
    let codes = codes?;
    let mut state = State {
        bits: Bits::default(),
        last: [0; 4],
        zero_blocks: 0,
    };
    let mut restarts = Restarts {
        interval: tables.restart_interval,
        to_go: tables.restart_interval,
        expected: 0,
    };
    let mcus = frame.mcus();
    if let [(index, ..)] = scan.components[..] {
        let component = &mut frame.components[index];
        for y in 0..component.rows {
            for x in 0..component.columns {
                restarts.step(stream, &mut state)?;
                let block = &mut component.blocks[y * component.stride + x];
                if !state.bits.starved {
                    coder.read(stream, &mut state, 0, &codes[0], block)?;
                }
            }
        }
        return Ok(());
    }
    let blocks = scan.components.iter().map(|&(index, ..)| {
        let component = &frame.components[index];
        component.h * component.v
    });
    if blocks.sum::<usize>() > MAX_BLOCKS {
        return Err("more blocks in an MCU than there may be".into());
    }
    for my in 0..mcus.1 {
        for mx in 0..mcus.0 {
            restarts.step(stream, &mut state)?;
            // After the MCU in which a segment runs out of bits, blocks stay as they are.
            let starved = state.bits.starved;
            for (slot, &(index, ..)) in scan.components.iter().enumerate() {
                let component = &mut frame.components[index];
                for (y, x) in (0..component.v).flat_map(|y| (0..component.h).map(move |x| (y, x))) {
                    let (y, x) = (my * component.v + y, mx * component.h + x);
                    let block = &mut component.blocks[y * component.stride + x];
                    if !starved {
                        coder.read(stream, &mut state, slot, &codes[slot], block)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// State that is carried from block to block.
pub(super) struct State {
    pub(super) bits: Bits,
    /// The DC coefficient of the block before, for each component of the scan.
    pub(super) last: [i32; 4],
    /// Blocks to come that have no more coefficients in the band: EOBRUN.
    pub(super) zero_blocks: u32,
}

/// The restart markers of a scan.
struct Restarts {
    /// MCUs between two; 0 if there are none.
    interval: usize,
    to_go: usize,
    expected: u8,
}

impl Restarts {
    /// Before each MCU: passes the marker that is due.
    fn step(&mut self, stream: &mut Stream, state: &mut State) -> Result<(), Fault> {
        if self.interval == 0 {
            return Ok(());
        }
        if self.to_go == 0 {
            state.bits.clear();
            self.pass(stream)?;
            state.last = [0; 4];
            state.zero_blocks = 0;
            self.to_go = self.interval;
            // Right before another marker the next segment is empty, too.
            state.bits.starved &= stream.marker.is_some();
        }
        self.to_go -= 1;
        Ok(())
    }

    /// Finds the expected marker, or what may be made of another: one that is soon due is left for
    /// later, with an empty segment before it; one that was due before is passed, with the data
    /// behind it; one that makes no sense is dropped.
    fn pass(&mut self, stream: &mut Stream) -> Result<(), Fault> {
        let expected = self.expected;
        self.expected = (expected + 1) % 8;
        let mut found = stream.find_marker()?;
        if found == 0xd0 + expected {
            stream.marker = None;
            return Ok(());
        }
        loop {
            let ahead = match found {
                ..0xc0 => None,
                0xd0..=0xd7 => Some((found - 0xd0 + 8 - expected) % 8),
                // The end of the scan.
                _ => return Ok(()),
            };
            match ahead {
                Some(1 | 2) => return Ok(()),
                None | Some(6 | 7) => {
                    stream.marker = None;
                    found = stream.find_marker()?;
                }
                Some(_) => {
                    stream.marker = None;
                    return Ok(());
                }
            }
        }
    }
}
