//! Progress on stderr, where a person sees it. No line is wider than the terminal, from 40 columns
//! on: a bar takes the room that is left, a message is cut.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diptych::weights::Download;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output::{is_quiet, message};

/// Bars are for jobs of more steps than this.
const SHORT: usize = 64;

/// A bar over `n` inputs, with their rate; none if they are few or stderr is no terminal.
pub(crate) fn inputs(n: usize) -> ProgressBar {
    if n > SHORT {
        bar(n, INPUTS)
    } else {
        ProgressBar::hidden()
    }
}

/// A bar over `n` steps that says what it is told.
pub(crate) fn steps(n: usize) -> ProgressBar {
    bar(n, STEPS)
}

const INPUTS: &str = "{wide_bar} {pos}/{len} · {rate} · {eta} left";
const STEPS: &str = "{bar:16} {pos}/{len} · {wide_msg}";
const BYTES: &str = "{wide_bar} {bytes}/{total_bytes} · {eta} left";

fn bar(n: usize, template: &str) -> ProgressBar {
    let target = if is_quiet() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let style = ProgressStyle::with_template(template);
    // A template that can't be read leaves indicatif's own style.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
        let _ = out.write_str(&rate(state.per_sec())); // it is a string
    });
    ProgressBar::with_draw_target(Some(n as u64), target).with_style(style)
}

/// Steps a second in four digits at most, or a minute where that is less than one.
fn rate(per_s: f64) -> String {
    match per_s {
        _ if per_s < 1.0 => format!("{:.0}/min", 60.0 * per_s),
        _ if per_s < 9999.5 => format!("{per_s:.0}/s"),
        _ if per_s < 9_999_500.0 => format!("{:.0}k/s", per_s / 1e3),
        _ => format!("{:.0}M/s", (per_s / 1e6).min(9999.0)),
    }
}

/// Time between lines where there is no bar.
pub(crate) const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Bytes of a file that no line is spent on.
const SMALL: u64 = 1 << 20;

/// Tells how far downloads are: a bar on a terminal, else a line now and then.
#[derive(Default)]
pub(crate) struct Downloads {
    file: String,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Downloads {
    pub(crate) fn tell(&mut self, download: &Download) {
        let is_new = self.file != download.file;
        if is_new {
            self.finish();
            self.file = download.file.to_owned();
        }
        if std::io::stderr().is_terminal() {
            if is_new && download.total >= SMALL {
                message(format_args!("downloading {}", self.file));
            }
            let bar = self.bar.get_or_insert_with(|| bar(0, BYTES));
            bar.set_length(download.total);
            bar.set_position(download.done);
        } else if download.total < SMALL {
            // It is here before it could be told.
        } else if is_new
            || self
                .last_line
                .is_none_or(|at| at.elapsed() >= BETWEEN_LINES)
        {
            self.last_line = Some(Instant::now());
            let (done, total) = (HumanBytes(download.done), HumanBytes(download.total));
            message(format_args!("downloading {}: {done} of {total}", self.file));
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Result;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal of 40 columns that remembers its lines.
    #[derive(Clone, Debug, Default)]
    struct Narrow(Arc<Mutex<String>>);

    impl TermLike for Narrow {
        fn width(&self) -> u16 {
            40
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> Result<()> {
            self.write_str("\n")
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_wider_than_forty_columns() {
        for (template, end) in [(INPUTS, "left"), (STEPS, ""), (BYTES, "left")] {
            let terminal = Narrow::default();
            let bar = bar(2_000_000, template);
            bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            bar.set_position(1_234_567);
            bar.set_message("loss 2.345 · right 17 % · scale 14.3 · rate 1.00e-3 · 300 pairs/s");
            bar.abandon();
            let drawn = terminal.0.lock().unwrap().clone();
            let widths = drawn.lines().map(|line| line.chars().count());
            assert!(widths.clone().all(|width| width <= 40), "{drawn}");
            assert!(widths.max() > Some(20) && drawn.contains(end), "{drawn}");
        }
    }

    #[test]
    fn rates_have_no_decimals() {
        let rates = [1234.56, 1.2, 0.51, 0.0, 12_345.6, 7e7, 1e300].map(rate);
        let want = [
            "1235/s", "1/s", "31/min", "0/min", "12k/s", "70M/s", "9999M/s",
        ];
        assert_eq!(rates, want);
    }
}
