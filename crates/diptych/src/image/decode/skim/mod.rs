//! JPEG at ⅛ of its size, reading past what that does not need.
//!
//! One pixel comes from a block of 8×8, and is the block's mean, the first of its 64 coefficients.
//! The others need not be understood, only passed: a table says for the next bits how many whole
//! symbols they hold, and the scans of a progressive file that hold nothing else are left out.
//! Colour of half the resolution is decoded in full and gives 2×2 pixels a block. The pixels are
//! `libjpeg-turbo-rs`'s own, at scale ⅛. Invariant: what is not plain (four inks, non-interleaved
//! baseline, damage) gives `None`, and is left to that decoder; so damage in a part that is not
//! read goes unnoticed here.

mod bits;
mod progressive;
mod sequential;

use libjpeg_turbo_rs::common::types::ComponentInfo;
use libjpeg_turbo_rs::decode::color::ycbcr_to_rgb_row;
use libjpeg_turbo_rs::decode::idct_scaled::{idct_1x1, idct_2x2};
use libjpeg_turbo_rs::decode::marker::MarkerReader;

/// The coefficients of a block.
type Block = [i16; 64];

/// One component: its grid of blocks and its pixels.
struct Plane {
    id: u8,
    /// Blocks of an MCU.
    h: usize,
    v: usize,
    /// Blocks in a line of the grid, which is filled up to whole MCUs.
    stride: usize,
    /// Blocks that hold a part of the picture; scans of one component have no others.
    columns: usize,
    rows: usize,
    quant: [u16; 64],
    /// Pixels across a block, 1 or 2.
    side: usize,
    /// Lines of `stride · side` pixels.
    pixels: Vec<u8>,
}

impl Plane {
    /// Writes the pixels of the block at `(x, y)`.
    #[inline(always)]
    fn put(&mut self, x: usize, y: usize, coefficients: &Block) {
        if self.side == 1 {
            self.pixels[y * self.stride + x] = idct_1x1(coefficients, &self.quant);
            return;
        }
        let mut square = [0; 4];
        idct_2x2(coefficients, &self.quant, &mut square);
        let width = 2 * self.stride;
        for (line, pair) in square.chunks_exact(2).enumerate() {
            let at = (2 * y + line) * width + 2 * x;
            self.pixels[at..at + 2].copy_from_slice(pair);
        }
    }
}

/// Decodes grey or, from YCbCr, RGB of `⌈width / 8⌉ · ⌈height / 8⌉` pixels.
///
/// The caller has checked that the file's colours are one of the two, and its size.
pub(in crate::image) fn eighth(bytes: &[u8], max_scans: usize) -> Option<Vec<u8>> {
    let mut reader = MarkerReader::new(bytes);
    reader.set_scan_cap(max_scans);
    let meta = reader.read_markers().ok()?;
    let frame = &meta.frame;
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    // Decoded by other means, or not at all.
    let plain = frame.precision == 8 && !frame.is_lossless && !meta.is_arithmetic;
    if !plain || width == 0 || height == 0 || !matches!(frame.components.len(), 1 | 3) {
        return None;
    }
    let most = |factor: fn(&ComponentInfo) -> u8| {
        let most = frame.components.iter().map(factor).max();
        most.map(usize::from).filter(|&most| most > 0)
    };
    let (max_h, max_v) = (
        most(|c| c.horizontal_sampling)?,
        most(|c| c.vertical_sampling)?,
    );
    let mcus = (width.div_ceil(8 * max_h), height.div_ceil(8 * max_v));

    let mut planes = Vec::with_capacity(3);
    for component in &frame.components {
        let h = usize::from(component.horizontal_sampling);
        let v = usize::from(component.vertical_sampling);
        // libjpeg doubles a block's pixels while that saves stretching in both directions.
        let (0, 0) = (max_h.checked_rem(h)?, max_v.checked_rem(v)?) else {
            return None;
        };
        let side = match (max_h / h, max_v / v) {
            (2 | 4, 2) | (2, 4) => 2,
            (1, 1 | 2 | 4) | (2 | 4, 1) => 1,
            _ => return None,
        };
        let table = meta
            .quant_tables
            .get(usize::from(component.quant_table_index))?;
        planes.push(Plane {
            id: component.id,
            h,
            v,
            stride: mcus.0 * h,
            columns: (width * h).div_ceil(8 * max_h),
            rows: (height * v).div_ceil(8 * max_v),
            quant: table.as_ref()?.values,
            side,
            pixels: vec![0; mcus.0 * h * mcus.1 * v * side * side],
        });
    }

    if frame.is_progressive {
        // A file that was cut off lacks its end; what it lacks may be in the scans that are left
        // out.
        if !bytes.ends_with(&[0xff, 0xd9]) {
            return None;
        }
        progressive::scan(bytes, &meta, &mut planes, mcus)?;
    } else {
        sequential::scan(bytes, &meta, &mut planes, mcus)?;
    }
    Some(join(
        &planes,
        (max_h, max_v),
        width.div_ceil(8),
        height.div_ceil(8),
    ))
}

/// Pixels of all components, those of low resolution repeated, as grey or RGB.
fn join(planes: &[Plane], max: (usize, usize), width: usize, height: usize) -> Vec<u8> {
    let channels = planes.len();
    let mut out = vec![0; width * height * channels];
    let mut lines: Vec<Vec<u8>> = vec![Vec::new(); channels];
    for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            let (repeat_x, repeat_y) = (
                max.0 / (plane.h * plane.side),
                max.1 / (plane.v * plane.side),
            );
            let start = y / repeat_y * plane.stride * plane.side;
            let stored = &plane.pixels[start..][..plane.stride * plane.side];
            line.clear();
            match repeat_x {
                1 => line.extend_from_slice(&stored[..width]),
                _ => line.extend((0..width).map(|x| stored[x / repeat_x])),
            }
        }
        match &lines[..] {
            [y, cb, cr] => ycbcr_to_rgb_row(y, cb, cr, out, width),
            _ => out.copy_from_slice(&lines[0]),
        }
    }
    out
}
