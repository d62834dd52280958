//! Films and animated pictures as sources of an index: a moment for each part that looks the same.

use std::path::Path;

use diptych::image::{Format, Preprocess};
use diptych_index::{Begun, Part, Value};
use diptych_search::source::{
    About, Content, Input, Pictures, Reading, Source, SourceError, View, is_film_name,
};

use crate::frames::{Facts, Film, Frames, Sampling, of_animation};
use crate::spans::{Still, Stills};
use crate::{Error, Result};

/// Films, decoded by ffmpeg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Films {
    /// Which frames are looked at.
    pub sampling: Sampling,
}

/// Animated pictures: GIF, APNG, WebP. Those of one frame are pictures as all others.
#[derive(Clone, Debug, Default)]
pub struct Animations {
    /// Which frames are looked at.
    pub sampling: Sampling,
    /// What reads those of one frame.
    pub pictures: Pictures,
}

/// Frames come this many times as large as the model wants them; the last step is our own, as with
/// pictures.
const OVERSIZE: usize = 2;

impl Source for Films {
    fn has_name(&self, path: &Path) -> bool {
        is_film_name(path)
    }

    fn has_start(&self, start: &[u8]) -> bool {
        is_film(start)
    }

    fn reading(&self) -> Reading {
        Reading::Streamed
    }

    fn open<'a>(
        &'a self,
        input: Input<'a>,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError> {
        self.views_from(&input.path, 0.0, preprocess)
    }

    /// Goes on where the last span ended, if its frames were chosen in the same way.
    fn resume<'a>(
        &'a self,
        input: &Input<'a>,
        begun: &Begun,
        preprocess: &'a Preprocess,
    ) -> Result<Option<Content<'a>>, SourceError> {
        let is_alike = begun.item.payload.get(SAMPLING) == Some(&self.sampling.to_string().into());
        let span = begun.last.and_then(|part| part.span);
        let Some(span) = span.filter(|_| is_alike) else {
            return Ok(None);
        };
        self.views_from(&input.path, span.end, preprocess).map(Some)
    }
}

/// Key of how a film's frames were chosen, among what is told of it.
const SAMPLING: &str = "sampling";

impl Films {
    /// A film's views from so many seconds on.
    fn views_from<'a>(
        &'a self,
        path: &Path,
        begin: f64,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError> {
        let facts = Facts::of(path)?;
        let side = OVERSIZE * preprocess.size;
        let film = Film::open(path, &facts, self.sampling, begin, side)?;
        let mut about = About::default();
        let mut tell = |key: &str, value: Value| about.payload.insert(key.into(), value);
        tell(SAMPLING, self.sampling.to_string().into());
        tell("width", facts.width.into());
        tell("height", facts.height.into());
        tell("codec", facts.codec.into());
        if let Some(duration) = facts.duration {
            tell("duration", duration.into());
        }
        let views = Views {
            stills: Stills::new(film, self.sampling.step()),
            preprocess,
            is_resumed: begin > 0.0,
            is_at_end: false,
        };
        Ok(Content {
            about,
            views: Box::new(views),
        })
    }
}

impl Source for Animations {
    /// They are called as pictures are.
    fn has_name(&self, _: &Path) -> bool {
        false
    }

    fn has_start(&self, start: &[u8]) -> bool {
        is_animation(start)
    }

    fn reading(&self) -> Reading {
        Reading::Whole
    }

    fn may_take(&self, reason: &str) -> bool {
        self.pictures.may_take(reason)
    }

    fn open<'a>(
        &'a self,
        input: Input<'a>,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError> {
        let Input { path, bytes } = input;
        let still = Input {
            path,
            bytes: bytes.clone(),
        };
        let still = self.pictures.open(still, preprocess)?;
        // One whose second frame is damaged is what its first shows.
        let Ok(Some(frames)) = of_animation(bytes, &self.pictures.decode, self.sampling) else {
            return Ok(still);
        };
        let views = Views {
            stills: Stills::new(frames, self.sampling.step()),
            preprocess,
            is_resumed: false,
            is_at_end: false,
        };
        Ok(Content {
            about: still.about,
            views: Box::new(views),
        })
    }
}

/// A view of each part that looks the same.
struct Views<'a, I> {
    stills: Stills<I>,
    preprocess: &'a Preprocess,
    /// Whether there were views before these.
    is_resumed: bool,
    is_at_end: bool,
}

impl<I: Frames> Views<'_, I> {
    fn view(&self, still: &Still) -> View {
        View {
            part: Part {
                span: Some(still.span),
                region: None,
            },
            pixels: self.preprocess.apply(&still.picture),
        }
    }

    /// The last view, before the damage if there is some; none, if there was no frame.
    fn finish(&mut self, is_cut: bool) -> Option<View> {
        self.is_at_end = true;
        let still = self.stills.finish(is_cut)?;
        Some(self.view(&still))
    }
}

impl<I: Frames> Iterator for Views<'_, I> {
    type Item = Result<View, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end {
            return None;
        }
        match self.stills.next() {
            Some(Ok(still)) => Some(Ok(self.view(&still))),
            None => self.finish(false).map(Ok),
            // What is damaged at its end still has what was before.
            Some(Err(error @ (Error::Picture(_) | Error::Refused { .. }))) => {
                match self.finish(true) {
                    Some(view) => Some(Ok(view)),
                    // What was stored before is all that there is of it.
                    None if self.is_resumed => None,
                    None => Some(Err(error.into())),
                }
            }
            Some(Err(error)) => {
                self.is_at_end = true;
                Some(Err(error.into()))
            }
        }
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        match error {
            Error::Picture(error) => error.into(),
            // No film's fault, so it is tried again.
            error @ (Error::NotInstalled { .. }
            | Error::Program { .. }
            | Error::Stalled(_)
            | Error::Unclear { .. }) => Self::Unreadable(std::io::Error::other(error)),
            Error::Refused { reason } => Self::Content { reason },
        }
    }
}

/// Whether a file begins as films do. Source: libavformat's probes of ffmpeg 5.1.
fn is_film(start: &[u8]) -> bool {
    let at = |place: usize, bytes: &[u8]| {
        start
            .get(place..)
            .is_some_and(|rest| rest.starts_with(bytes))
    };
    // MP4 and MOV, but for still pictures in the same boxes.
    let is_picture = || diptych::guarded(|| Format::of(start).is_some()).unwrap_or(false);
    let is_mp4 =
        (at(4, b"ftyp") && !is_picture()) || at(4, b"moov") || at(4, b"mdat") || at(4, b"wide");
    let is_transport = [188, 192].iter().any(|&packet| {
        let first = packet - 188;
        (0..5).all(|n| at(first + n * packet, b"G"))
    });
    is_mp4
        || is_transport
        || at(0, b"\x1a\x45\xdf\xa3") // Matroska and WebM
        || (at(0, b"RIFF") && at(8, b"AVI "))
        || at(0, b"FLV\x01")
        || at(0, b"OggS")
        || at(0, b"\x00\x00\x01\xba") // MPEG's program stream
        || at(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") // ASF
}

/// Whether a file begins as animated pictures do; a GIF may have one frame nevertheless.
fn is_animation(start: &[u8]) -> bool {
    let has = |bytes: &[u8]| start.windows(bytes.len()).any(|window| window == bytes);
    let is_webp = start.starts_with(b"RIFF") && start.get(8..16) == Some(b"WEBPVP8X");
    start.starts_with(b"GIF8")
        || (start.starts_with(b"\x89PNG\r\n\x1a\n") && has(b"acTL"))
        // The second flag of `VP8X`.
        || (is_webp && start.get(20).is_some_and(|flags| flags & 0x02 != 0))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    /// A GIF of frames of these shades, each shown for so many hundredths of a second.
    fn gif(shades: &[u8], delay: u16) -> Vec<u8> {
        let palette: Vec<u8> = (0..=255).flat_map(|shade| [shade; 3]).collect();
        let mut bytes = Vec::new();
        let mut encoder = gif::Encoder::new(&mut bytes, 8, 8, &palette).unwrap();
        for shade in shades {
            let frame = gif::Frame {
                width: 8,
                height: 8,
                delay,
                buffer: Cow::Owned(vec![*shade; 64]),
                ..gif::Frame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
        drop(encoder);
        bytes
    }

    /// Parts of a picture's views, as starts and ends.
    fn parts(bytes: Vec<u8>, sampling: Sampling) -> Vec<Option<(f64, f64)>> {
        let animations = Animations {
            sampling,
            pictures: Pictures::default(),
        };
        assert!(animations.has_start(&bytes));
        let path = Cow::Borrowed(Path::new("a.gif"));
        let preprocess = Preprocess::openai(16);
        let content = animations.open(Input { path, bytes }, &preprocess).unwrap();
        assert_eq!(content.about.payload["width"], 8);
        assert!(content.about.phash.is_some());
        let part = |view: Result<View, SourceError>| view.unwrap().part.span;
        let parts = content.views.map(part);
        parts
            .map(|span| span.map(|span| (span.start, span.end)))
            .collect()
    }

    #[test]
    fn an_animated_picture_is_moments_and_a_still_one_a_picture() {
        let one_a_second = Sampling::default();
        let shades = [10, 10, 10, 10, 200, 200, 90, 90];
        // Half a second each.
        assert_eq!(
            parts(gif(&shades, 50), one_a_second),
            [Some((0.0, 2.0)), Some((2.0, 3.0)), Some((3.0, 4.0))]
        );
        assert_eq!(parts(gif(&[10, 200], 100), one_a_second).len(), 2);
        assert_eq!(parts(gif(&[10], 50), one_a_second), [None]);
    }

    #[test]
    fn what_is_damaged_at_its_end_has_what_was_before() {
        let whole = gif(&[10, 200, 90], 100);
        let cut = whole[..whole.len() - 4].to_vec();
        assert!(parts(cut, Sampling::default()).len() >= 2);
    }

    #[test]
    fn films_are_told_by_their_first_bytes() {
        let films = Films::default();
        let boxed = |brand: &[u8]| [&[0, 0, 0, 24][..], b"ftyp", brand].concat();
        let transport: Vec<u8> = (0..5 * 188)
            .map(|at| if at % 188 == 0 { b'G' } else { 0 })
            .collect();
        for start in [
            boxed(b"isom"),
            boxed(b"qt  "),
            b"\x1a\x45\xdf\xa3 matroska".to_vec(),
            b"RIFF1234AVI LIST".to_vec(),
            transport,
        ] {
            assert!(
                films.has_start(&start),
                "{:?}",
                start.escape_ascii().to_string()
            );
        }
        let still: [&[u8]; 5] = [
            &boxed(b"heic"),
            &boxed(b"avif"),
            b"RIFF1234WEBPVP8 ",
            b"GGGG",
            b"",
        ];
        for start in still {
            assert!(
                !films.has_start(start),
                "{:?}",
                start.escape_ascii().to_string()
            );
        }
        assert!(films.has_name(Path::new("a/B.MP4")) && !films.has_name(Path::new("a.gif")));
    }
}
