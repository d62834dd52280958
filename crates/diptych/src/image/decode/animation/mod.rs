//! Animated pictures, frame after frame as they are shown: GIF, APNG and WebP.
//!
//! Flow: bytes → one format's frames, each a part of the canvas → [`Canvas`] → pictures, each with
//! the time for which it is shown. Invariant: what is see-through shows white, as on a page.
//! Memory is that of a canvas and a frame, however many there are.

mod canvas;
mod gif;
mod png;
#[cfg(test)]
mod tests;
mod webp;

use std::time::Duration;

use self::canvas::{Canvas, Patch};
use super::{DecodeOptions, Format, Limit};
use crate::guarded;
use crate::image::error::ImageError;
use crate::image::picture::Picture;

/// Shorter delays are what old programs wrote for "as fast as you can"; browsers and ffmpeg take a
/// tenth of a second instead.
const LEAST_DELAY: Duration = Duration::from_millis(11);
const USUAL_DELAY: Duration = Duration::from_millis(100);

/// An animated picture: an iterator over its frames, which are decoded as they are asked for.
pub struct Animation {
    format: Format,
    patches: Box<dyn Patches>,
    canvas: Canvas,
    is_at_end: bool,
}

/// A frame of an animated picture.
#[derive(Clone, Debug)]
pub struct AnimationFrame {
    /// All of the canvas, in RGB.
    pub picture: Picture,
    /// For how long it is shown.
    pub delay: Duration,
}

/// Columns and rows of the canvas, and the frames; none, if it is a still picture.
type Opened = Option<((usize, usize), Box<dyn Patches>)>;

/// A format's frames, in order.
trait Patches: Send {
    fn next(&mut self) -> Option<Result<Patch, ImageError>>;
}

impl Animation {
    /// Opens an animation. None for bytes of other formats, and for those of one frame.
    ///
    /// # Errors
    /// [`ImageError`] for a damaged head, and for a canvas of more pixels than `options` allow.
    pub fn open(bytes: Vec<u8>, options: &DecodeOptions) -> Result<Option<Self>, ImageError> {
        let format = match guarded(|| Format::of(&bytes)) {
            Ok(Some(format @ (Format::Gif | Format::Png | Format::WebP))) => format,
            _ => return Ok(None),
        };
        let limit = Limit::new(format, options.max_megapixels);
        let opened = guarded(|| -> Result<Option<_>, ImageError> {
            let opened: Opened = match format {
                Format::Gif => gif::open(bytes, options)?,
                Format::Png => png::open(bytes)?,
                _ => webp::open(bytes)?,
            };
            let Some(((width, height), patches)) = opened else {
                return Ok(None);
            };
            let (width, height) = limit.size(width as u64, height as u64)?;
            Ok(Some((Canvas::new(width, height), patches)))
        });
        let opened = opened.unwrap_or_else(|gave_up| Err(ImageError::damaged(format, gave_up)))?;
        Ok(opened.map(|(canvas, patches)| Self {
            format,
            patches,
            canvas,
            is_at_end: false,
        }))
    }
}

impl Animation {
    /// Goes over the next frame without making a picture of it, and returns for how long it is
    /// shown.
    pub fn pass(&mut self) -> Option<Result<Duration, ImageError>> {
        let passed = self.show(|_| Ok(()))?;
        Some(passed.map(|((), delay)| delay))
    }

    /// Puts the next frame on the canvas. Returns what `look` makes of that, and for how long it is
    /// shown.
    fn show<T>(
        &mut self,
        look: impl FnOnce(&Canvas) -> Result<T, ImageError>,
    ) -> Option<Result<(T, Duration), ImageError>> {
        if self.is_at_end {
            return None;
        }
        let (patches, canvas) = (&mut self.patches, &mut self.canvas);
        let shown = guarded(|| {
            let patch = match patches.next()? {
                Ok(patch) => patch,
                Err(error) => return Some(Err(error)),
            };
            let delay = if patch.delay < LEAST_DELAY {
                USUAL_DELAY
            } else {
                patch.delay
            };
            canvas.show(patch);
            Some(look(canvas).map(|seen| (seen, delay)))
        });
        let format = self.format;
        let shown = shown.unwrap_or_else(|gave_up| Some(Err(ImageError::damaged(format, gave_up))));
        self.is_at_end = !matches!(shown, Some(Ok(_)));
        shown
    }
}

impl Iterator for Animation {
    type Item = Result<AnimationFrame, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let shown = self.show(Canvas::picture)?;
        Some(shown.map(|(picture, delay)| AnimationFrame { picture, delay }))
    }
}
