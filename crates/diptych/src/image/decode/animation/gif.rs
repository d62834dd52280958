//! GIF's frames. Source: the GIF89a specification.

use std::io::Cursor;
use std::time::Duration;

use gif::{ColorOutput, DecodeOptions as Options, Decoder, DisposalMethod, MemoryLimit};

use super::canvas::{After, Patch, Place};
use super::{Opened, Patches};
use crate::image::decode::{DecodeOptions, Format, Limit};
use crate::image::error::ImageError;

fn damaged(reason: impl ToString) -> ImageError {
    ImageError::damaged(Format::Gif, reason)
}

pub(super) fn open(bytes: Vec<u8>, decode: &DecodeOptions) -> Result<Opened, ImageError> {
    let Some(first) = first_of_several(&bytes)? else {
        return Ok(None);
    };
    let decoder = options().read_info(Cursor::new(bytes)).map_err(damaged)?;
    let mut size = (usize::from(decoder.width()), usize::from(decoder.height()));
    if size.0 == 0 || size.1 == 0 {
        size = first;
    }
    let max_megapixels = decode.max_megapixels;
    let frames = Gif {
        decoder,
        max_megapixels,
    };
    Ok(Some((size, Box::new(frames))))
}

fn options() -> Options {
    let mut options = Options::new();
    options.set_color_output(ColorOutput::RGBA);
    options.allow_unknown_blocks(true);
    options.set_memory_limit(MemoryLimit::Unlimited); // sizes are checked before pixels are read
    options
}

/// Columns and rows up to which the first frame reaches; none, if there is no second one.
fn first_of_several(bytes: &[u8]) -> Result<Option<(usize, usize)>, ImageError> {
    let mut options = options();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(damaged)?;
    let mut reach = None;
    for _ in 0..2 {
        // What is damaged after the first frame has no second one.
        let Ok(Some(frame)) = decoder.next_frame_info() else {
            return Ok(None);
        };
        let end = |from: u16, length: u16| usize::from(from) + usize::from(length);
        reach = reach.or(Some((
            end(frame.left, frame.width),
            end(frame.top, frame.height),
        )));
    }
    Ok(reach)
}

struct Gif {
    decoder: Decoder<Cursor<Vec<u8>>>,
    max_megapixels: u32,
}

impl Gif {
    fn patch(&mut self) -> Result<Option<Patch>, ImageError> {
        let Some(frame) = self.decoder.next_frame_info().map_err(damaged)? else {
            return Ok(None);
        };
        let place = Place {
            left: frame.left.into(),
            top: frame.top.into(),
            columns: frame.width.into(),
            rows: frame.height.into(),
        };
        let after = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => After::Keep,
            DisposalMethod::Background => After::Clear,
            DisposalMethod::Previous => After::Restore,
        };
        let delay = Duration::from_millis(10 * u64::from(frame.delay));
        let mut pixels = Vec::new();
        if place.columns > 0 && place.rows > 0 {
            let limit = Limit::new(Format::Gif, self.max_megapixels);
            limit.size(place.columns as u64, place.rows as u64)?;
            pixels = vec![0; self.decoder.buffer_size()];
            self.decoder
                .read_into_buffer(&mut pixels)
                .map_err(damaged)?;
        }
        Ok(Some(Patch {
            place,
            pixels,
            blends: true,
            after,
            delay,
        }))
    }
}

impl Patches for Gif {
    fn next(&mut self) -> Option<Result<Patch, ImageError>> {
        self.patch().transpose()
    }
}
