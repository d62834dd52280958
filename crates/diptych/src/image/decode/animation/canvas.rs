//! The canvas of an animation, on which frames are put and taken away again.

use std::time::Duration;

use crate::image::error::ImageError;
use crate::image::picture::Picture;

/// A frame as a file has it: a part of the canvas.
pub(super) struct Patch {
    pub(super) place: Place,
    /// Red, green, blue and alpha, not premultiplied: `[rows, columns, 4]`.
    pub(super) pixels: Vec<u8>,
    /// Whether what was there shows through; else it is replaced, alpha and all.
    pub(super) blends: bool,
    pub(super) after: After,
    pub(super) delay: Duration,
}

/// A rectangle of the canvas; what lies outside is cut off.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// What becomes of a frame when its time is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum After {
    /// It stays.
    Keep,
    /// Nothing stays in its place.
    Clear,
    /// What was there before it comes back.
    Restore,
}

pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// As [`Patch::pixels`].
    pixels: Vec<u8>,
    /// What is done before the next frame.
    then: Then,
}

enum Then {
    Nothing,
    Clear(Place),
    Restore(Vec<u8>),
}

impl Canvas {
    /// One that is see-through.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![0; width * height * 4],
            then: Then::Nothing,
        }
    }

    /// Takes away the last frame as it wished, and puts the next one there.
    pub(super) fn show(&mut self, patch: Patch) {
        match std::mem::replace(&mut self.then, Then::Nothing) {
            Then::Nothing => {}
            Then::Clear(place) => self.each_row(place, |row, _| row.fill(0)),
            Then::Restore(before) => self.pixels = before,
        }
        self.then = match patch.after {
            After::Keep => Then::Nothing,
            After::Clear => Then::Clear(patch.place),
            After::Restore => Then::Restore(self.pixels.clone()),
        };
        let line = 4 * patch.place.columns;
        self.each_row(patch.place, |row, y| {
            let new = &patch.pixels[y * line..][..row.len()];
            if patch.blends {
                for (old, new) in row.chunks_exact_mut(4).zip(new.chunks_exact(4)) {
                    over(old, new);
                }
            } else {
                row.copy_from_slice(new);
            }
        });
    }

    /// Calls `f` with the part of each row of a place that lies on the canvas, and the number of
    /// that row in the place.
    fn each_row(&mut self, place: Place, mut f: impl FnMut(&mut [u8], usize)) {
        let columns = place.columns.min(self.width.saturating_sub(place.left));
        let rows = place.rows.min(self.height.saturating_sub(place.top));
        if columns == 0 {
            return;
        }
        for y in 0..rows {
            let start = ((place.top + y) * self.width + place.left) * 4;
            f(&mut self.pixels[start..][..4 * columns], y);
        }
    }

    /// What is shown now, on white.
    pub(super) fn picture(&self) -> Result<Picture, ImageError> {
        let pixels = self.pixels.chunks_exact(4);
        let rgb = pixels.flat_map(|pixel| {
            let alpha = u32::from(pixel[3]);
            let on_white =
                |value: u8| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
            [on_white(pixel[0]), on_white(pixel[1]), on_white(pixel[2])]
        });
        Picture::from_rgb(self.width, self.height, rgb.collect())
    }
}

/// Puts a pixel over another. Source: the PNG specification, section 13.16 on alpha.
fn over(old: &mut [u8], new: &[u8]) {
    let (above, below) = (u32::from(new[3]), u32::from(old[3]));
    match above {
        255 => old.copy_from_slice(new),
        0 => {}
        _ => {
            // In units of 1 / 255².
            let (u, v) = (above * 255, (255 - above) * below);
            let alpha = u + v;
            for (old, new) in old[..3].iter_mut().zip(new) {
                let sum = u * u32::from(*new) + v * u32::from(*old);
                *old = ((sum + alpha / 2) / alpha) as u8;
            }
            old[3] = ((alpha + 127) / 255) as u8;
        }
    }
}
