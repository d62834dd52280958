//! Canon's CR3: boxes of ISO's base media format, with a preview of its own and whole JPEGs as a
//! track.
//!
//! Source: ISO/IEC 14496-12; Laurent Clévy's description of CR3 (`lclevy/canon_cr3`) for what Canon
//! adds.

use super::Found;
use crate::image::ifd::Block;
use crate::image::orient::{ORIENTATION, find_number};

/// More boxes than any camera writes.
const MAX_BOXES: usize = 1000;

/// Canon's box in `moov`: the directories of EXIF, each a TIFF.
const CANON: &[u8] = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
/// Canon's box with the preview.
const PREVIEW: &[u8] = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";

/// Where a box of JPEG's length stands in `PRVW`, behind its own header, and its bytes.
const PREVIEW_LENGTH: usize = 12;
const PREVIEW_BYTES: usize = 16;

pub(super) fn is_cr3(bytes: &[u8]) -> bool {
    bytes.get(4..12) == Some(b"ftypcrx ")
}

pub(super) fn previews(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    // Where boxes begin and end.
    let mut open = vec![(0, bytes.len())];
    let mut seen = 0;
    while let Some((mut at, end)) = open.pop() {
        while let Some(header) = header(bytes, at, end) {
            seen += 1;
            if seen > MAX_BOXES {
                return found;
            }
            let body = header.body;
            let inner = &bytes[body..header.end];
            match &header.name {
                b"moov" | b"trak" | b"mdia" | b"minf" => open.push((body, header.end)),
                b"stbl" => found.places.extend(sample(inner)),
                b"uuid" if inner.starts_with(CANON) => open.push((body + 16, header.end)),
                // Two numbers stand before the one box inside.
                b"uuid" if inner.starts_with(PREVIEW) => open.push((body + 24, header.end)),
                b"CMT1" => found.orientation = find_number(inner, ORIENTATION),
                b"PRVW" => {
                    let length = big_endian(inner).long(PREVIEW_LENGTH);
                    let start = (body + PREVIEW_BYTES) as u64;
                    found.places.extend(length.map(|n| (start, n.into())));
                }
                _ => {}
            }
            at = header.end;
        }
    }
    found
}

struct Header {
    name: [u8; 4],
    /// Where the content begins, and where it ends.
    body: usize,
    end: usize,
}

/// The header of the box at `at`, which ends with `end` at the latest.
fn header(bytes: &[u8], at: usize, end: usize) -> Option<Header> {
    let block = big_endian(bytes.get(..end)?);
    let name = block.bytes.get(at + 4..at + 8)?.try_into().ok()?;
    let (size, body) = match block.long(at)? {
        0 => (end - at, at + 8), // up to the end
        1 => (long64(block, at + 8)?, at + 16),
        size => (size as usize, at + 8),
    };
    let own_end = at.checked_add(size)?;
    (body..=end).contains(&own_end).then_some(Header {
        name,
        body,
        end: own_end,
    })
}

/// The first sample of a track: its place and length, from the tables in `stbl`.
fn sample(table: &[u8]) -> Option<(u64, u64)> {
    let (mut place, mut length) = (None, None);
    let mut at = 0;
    // Each box is eight bytes or longer; a track has about eight.
    for _ in 0..MAX_BOXES {
        let Some(header) = header(table, at, table.len()) else {
            break;
        };
        let inner = big_endian(&table[header.body..header.end]);
        match &header.name {
            b"co64" => place = long64(inner, 8).map(|at| at as u64),
            // One length for all, or else one each.
            b"stsz" => length = inner.long(4).filter(|&n| n > 0).or_else(|| inner.long(12)),
            _ => {}
        }
        at = header.end;
    }
    Some((place?, length?.into()))
}

fn big_endian(bytes: &[u8]) -> Block<'_> {
    Block {
        bytes,
        big_endian: true,
    }
}

/// Eight bytes as a position.
fn long64(block: Block, at: usize) -> Option<usize> {
    let (high, low) = (block.long(at)?, block.long(at.checked_add(4)?)?);
    usize::try_from(u64::from(high) << 32 | u64::from(low)).ok()
}
