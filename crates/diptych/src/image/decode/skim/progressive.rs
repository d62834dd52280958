//! The scans of a progressive file, of which most hold only what is not needed.

use libjpeg_turbo_rs::common::types::ScanHeader;
use libjpeg_turbo_rs::decode::bitstream::BitReader;
use libjpeg_turbo_rs::decode::marker::JpegMetadata;
use libjpeg_turbo_rs::decode::progressive::{
    decode_ac_first, decode_ac_refine, decode_dc_first, decode_dc_refine,
};

use super::{Block, Plane};

/// Fills `planes` from the scans that they need; `mcus` are across and down.
pub(super) fn scan(
    bytes: &[u8],
    meta: &JpegMetadata,
    planes: &mut [Plane],
    mcus: (usize, usize),
) -> Option<()> {
    // Of a component with one pixel a block only means are kept.
    let mut means: Vec<Vec<i16>> = Vec::with_capacity(3);
    let mut blocks: Vec<Vec<Block>> = Vec::with_capacity(3);
    for plane in planes.iter() {
        let n = plane.stride * mcus.1 * plane.v;
        let (n_means, n_blocks) = if plane.side == 1 { (n, 0) } else { (0, n) };
        means.push(vec![0; n_means]);
        blocks.push(vec![[0; 64]; n_blocks]);
    }
    let mut begun = vec![false; planes.len()];
    for scan in &meta.scans {
        let header = &scan.header;
        let ScanHeader {
            spec_start: start,
            spec_end: end,
            succ_high: high,
            succ_low: low,
            ..
        } = *header;
        let mut parts = Vec::with_capacity(3);
        for selector in &header.components {
            let index = planes.iter().position(|p| p.id == selector.component_id)?;
            begun[index] |= start == 0;
            let dc = scan
                .dc_huffman_tables
                .get(usize::from(selector.dc_table_index))?;
            let ac = scan
                .ac_huffman_tables
                .get(usize::from(selector.ac_table_index))?;
            parts.push((index, dc.as_deref(), ac.as_deref(), 0i16));
        }
        let single = parts.len() == 1;
        let means_only = start == 0 && end == 0;
        if parts.is_empty() || low > 13 || !means_only && (!single || start == 0) {
            return None;
        }
        if !means_only && planes[parts[0].0].side == 1 {
            continue;
        }

        let (across, down) = if single {
            (planes[parts[0].0].columns, planes[parts[0].0].rows)
        } else {
            mcus
        };
        let mut reader = BitReader::new(bytes.get(scan.data_offset..)?);
        let interval = usize::from(scan.restart_interval);
        let mut run = 0; // blocks that end before they begin
        let mut one: Block = [0; 64];
        for mcu in 0..across * down {
            if interval > 0 && mcu > 0 && mcu % interval == 0 {
                reader.reset();
                run = 0;
                parts.iter_mut().for_each(|part| part.3 = 0);
            }
            let (mcu_x, mcu_y) = (mcu % across, mcu / across);
            for (index, dc, ac, last) in &mut parts {
                let plane = &planes[*index];
                let (h, v) = if single { (1, 1) } else { (plane.h, plane.v) };
                for i in 0..h * v {
                    let (x, y) = (mcu_x * h + i % h, mcu_y * v + i / h);
                    let at = y * plane.stride + x;
                    if plane.side == 1 {
                        one[0] = means[*index][at];
                    }
                    let block = match plane.side {
                        1 => &mut one,
                        _ => &mut blocks[*index][at],
                    };
                    match (means_only, high) {
                        (true, 0) => decode_dc_first(&mut reader, (*dc)?, last, block, low),
                        (true, _) => decode_dc_refine(&mut reader, block, low),
                        (false, 0) => {
                            decode_ac_first(&mut reader, (*ac)?, block, start, end, low, &mut run)
                        }
                        _ => {
                            decode_ac_refine(&mut reader, (*ac)?, block, start, end, low, &mut run)
                        }
                    }
                    .ok()?;
                    if plane.side == 1 {
                        means[*index][at] = one[0];
                    }
                }
            }
            if reader.insufficient_data() {
                return None;
            }
        }
    }
    if begun.contains(&false) {
        return None;
    }

    let mut one: Block = [0; 64];
    for ((plane, means), blocks) in planes.iter_mut().zip(&means).zip(&blocks) {
        for at in 0..means.len().max(blocks.len()) {
            let (x, y) = (at % plane.stride, at / plane.stride);
            match plane.side {
                1 => {
                    one[0] = means[at];
                    plane.put(x, y, &one);
                }
                _ => plane.put(x, y, &blocks[at]),
            }
        }
    }
    Some(())
}
