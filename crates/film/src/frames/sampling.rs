//! Which frames of a film are looked at, by the time at which they are shown.

use std::fmt;

/// Which frames are looked at.
///
/// A frame's time is when it is shown, in seconds from the film's beginning, not its number: the
/// number tells nothing in a film of variable rate, and by a rate of 29.97 the wrong second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// So many a second: of each part of a second of this length the first that is shown.
    Rate(f64),
    /// Key frames alone, which are decoded without all others.
    Key,
    /// The first frame after each change of picture, and one after so many seconds without.
    Scene {
        /// Change from one frame to the next that counts, from 0 to 1: ffmpeg's `scene`.
        change: f64,
        /// Seconds.
        gap: f64,
    },
}

/// A frame at 2.9999999 is one of the third second, whose time was rounded.
const ROUNDING: f64 = 1e-6;

/// The number of the part of a second that a time lies in.
fn part(time: f64, rate: f64) -> f64 {
    (time * rate + ROUNDING).floor()
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate} a second"),
            Self::Key => f.write_str("key frames"),
            Self::Scene { change, gap } => write!(f, "changes of {change}, gaps of {gap} s"),
        }
    }
}

impl Default for Sampling {
    /// One a second.
    fn default() -> Self {
        Self::Rate(1.0)
    }
}

impl Sampling {
    /// Change of picture that is a cut, for most films: ffmpeg's own example.
    pub const CHANGE: f64 = 0.3;

    /// What ffmpeg's filter `select` is told; nothing for those that the decoder chooses.
    ///
    /// Its times count from `begin`. The filter `fps` would give frames other times, and make up
    /// some.
    pub(super) fn expression(self, begin: f64) -> Option<String> {
        Some(match self {
            // As `part`, of the whole film, wherever reading begins.
            Self::Rate(rate) => format!(
                "isnan(prev_selected_t)+gt(floor((t+{begin})*{rate}+0.000001),floor((prev_selected_t+{begin})*{rate}+0.000001))"
            ),
            Self::Key => return None,
            Self::Scene { change, gap } => format!(
                "isnan(prev_selected_t)+gt(scene,{change})+gte(t-prev_selected_t+0.000001,{gap})"
            ),
        })
    }

    /// Whether a frame at this time is looked at after one at `last`, of those that are decoded one
    /// by one. Of animated pictures all frames are key frames, and changes are not measured.
    pub(crate) fn takes(self, last: Option<f64>, time: f64) -> bool {
        match (self, last) {
            (_, None) | (Self::Key, _) => true,
            (Self::Rate(rate), Some(last)) => part(time, rate) > part(last, rate),
            (Self::Scene { gap, .. }, Some(last)) => time - last + ROUNDING >= gap,
        }
    }

    /// Where reading begins so that the first frame that is looked at is the one shown at `time`,
    /// which was looked at before.
    pub(crate) fn begin_before(self, time: f64) -> f64 {
        match self {
            // The first of its part of a second.
            Self::Rate(rate) => (part(time, rate) / rate).min(time),
            // Times are rounded to a millionth on the way.
            Self::Key | Self::Scene { .. } => (time - 0.001).max(0.0),
        }
    }

    /// Seconds to the next frame that is looked at, where nothing else tells.
    pub(crate) fn step(self) -> f64 {
        match self {
            Self::Rate(rate) => 1.0 / rate,
            // Some films have hardly any.
            Self::Key => 600.0,
            Self::Scene { gap, .. } => gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that are taken of frames at a rate.
    fn taken(sampling: Sampling, frames_a_second: f64, n: u32) -> Vec<f64> {
        let mut taken: Vec<f64> = Vec::new();
        for i in 0..n {
            let time = f64::from(i) / frames_a_second;
            if sampling.takes(taken.last().copied(), time) {
                taken.push(time);
            }
        }
        taken
    }

    #[test]
    fn of_each_second_the_first_frame_is_taken_whatever_the_rate() {
        for rate in [23.976, 24.0, 25.0, 30_000.0 / 1001.0, 30.0, 59.94] {
            let times = taken(Sampling::Rate(1.0), rate, (rate * 20.0) as u32);
            let seconds: Vec<usize> = times.iter().map(|time| *time as usize).collect();
            assert_eq!(seconds, (0..20).collect::<Vec<_>>(), "{rate}");
            assert!(times.iter().all(|time| time.fract() < 1.0 / rate + 1e-9));
        }
    }

    #[test]
    fn a_gap_is_kept_without_changes() {
        let scene = Sampling::Scene {
            change: Sampling::CHANGE,
            gap: 2.0,
        };
        assert_eq!(taken(scene, 1.0, 6), [0.0, 2.0, 4.0]);
        assert_eq!(taken(Sampling::Rate(2.0), 4.0, 8), [0.0, 0.5, 1.0, 1.5]);
    }
}
