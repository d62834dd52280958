//! Frames → spans of time that look the same, each with its first frame.
//!
//! A still scene, a title, a slide: neighbours that show the same need one vector, not one a
//! second. A frame belongs to the span before it if it looks as that span's first one does, so a
//! slow pan does not become one span.

use diptych::image::{Interpolation, Picture};
use diptych_index::Span;

use crate::Result;
use crate::frames::Frames;

/// A part of a film that looks the same all the time.
#[derive(Clone, Debug)]
pub struct Still {
    /// From its first frame to the first of the next.
    pub span: Span,
    /// Its first frame.
    pub picture: Picture,
}

/// Side of the small copies that are compared.
const SIDE: usize = 16;

/// Mean difference of their values, of 255, up to which two frames look the same; noise of a
/// coding stays below it.
const MEAN: u32 = 2;

/// Largest difference of one of their values: a small thing that moves is above it.
const MOST: u8 = 24;

/// Seconds after which a span ends whatever is shown: it is stored only then.
const LONGEST: f64 = 45.0;

/// A small copy of a frame.
struct Look(Vec<u8>);

impl Look {
    fn of(picture: &Picture) -> Self {
        let small = picture.to_rgb().resize(SIDE, SIDE, Interpolation::Bilinear);
        Self(small.into_bytes())
    }

    fn is_like(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let (mut sum, mut most) = (0, 0);
        for (a, b) in pairs {
            let difference = a.abs_diff(*b);
            sum += u32::from(difference);
            most = difference.max(most);
        }
        sum <= MEAN * self.0.len() as u32 && most <= MOST
    }
}

/// The spans of a film's frames.
pub struct Stills<I> {
    frames: I,
    /// Seconds for which a frame is shown where nothing else tells.
    step: f64,
    /// The span that is not at its end, and how it looks.
    open: Option<(Still, Look)>,
    /// When the last frame was shown.
    last: f64,
}

impl<I: Frames> Stills<I> {
    /// The spans of frames. Where nobody says when the last one ends, it is shown for `step`
    /// seconds.
    pub fn new(frames: I, step: f64) -> Self {
        Self {
            frames,
            step,
            open: None,
            last: 0.0,
        }
    }

    /// The last span once all frames have come, or if `is_cut` the last before the damage.
    pub fn finish(&mut self, is_cut: bool) -> Option<Still> {
        let (mut still, _) = self.open.take()?;
        let end = self.frames.end().filter(|_| !is_cut);
        // A header may lie.
        let end = end.filter(|end| *end > self.last);
        still.span.end = end.unwrap_or(self.last + self.step);
        Some(still)
    }
}

impl<I: Frames> Iterator for Stills<I> {
    type Item = Result<Still>;

    /// The next span that has an end; the last has none, and is [`Stills::finish`]'s.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let frame = match self.frames.next()? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            // No film goes backwards, whatever its times say.
            let time = match self.open {
                Some(_) => frame.time.max(self.last),
                None => frame.time,
            };
            self.last = time;
            let look = Look::of(&frame.picture);
            let is_same = self.open.as_ref().is_some_and(|(still, first)| {
                time - still.span.start < LONGEST && first.is_like(&look)
            });
            if is_same {
                continue;
            }
            let span = Span {
                start: time,
                end: time,
            };
            let picture = frame.picture;
            let begun = self.open.replace((Still { span, picture }, look));
            if let Some((mut still, _)) = begun {
                still.span.end = time;
                return Some(Ok(still));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Frame;

    /// Frames of a film with an end.
    struct Shown<I>(I, f64);

    impl<I: Iterator<Item = Result<Frame>>> Iterator for Shown<I> {
        type Item = Result<Frame>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.next()
        }
    }

    impl<I: Iterator<Item = Result<Frame>>> Frames for Shown<I> {
        fn end(&self) -> Option<f64> {
            Some(self.1)
        }
    }

    fn frame(time: f64, shade: u8) -> Result<Frame> {
        let picture = Picture::from_rgb(32, 32, vec![shade; 32 * 32 * 3]).unwrap();
        Ok(Frame { time, picture })
    }

    fn spans(shades: &[u8], end: f64) -> Vec<(f64, f64)> {
        let frames = shades
            .iter()
            .enumerate()
            .map(|(at, shade)| frame(at as f64, *shade));
        let mut stills = Stills::new(Shown(frames, end), 1.0);
        let mut all: Vec<Still> = stills.by_ref().map(|still| still.unwrap()).collect();
        all.extend(stills.finish(false));
        all.iter()
            .map(|still| (still.span.start, still.span.end))
            .collect()
    }

    #[test]
    fn neighbours_that_look_the_same_are_one_span() {
        assert_eq!(
            spans(&[10, 11, 10, 200, 200], 5.5),
            [(0.0, 3.0), (3.0, 5.5)]
        );
        assert_eq!(spans(&[10], 0.0), [(0.0, 1.0)]);
        assert_eq!(spans(&[], 1.0), []);
        // An end that the header has too early.
        assert_eq!(spans(&[10, 90], 0.5), [(0.0, 1.0), (1.0, 2.0)]);
    }

    #[test]
    fn a_slow_change_is_not_one_span() {
        let shades: Vec<u8> = (0..12).collect();
        assert_eq!(spans(&shades, 12.0).len(), 4);
    }

    #[test]
    fn a_small_thing_that_comes_makes_a_new_span() {
        let still = frame(0.0, 50).unwrap();
        let mut data = still.picture.as_bytes().to_vec();
        for row in 0..4 {
            data[row * 96..][..12].fill(255);
        }
        let moved = Picture::from_rgb(32, 32, data).unwrap();
        assert!(!Look::of(&still.picture).is_like(&Look::of(&moved)));
    }
}
