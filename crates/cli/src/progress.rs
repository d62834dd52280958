//! Progress on stderr, where a person sees it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use diptych::weights::Download;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::output::message;

/// Bars are for jobs of more steps than this.
const SHORT: usize = 64;

/// A bar over `n` inputs; none if they are few or stderr is no terminal.
pub(crate) fn inputs(n: usize) -> ProgressBar {
    match n > SHORT {
        true => bar(n, "{bar:30} {pos}/{len} · {eta} left"),
        false => ProgressBar::hidden(),
    }
}

/// A bar over `n` files that take long, with their rate.
pub(crate) fn files(n: usize) -> ProgressBar {
    match n > SHORT {
        true => bar(n, "{bar:30} {pos}/{len} · {per_sec} · {eta} left"),
        false => ProgressBar::hidden(),
    }
}

/// A bar over `n` steps that says what it is told.
pub(crate) fn steps(n: usize) -> ProgressBar {
    bar(n, "{bar:30} {pos}/{len} · {msg}")
}

fn bar(n: usize, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    // A template that can't be read leaves indicatif's own style.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(n as u64).with_style(style)
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
            let bar = self.bar.get_or_insert_with(|| {
                let bar = bar(0, "{bar:30} {bytes}/{total_bytes} · {eta} left · {msg}");
                bar.set_message(self.file.clone());
                bar
            });
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
