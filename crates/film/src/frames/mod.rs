//! A film's file → some of its pictures, each with the time at which it is shown.
//!
//! Flow: `probe` tells what the film is → [`Sampling`] says which frames → `graph` makes the chain
//! of filters → `film` runs ffmpeg and hands over what comes. Animated pictures go through our own
//! decoders. Invariant: a frame's time is its presentation time, from the film's beginning; nothing
//! but the file is opened; memory is that of a few frames.

mod film;
mod graph;
mod probe;
mod program;
mod sampling;
mod showinfo;

pub use film::{Film, Frame};
pub use probe::Facts;
pub use sampling::Sampling;

use std::time::Duration;

use diptych::image::{Animation, AnimationFrame, DecodeOptions};

use crate::Result;

/// Some frames of a film, in the order of their times.
pub trait Frames: Iterator<Item = Result<Frame>> {
    /// Seconds from the film's beginning to its end, if that is known when all frames have come.
    fn end(&self) -> Option<f64>;
}

/// The frames of an animated picture (GIF, APNG, WebP) that a sampling takes, and at what time the
/// last of all ends. None, if the bytes are no such picture.
///
/// # Errors
/// As [`Animation::open`].
pub fn of_animation(
    bytes: Vec<u8>,
    options: &DecodeOptions,
    sampling: Sampling,
) -> Result<Option<Animated>> {
    let animation = Animation::open(bytes, options)?;
    Ok(animation.map(|animation| Animated {
        animation,
        sampling,
        time: Duration::ZERO,
        last: None,
    }))
}

/// Frames of an animated picture.
pub struct Animated {
    animation: Animation,
    sampling: Sampling,
    /// When the next frame is shown.
    time: Duration,
    /// When the last one that was taken is.
    last: Option<f64>,
}

impl Frames for Animated {
    fn end(&self) -> Option<f64> {
        Some(self.time.as_secs_f64())
    }
}

impl Iterator for Animated {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let time = self.time.as_secs_f64();
            if self.sampling.takes(self.last, time) {
                self.last = Some(time);
                let frame = self.animation.next()?;
                let taken = frame.map(|AnimationFrame { picture, delay }| {
                    self.time += delay;
                    Frame { time, picture }
                });
                return Some(taken.map_err(Into::into));
            }
            match self.animation.pass()? {
                Ok(delay) => self.time += delay,
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}
