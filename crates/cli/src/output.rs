//! What the program says: data on stdout, messages on stderr. Nothing else writes to either, but
//! `clap` (help, usage) and `progress` (bars).
//!
//! Invariant: plain text without colours; a reader that has gone is an error to pass on for data, and
//! nothing for messages.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use serde::Serialize;

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on nothing is said but errors.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether nothing is to be said but errors.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

const CANNOT_WRITE: &str = "cannot write to stdout";

/// Data on its way to stdout, in blocks.
pub(crate) struct Data(BufWriter<StdoutLock<'static>>);

impl Data {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        writeln!(self.0, "{line}").context(CANNOT_WRITE)
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).context(CANNOT_WRITE)
    }

    /// Writes all that `from` has.
    pub(crate) fn copy(&mut self, from: &mut impl io::Read) -> Result<()> {
        io::copy(from, &mut self.0).map(drop).context(CANNOT_WRITE)
    }

    /// Hands everything on, so that a reader sees it now and a full disk is noticed.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.0.flush().context(CANNOT_WRITE)
    }
}

/// Tells the user something. Characters that a terminal would obey are escaped: names of files and what damaged files
/// hold are quoted in messages.
pub(crate) fn message(text: impl Display) {
    if !is_quiet() {
        say(text);
    }
}

fn say(text: impl Display) {
    let text = visible(&text.to_string());
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            visible.extend(c.escape_default());
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Reports an error: its causes in one sentence, then its hint if it has one.
pub(crate) fn error(error: &anyhow::Error) {
    say(format_args!("error: {}", sentence(error)));
    if let Some(hint) = hint(error) {
        say(format_args!("\nhint: {hint}"));
    }
}

/// What to do about an error of the library, in terms of this program's options.
fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(diptych::Error::Device { device }) = error.downcast_ref() {
        return Some(format!("build with `--features {device}`"));
    }
    let hint = match error.downcast_ref::<diptych_train::Error>()? {
        diptych_train::Error::PassedOver { .. } => {
            "without `--strict` it is passed over, counted and told"
        }
        diptych_train::Error::UnfinishedRun { .. } => {
            "`--resume` continues it; another `out` begins anew"
        }
        diptych_train::Error::Diverged { .. } => {
            "try a smaller `learning_rate` or more `warmup_steps`"
        }
        _ => return None,
    };
    Some(hint.into())
}

/// An error that carries advice.
pub(crate) fn hinted(error: impl Into<anyhow::Error>, hint: impl Display) -> anyhow::Error {
    anyhow!("{}\n\nhint: {hint}", sentence(&error.into()))
}

/// Whether the error is only that nobody reads stdout any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes. Some libraries tell the cause in their own text, and it is not told twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_all_else_is_as_it_was() {
        assert_eq!(
            visible("\u{1b}[2J\r\u{9b}\0 naïve\n\t\"猫\""),
            "\\u{1b}[2J\\r\\u{9b}\\u{0} naïve\n\t\"猫\""
        );
    }
}
