//! GIF: the first frame on its canvas.
//!
//! Source: `GifImagePlugin.py` of Pillow 13. What lies outside the frame takes the transparent
//! index, or 0; a frame that leaves the screen widens it; a palette that says "index = grey" makes
//! it grey, and so does none.

use std::io::Read;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture};

/// Bytes up to the global colour table; among them those that tell of it; and how they tell of one
/// of 256.
const HEADER: usize = 13;
const FLAGS: usize = 10;
const TABLE_OF_256: u8 = 0x87;

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let has_none = bytes.get(FLAGS).is_some_and(|flags| flags & 0x80 == 0);
    match bytes.split_at_checked(HEADER) {
        // A frame may bring a table of its own; where there is none at all, an index is a grey.
        Some((head, rest)) if has_none => {
            let greys = (0..=255).flat_map(|grey| [grey; 3]);
            let mut head: Vec<u8> = head.iter().copied().chain(greys).collect();
            head[FLAGS] |= TABLE_OF_256;
            first_frame(head.chain(rest), limit)
        }
        _ => first_frame(bytes, limit),
    }
}

/// The first frame of a file with a colour table.
fn first_frame(bytes: impl Read, limit: &Limit) -> Result<Picture, ImageError> {
    let damaged = |error| ImageError::damaged(Format::Gif, error);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    options.set_memory_limit(MemoryLimit::Unlimited); // `limit` is checked below, before pixels are read
    let mut decoder = options.read_info(bytes).map_err(damaged)?;
    let screen = (decoder.width(), decoder.height());
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.next_frame_info().map_err(damaged)?;
    let frame = frame.ok_or_else(|| ImageError::damaged(Format::Gif, "it has no frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    let width = usize::from(screen.0).max(left + frame_width);
    let height = usize::from(screen.1).max(top + frame_height);
    let (width, height) = limit.check(width as u64, height as u64)?;
    let background = frame.transparent.unwrap_or(0);
    let palette = frame.palette.clone().or(global).unwrap_or_default();

    let mut indices = vec![0; frame_width * frame_height];
    if !indices.is_empty() {
        decoder.read_into_buffer(&mut indices).map_err(damaged)?;
    }
    let mut canvas = vec![background; width * height];
    for (line, y) in indices.chunks_exact(frame_width.max(1)).zip(top..) {
        canvas[y * width + left..][..frame_width].copy_from_slice(line);
    }

    let colours: Vec<[u8; 3]> = palette
        .chunks_exact(3)
        .map(|c| [c[0], c[1], c[2]])
        .collect();
    if colours
        .iter()
        .zip(0..=255)
        .all(|(colour, grey)| *colour == [grey; 3])
    {
        return Picture::new(width, height, Mode::Grey, canvas);
    }
    Picture::with_palette(width, height, canvas, colours)
}
