//! Progress on stderr, where a person sees it.

use indicatif::{ProgressBar, ProgressStyle};

/// Bars are for jobs of more steps than this.
const SHORT: usize = 64;

/// A bar over `n` inputs; none if they are few or stderr is no terminal.
pub(crate) fn inputs(n: usize) -> ProgressBar {
    match n > SHORT {
        true => bar(n, "{bar:30} {pos}/{len} · {eta} left"),
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
