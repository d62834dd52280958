//! WebP: lossy, lossless, with alpha; of an animation the first frame on its canvas.
//!
//! The first frame is decoded as the still picture that its chunks make. The crate (0.2.4) would
//! blend it with the empty canvas, which rounds colours under alpha and loses those under none;
//! libwebp, Pillow's decoder, copies it. Of a still picture it checks that the sizes in all headers
//! agree, too. Source: the container's specification,
//! <https://developers.google.com/speed/webp/docs/riff_container>; `anim_decode.c` of libwebp 1.6.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Format, Limit};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture};

/// Bytes of a chunk's name and length, and those of a file before its first chunk.
pub(super) const CHUNK_HEADER: usize = 8;
pub(super) const FILE_HEADER: usize = 12;

/// Bytes of an animation's frame before its chunks: place, size, duration, flags.
pub(super) const FRAME_HEADER: usize = 16;

/// The flag of `VP8X` that says there is alpha.
const ALPHA: u8 = 0x10;

pub(super) fn damaged(reason: impl ToString) -> ImageError {
    ImageError::damaged(Format::WebP, reason)
}

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = limit.check(width, height)?;
    let mode = mode_of(&decoder);
    let canvas = Canvas {
        width,
        height,
        mode,
    };
    let content = bytes.get(FILE_HEADER..).unwrap_or_default();
    let promised = mode == Mode::Rgba && decoder.is_lossy();
    let data = if decoder.is_animated() {
        canvas.with_first_frame(content)?
    } else if promised && !chunks(content).any(|chunk| chunk.name == *b"ALPH") {
        // Alpha is announced and does not come, which the crate refuses.
        let head = chunks(content).find(|chunk| chunk.name == *b"VP8X");
        let size = head.and_then(|head| head.data.get(4..10));
        canvas.with(content, size.unwrap_or_default(), (0, 0))?
    } else {
        pixels(&mut decoder).map_err(damaged)?
    };
    Picture::new(width, height, mode, data)
}

fn mode_of(decoder: &WebPDecoder<Cursor<&[u8]>>) -> Mode {
    if decoder.has_alpha() {
        Mode::Rgba
    } else {
        Mode::Rgb
    }
}

/// The values of a still picture.
pub(super) fn pixels(decoder: &mut WebPDecoder<Cursor<&[u8]>>) -> Result<Vec<u8>, DecodingError> {
    let length = decoder.output_buffer_size();
    let mut data = vec![0; length.ok_or(DecodingError::ImageTooLarge)?];
    decoder.read_image(&mut data)?;
    Ok(data)
}

/// The area that a frame is put on; it is 0 beside the frame.
struct Canvas {
    width: usize,
    height: usize,
    mode: Mode,
}

/// Three bytes, the lowest first.
pub(super) fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(3)
        .rev()
        .fold(0, |number, &byte| number << 8 | usize::from(byte))
}

impl Canvas {
    /// The values with the first frame of an animation, whose chunks are `content`.
    fn with_first_frame(&self, content: &[u8]) -> Result<Vec<u8>, ImageError> {
        let frame = chunks(content)
            .find(|chunk| chunk.name == *b"ANMF")
            .ok_or_else(|| damaged("it has no frame"))?;
        let (head, content) = frame
            .data
            .split_at_checked(FRAME_HEADER)
            .ok_or_else(|| damaged("its first frame ends early"))?;
        let place = (2 * number(&head[..3]), 2 * number(&head[3..6]));
        self.with(content, &head[6..12], place)
    }

    /// The values with the picture of these chunks, whose first column and row are given.
    fn with(
        &self,
        content: &[u8],
        size: &[u8],
        (left, top): (usize, usize),
    ) -> Result<Vec<u8>, ImageError> {
        let still = still(content, size).ok_or_else(|| damaged("a frame of it is empty"))?;
        let mut decoder = WebPDecoder::new(Cursor::new(&*still)).map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        let announced = (
            number(size) + 1,
            number(size.get(3..).unwrap_or_default()) + 1,
        );
        if (width, height) != announced {
            return Err(damaged(format!(
                "a frame of {width}×{height} is announced as {}×{}",
                announced.0, announced.1
            )));
        }
        if left + width > self.width || top + height > self.height {
            return Err(damaged("a frame leaves the canvas"));
        }
        let (from, to) = (mode_of(&decoder).channels(), self.mode.channels());
        let data = pixels(&mut decoder).map_err(damaged)?;
        let mut canvas = vec![0; self.width * self.height * to];
        for (line, y) in data.chunks_exact(width * from).zip(top..) {
            let at = (y * self.width + left) * to;
            let room = canvas[at..at + width * to].chunks_exact_mut(to);
            for (out, pixel) in room.zip(line.chunks_exact(from)) {
                out[3..].fill(255); // of a picture that has no alpha
                let shared = from.min(to);
                out[..shared].copy_from_slice(&pixel[..shared]);
            }
        }
        Ok(canvas)
    }
}

/// A file of a picture's chunks; `size` is spelt in a frame as it is in `VP8X`.
pub(super) fn still(frame: &[u8], size: &[u8]) -> Option<Vec<u8>> {
    let is_picture = |chunk: &Chunk| matches!(&chunk.name, b"VP8 " | b"VP8L");
    let picture = chunks(frame).find(is_picture)?;
    let alpha = chunks(frame)
        .find(|chunk| chunk.name == *b"ALPH")
        .filter(|_| picture.name == *b"VP8 ");
    let mut content = b"WEBP".to_vec();
    let mut add = |name: [u8; 4], data: &[u8]| {
        content.extend(name);
        content.extend((data.len() as u32).to_le_bytes());
        content.extend(data);
        content.extend(std::iter::repeat_n(0, data.len() % 2));
    };
    if let Some(alpha) = alpha {
        add(*b"VP8X", &[&[ALPHA, 0, 0, 0], size].concat());
        add(alpha.name, alpha.data);
    }
    add(picture.name, picture.data);
    let length = (content.len() as u32).to_le_bytes();
    Some([b"RIFF", &length[..], &content].concat())
}

/// A part of the file.
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) data: &'a [u8],
}

/// The chunks of a file or a frame, up to the first that is cut.
pub(super) fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let name = *rest.first_chunk()?;
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk()?) as usize;
        let (data, after) = rest.get(CHUNK_HEADER..)?.split_at_checked(length)?;
        // Chunks have even lengths, the last one perhaps not.
        rest = after.get(length % 2..).unwrap_or_default();
        Some(Chunk { name, data })
    })
}
