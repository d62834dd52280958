//! APNG's frames. Source: the PNG specification, third edition, section 11.3.6.

use std::io::Cursor;
use std::time::Duration;

use png::{BlendOp, ColorType, Decoder, DisposeOp, FrameControl, Limits, Reader, Transformations};

use super::canvas::{After, Patch, Place};
use super::{Opened, Patches};
use crate::image::decode::Format;
use crate::image::decode::png::MAX_CHUNK_BYTES;
use crate::image::error::ImageError;

fn damaged(reason: impl ToString) -> ImageError {
    ImageError::damaged(Format::Png, reason)
}

/// Times the limit of a still picture.
const FRAMES: usize = 16;

pub(super) fn open(bytes: Vec<u8>) -> Result<Opened, ImageError> {
    // The crate counts a line of each frame and never gives it back.
    let limits = Limits {
        bytes: FRAMES * MAX_CHUNK_BYTES,
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let size = (info.width as usize, info.height as usize);
    let frames = info
        .animation_control()
        .map_or(0, |control| control.num_frames);
    if frames < 2 {
        return Ok(None);
    }
    // Else the first picture is for who knows no animations.
    let is_first_shown = info.frame_control().is_some();
    let frames = Png {
        reader,
        left: frames,
        skips: !is_first_shown,
    };
    Ok(Some((size, Box::new(frames))))
}

struct Png {
    reader: Reader<Cursor<Vec<u8>>>,
    /// Frames that are to come.
    left: u32,
    /// Whether the next picture is none of them.
    skips: bool,
}

impl Png {
    fn patch(&mut self) -> Result<Patch, ImageError> {
        let room = self.reader.output_buffer_size();
        let room = room.ok_or_else(|| damaged("its pixels do not fit into memory"))?;
        let mut data = vec![0; room];
        if std::mem::take(&mut self.skips) {
            self.reader.next_frame(&mut data).map_err(damaged)?;
        }
        let output = self.reader.next_frame(&mut data).map_err(damaged)?;
        // Of an interlaced one the decoder leaves lines as far apart as those of the whole are.
        let info = self.reader.info();
        let whole = self.reader.output_line_size(info.width);
        let stride = whole
            .filter(|_| info.interlaced)
            .unwrap_or(output.line_size);
        let lines = data.chunks_exact(stride).take(output.height as usize);
        let data: Vec<u8> = lines
            .flat_map(|line| &line[..output.line_size])
            .copied()
            .collect();
        let pixels = match output.color_type {
            ColorType::Rgba => data,
            // The transformations leave these two.
            _ => data
                .chunks_exact(2)
                .flat_map(|grey| [grey[0], grey[0], grey[0], grey[1]])
                .collect(),
        };
        let control = self.reader.info().frame_control();
        let control = control.ok_or_else(|| damaged("a frame has no `fcTL`"))?;
        Ok(Patch {
            place: Place {
                left: control.x_offset as usize,
                top: control.y_offset as usize,
                columns: output.width as usize,
                rows: output.height as usize,
            },
            pixels,
            blends: control.blend_op == BlendOp::Over,
            after: match control.dispose_op {
                DisposeOp::None => After::Keep,
                DisposeOp::Background => After::Clear,
                DisposeOp::Previous => After::Restore,
            },
            delay: delay(control),
        })
    }
}

/// For how long a frame is shown; a denominator of 0 stands for 100.
fn delay(control: &FrameControl) -> Duration {
    let parts = match control.delay_den {
        0 => 100.0,
        parts => f64::from(parts),
    };
    Duration::from_secs_f64(f64::from(control.delay_num) / parts)
}

impl Patches for Png {
    fn next(&mut self) -> Option<Result<Patch, ImageError>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.patch())
    }
}
