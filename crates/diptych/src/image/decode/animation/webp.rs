//! WebP's frames.
//!
//! The crate (0.2.4) puts frames on a canvas itself, but takes 1 from every value of an opaque
//! frame that blends, and never clears one away. Source: the container's specification,
//! <https://developers.google.com/speed/webp/docs/riff_container>.

use std::io::Cursor;
use std::ops::Range;
use std::time::Duration;

use image_webp::WebPDecoder;

use super::canvas::{After, Patch, Place};
use super::{Opened, Patches};
use crate::image::decode::webp::{
    CHUNK_HEADER, FILE_HEADER, FRAME_HEADER, chunks, damaged, number, pixels, still,
};
use crate::image::error::ImageError;

pub(super) fn open(bytes: Vec<u8>) -> Result<Opened, ImageError> {
    let ((width, height), n_frames) = {
        let decoder = WebPDecoder::new(Cursor::new(&*bytes)).map_err(damaged)?;
        (decoder.dimensions(), decoder.num_frames())
    };
    if n_frames < 2 {
        return Ok(None);
    }
    let size = (width as usize, height as usize);
    let frames = WebP {
        bytes,
        at: FILE_HEADER,
        size,
    };
    Ok(Some((size, Box::new(frames))))
}

struct WebP {
    bytes: Vec<u8>,
    /// Where the next chunk begins.
    at: usize,
    size: (usize, usize),
}

impl WebP {
    /// Where the next frame lies.
    fn frame(&mut self) -> Option<Range<usize>> {
        loop {
            let chunk = chunks(self.bytes.get(self.at..)?).next()?;
            let (is_frame, length) = (chunk.name == *b"ANMF", chunk.data.len());
            let start = self.at + CHUNK_HEADER;
            self.at = start + length + length % 2;
            if is_frame {
                return Some(start..start + length);
            }
        }
    }

    fn patch(&self, frame: Range<usize>) -> Result<Patch, ImageError> {
        let parts = self.bytes[frame].split_at_checked(FRAME_HEADER);
        let (head, content) = parts.ok_or_else(|| damaged("a frame of it ends early"))?;
        let size = &head[6..12];
        let place = Place {
            left: 2 * number(&head[..3]),
            top: 2 * number(&head[3..6]),
            columns: number(&size[..3]) + 1,
            rows: number(&size[3..]) + 1,
        };
        if place.left + place.columns > self.size.0 || place.top + place.rows > self.size.1 {
            return Err(damaged("a frame leaves the canvas"));
        }
        let file = still(content, size).ok_or_else(|| damaged("a frame of it is empty"))?;
        let mut decoder = WebPDecoder::new(Cursor::new(&*file)).map_err(damaged)?;
        if decoder.dimensions() != (place.columns as u32, place.rows as u32) {
            return Err(damaged("a frame of it has another size than it announces"));
        }
        let mut data = pixels(&mut decoder).map_err(damaged)?;
        if !decoder.has_alpha() {
            let rgb = data.chunks_exact(3);
            data = rgb.flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect();
        }
        let flags = head[15];
        Ok(Patch {
            place,
            pixels: data,
            blends: flags & 2 == 0,
            after: if flags & 1 == 1 {
                After::Clear
            } else {
                After::Keep
            },
            delay: Duration::from_millis(number(&head[12..15]) as u64),
        })
    }
}

impl Patches for WebP {
    fn next(&mut self) -> Option<Result<Patch, ImageError>> {
        let frame = self.frame()?;
        Some(self.patch(frame))
    }
}
