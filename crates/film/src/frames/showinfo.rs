//! Lines that ffmpeg writes on its standard error, with `-v level+info` and the filter `showinfo`.
//!
//! ```text
//! [Parsed_showinfo_2 @ 0x55d0] [info] config in time_base: 1/90000, frame_rate: 30/1
//! [Parsed_showinfo_2 @ 0x55d0] [info] n:   0 pts:  91056 pts_time:1.01173 … s:192x108 i:P …
//! [h264 @ 0x55d0] [error] error while decoding MB 12 4
//! ```
//!
//! Source: `libavfilter/vf_showinfo.c` of ffmpeg 5.1. Its `pts_time` has six digits, `pts` all.

use super::program::MAX_PIXELS;

/// A line, by what it says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    TimeBase(TimeBase),
    Shown(Shown),
    /// A frame of more than [`MAX_PIXELS`].
    TooLarge,
    Complaint(String),
    Other,
}

/// Seconds of a unit of time, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimeBase(f64, f64);

impl TimeBase {
    pub(super) fn seconds(self, pts: i64) -> f64 {
        pts as f64 * self.0 / self.1
    }
}

/// A frame that comes on the standard output.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// Its number, from 0.
    pub(super) number: u64,
    /// When it is shown, in units of time; nothing, if nobody says.
    pub(super) pts: Option<i64>,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Line {
    pub(super) fn of(line: &str) -> Self {
        // A title may say so, too, but stands further in.
        let of_ffmpeg = line.starts_with('[');
        if let Some((_, complaint)) = ["[error] ", "[fatal] ", "[panic] "]
            .iter()
            .find_map(|level| line.split_once(*level))
            .filter(|_| of_ffmpeg)
        {
            return Self::Complaint(complaint.trim().to_owned());
        }
        if !line.starts_with("[Parsed_showinfo") {
            return Self::Other;
        }
        let time_base = || {
            let (numerator, rest) = value(line, "config in time_base:")?.split_once('/')?;
            let base = TimeBase(number(numerator)?, number(rest.trim_end_matches(','))?);
            (base.0 > 0.0 && base.1 > 0.0).then_some(base)
        };
        let shown = || {
            let number = value(line, "[info] n:")?.parse().ok()?;
            let pts = value(line, " pts:")?.parse().ok();
            let (width, height) = value(line, " s:")?.split_once('x')?;
            let (width, height): (usize, usize) = (width.parse().ok()?, height.parse().ok()?);
            let pixels = width.checked_mul(height).filter(|pixels| *pixels > 0);
            if pixels.is_none_or(|pixels| pixels as u64 > MAX_PIXELS) {
                return Some(Self::TooLarge);
            }
            Some(Self::Shown(Shown {
                number,
                pts,
                width,
                height,
            }))
        };
        time_base()
            .map(Self::TimeBase)
            .or_else(shown)
            .unwrap_or(Self::Other)
    }
}

/// The word after a name.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(name)?;
    rest.split_whitespace().next()
}

fn number(word: &str) -> Option<f64> {
    word.parse::<u64>().ok().map(|number| number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ffmpeg_are_understood() {
        let told = |line| Line::of(line);
        let base = told(
            "[Parsed_showinfo_2 @ 0x55d0] [info] config in time_base: 1/90000, frame_rate: 30/1",
        );
        assert_eq!(base, Line::TimeBase(TimeBase(1.0, 90_000.0)));
        assert_eq!(TimeBase(1001.0, 30_000.0).seconds(30), 1.001);
        let shown = "[Parsed_showinfo_2 @ 0x55d0] [info] n:   3 pts:  91056 pts_time:1.01173 duration: 3003 \
                     fmt:rgb24 sar:1/1 s:192x108 i:P iskey:0 type:P ";
        let wanted = Shown {
            number: 3,
            pts: Some(91_056),
            width: 192,
            height: 108,
        };
        assert_eq!(told(shown), Line::Shown(wanted));
        assert_eq!(
            told("[h264 @ 0x55d0] [error] error while decoding MB 12 4\n"),
            Line::Complaint("error while decoding MB 12 4".into())
        );
        assert_eq!(told("Stream mapping:"), Line::Other);
        // A title that says so is no frame.
        assert_eq!(told("    title : n: 0 pts: 0 s:1x1"), Line::Other);
    }

    #[test]
    fn frames_without_a_time_or_of_impossible_sizes_are_told_apart() {
        let of = |rest: &str| Line::of(&format!("[Parsed_showinfo_0 @ 0x1] [info] n:   0 {rest}"));
        let Line::Shown(shown) = of("pts:NOPTS pts_time:NOPTS s:2x2 i:P") else {
            panic!("a frame");
        };
        assert_eq!(shown.pts, None);
        assert_eq!(of("pts: 1 s:99999999x99999999 i:P"), Line::TooLarge);
        assert_eq!(of("pts: 1 s:0x5 i:P"), Line::TooLarge);
        assert_eq!(of("pts: 1 s:5 i:P"), Line::Other);
    }
}
