//! An axis: a range of numbers → round ones that enclose it, 1, 2 or 5 times a power of ten apart.

use std::fmt;

/// Most steps that a range of numbers has; the round ends around it may add one.
const MOST: f64 = 5.0;

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// The first and the last number, in steps.
    first: i64,
    last: i64,
    /// A step is `digit` times ten to the `exponent`.
    digit: i64,
    exponent: i32,
}

/// A number on an axis, `n` times ten to the `exponent`: a decimal, so that it is written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    n: i64,
    exponent: i32,
}

impl Scale {
    /// The axis of numbers from `low` to `high`; of a single one, with room on both sides.
    pub(super) fn around((low, high): (f64, f64)) -> Self {
        // Less than this is a rounding, not a range.
        let is_range = high - low > low.abs().max(1e-280) * 1e-9;
        let room = match (is_range, low == 0.0) {
            (true, _) => 0.0,
            (false, true) => 1.0,
            (false, false) => low.abs() / 2.0,
        };
        Self::enclosing(low - room, high + room, i32::MIN)
    }

    /// The axis of whole numbers.
    pub(super) fn of_steps(from: f64, to: f64) -> Self {
        Self::enclosing(from, to, 0)
    }

    /// `least` is the smallest exponent of a step.
    fn enclosing(low: f64, high: f64, least: i32) -> Self {
        let size = (high - low) / MOST;
        let mut exponent = (size.log10().floor() as i32).max(least);
        let power = 10f64.powi(exponent);
        let digit = [1, 2, 5].into_iter().find(|&d| d as f64 * power >= size);
        let digit = digit.unwrap_or_else(|| {
            exponent += 1;
            1
        });
        let step = digit as f64 * 10f64.powi(exponent);
        // A number that is a multiple but for its last bit is one.
        let within = 1e-9;
        Self {
            first: (low / step + within).floor() as i64,
            last: (high / step - within).ceil() as i64,
            digit,
            exponent,
        }
    }

    /// The numbers on it, from the lowest.
    pub(super) fn ticks(self) -> impl Iterator<Item = Tick> {
        (self.first..=self.last).map(move |i| Tick {
            n: i.saturating_mul(self.digit),
            exponent: self.exponent,
        })
    }

    /// The lowest and the highest.
    pub(super) fn ends(self) -> (f64, f64) {
        let tick = |i: i64| Tick {
            n: i.saturating_mul(self.digit),
            exponent: self.exponent,
        };
        (tick(self.first).value(), tick(self.last).value())
    }
}

impl Tick {
    pub(super) fn value(self) -> f64 {
        self.n as f64 * 10f64.powi(self.exponent)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, exponent } = *self;
        match exponent {
            _ if n == 0 => f.write_str("0"),
            -3..0 => write!(f, "{:.*}", exponent.unsigned_abs() as usize, self.value()),
            _ if exponent >= 0 && self.value().abs() < 1e6 => write!(f, "{:.0}", self.value()),
            _ => {
                let digits = n.unsigned_abs().to_string();
                let (first, rest) = digits.split_at(1);
                let power = exponent + rest.len() as i32;
                let rest = rest.trim_end_matches('0');
                let point = if rest.is_empty() { "" } else { "." };
                let sign = if n < 0 { "-" } else { "" };
                write!(f, "{sign}{first}{point}{rest}e{power}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(scale: Scale) -> String {
        let ticks: Vec<String> = scale.ticks().map(|tick| tick.to_string()).collect();
        ticks.join(" ")
    }

    #[test]
    fn ticks_are_round_and_enclose_the_range() {
        for (low, high, want) in [
            (0.137, 4.62, "0 1 2 3 4 5"),
            (0.0, 0.001, "0 2e-4 4e-4 6e-4 8e-4 1e-3"),
            (0.31, 0.36, "0.31 0.32 0.33 0.34 0.35 0.36"),
            (-0.7, 0.4, "-1.0 -0.5 0 0.5"),
            (95.0, 1210.0, "0 500 1000 1500"),
            (1.2e6, 3.9e6, "1e6 2e6 3e6 4e6"),
            (
                2.5e-6,
                3.5e-6,
                "2.4e-6 2.6e-6 2.8e-6 3e-6 3.2e-6 3.4e-6 3.6e-6",
            ),
            (7.0, 7.0, "2 4 6 8 10 12"),
            (0.0, 1e-320, "-1.0 -0.5 0 0.5 1.0"),
            (0.0, 0.0, "-1.0 -0.5 0 0.5 1.0"),
        ] {
            let scale = Scale::around((low, high));
            assert_eq!(ticks(scale), want, "{low} to {high}");
            let (first, last) = scale.ends();
            assert!(first <= low && last >= high);
        }
    }

    #[test]
    fn steps_are_whole() {
        assert_eq!(ticks(Scale::of_steps(1.0, 3.0)), "1 2 3");
        assert_eq!(ticks(Scale::of_steps(1.0, 8000.0)), "0 2000 4000 6000 8000");
    }
}
