//! JPEG as TIFF 6.0 first had it: one stream for the whole page, in parts that lie anywhere.
//!
//! Its head is a stream of its own (`JPEGInterchangeFormat`), or made of the tables that tags point
//! to; what follows is in the strips. Chroma of less resolution is repeated, as libtiff does.
//! Source: TIFF 6.0, section 22; which part is believed follows `tif_ojpeg.c` of libtiff 4.7.

use super::page::Page;
use super::{Format, Limit, chunks, subsampled, unsupported};
use crate::image::decode::forgiving::Form;
use crate::image::decode::jpeg;
use crate::image::error::ImageError;

/// The tags: a whole stream, its length, the restart interval, and tables.
const STREAM: u16 = 513;
const STREAM_LENGTH: u16 = 514;
const RESTART_INTERVAL: u16 = 515;
const QUANTISATION: u16 = 519;
const DC_CODES: u16 = 520;
const AC_CODES: u16 = 521;

/// The samples of the page, pixel by pixel.
pub(super) fn read(page: &Page, limit: &Limit) -> Result<Vec<u8>, ImageError> {
    let damaged = |reason: String| ImageError::damaged(Format::Tiff, reason);
    if page.is_tiled || page.is_planar || page.bits != 8 {
        return Err(unsupported("tiles or planes of the first kind of JPEG"));
    }
    let mut offsets = page.tags.numbers(273);
    offsets.truncate(page.height.div_ceil(page.chunk.1));
    let counts = page.tags.numbers(279);
    let raw = page.width * page.height * page.samples;
    let mut stream = head(page, offsets.len())?;
    for (i, &offset) in offsets.iter().enumerate() {
        let count = counts.get(i).copied().filter(|&count| count > 0);
        let rest = page.tags.bytes().len() as u64;
        let count = count.map(|count| count.min(rest.saturating_sub(offset)));
        stream.extend_from_slice(chunks::stored(page, offset, count, raw / offsets.len())?);
        if stream.len() > 2 * (page.tags.bytes().len() + raw) {
            return Err(damaged(
                "its strips are said to be longer than the file".into(),
            ));
        }
        if i + 1 < offsets.len() {
            stream.extend_from_slice(&[0xff, 0xd0 + (i % 8) as u8]);
        }
    }
    stream.extend_from_slice(b"\xff\xd9");
    let decoded = jpeg::forgive(&stream, limit, Form::Stored).map_err(damaged)?;
    let (width, height, mode, data) = decoded.ok_or_else(|| unsupported("a JPEG so coded"))?;
    if mode.channels() != page.samples || width < page.width || height < page.height {
        let components = mode.channels();
        let reason = format!("its JPEG has {width}×{height} pixels of {components} components");
        return Err(damaged(reason));
    }
    let (line, stored) = (page.width * page.samples, width * page.samples);
    let lines = data.chunks_exact(stored).take(page.height);
    Ok(lines.flat_map(|stored| &stored[..line]).copied().collect())
}

/// The stream up to its first byte of data.
fn head(page: &Page, strips: usize) -> Result<Vec<u8>, ImageError> {
    let bytes = page.tags.bytes();
    let at = page
        .tags
        .number(STREAM)
        .and_then(|at| usize::try_from(at).ok());
    let stream = at.filter(|&at| at > 0).and_then(|at| bytes.get(at..));
    if let Some(stream) = stream.filter(|stream| stream.starts_with(b"\xff\xd8")) {
        let length = page.tags.number(STREAM_LENGTH).filter(|&length| length > 0);
        let length = length.map_or(stream.len(), |length| (length as usize).max(2));
        let stream = &stream[..length.min(stream.len())];
        let mut head = vec![0xff, 0xd8];
        head.extend(restart_interval(page, strips));
        head.extend_from_slice(&stream[2..]);
        return Ok(head);
    }
    let (across, down) = subsampled::factors(page);
    let sampling = match page.samples {
        1 => 0x11,
        _ => (across << 4 | down) as u8,
    };
    let table = |tag: u16, i: usize| {
        let at = page.tags.numbers(tag).get(i).copied();
        let at = at.and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| bytes.get(at..)).ok_or_else(|| {
            let reason = format!("no JPEG stream, and no table {i} of tag {tag}");
            ImageError::damaged(Format::Tiff, reason)
        })
    };
    let mut head = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        head.extend_from_slice(&[0xff, marker]);
        head.extend_from_slice(&(body.len() as u16 + 2).to_be_bytes());
        head.extend_from_slice(body);
    };
    for i in 0..page.samples.min(4) {
        let values = table(QUANTISATION, i)?.iter().take(64);
        segment(
            0xdb,
            &[i as u8].iter().chain(values).copied().collect::<Vec<u8>>(),
        );
        for (class, tag) in [(0, DC_CODES), (0x10, AC_CODES)] {
            let codes = table(tag, i)?;
            let counts = codes.iter().take(16);
            let length = 16 + counts.map(|&count| usize::from(count)).sum::<usize>();
            let codes = codes.iter().take(length);
            segment(
                0xc4,
                &[class | i as u8]
                    .iter()
                    .chain(codes)
                    .copied()
                    .collect::<Vec<u8>>(),
            );
        }
    }
    let sides = [page.height, page.width].map(|side| (side as u16).to_be_bytes());
    let mut frame = vec![8];
    frame.extend(sides.concat());
    frame.push(page.samples as u8);
    let mut scan = vec![page.samples as u8];
    for i in 0..page.samples as u8 {
        frame.extend([i + 1, if i == 0 { sampling } else { 0x11 }, i]);
        scan.extend([i + 1, i << 4 | i]);
    }
    scan.extend([0, 63, 0]);
    segment(0xc0, &frame);
    segment(0xda, &scan);
    let interval = restart_interval(page, strips);
    head.splice(2..2, interval);
    Ok(head)
}

/// The segment that says how many MCUs lie between two restart markers: those of a strip, if there
/// are several.
fn restart_interval(page: &Page, strips: usize) -> Vec<u8> {
    let (across, down) = subsampled::factors(page);
    let mcus = page.width.div_ceil(8 * across) * page.chunk.1.div_ceil(8 * down);
    let interval = match (page.tags.number(RESTART_INTERVAL), strips) {
        (Some(interval), _) if interval > 0 => interval as u16,
        (_, 0 | 1) => return Vec::new(),
        _ => mcus as u16,
    };
    let [high, low] = interval.to_be_bytes();
    vec![0xff, 0xdd, 0, 4, high, low]
}
