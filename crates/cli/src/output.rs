//! Output of the program: data on stdout, messages on stderr. Nothing else writes to either, but
//! `clap` (help, usage) and `progress` (bars).
//!
//! Invariant: plain text without colours; a reader that has gone is an error to pass on for data,
//! and nothing for messages. Names of files are handled as GNU `ls` does: byte for byte where a
//! program reads them, [`quoted`] where a person does, in messages and on a terminal.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use diptych::image::ImageError;
pub(crate) use diptych_files::quoted;
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

/// Advice for a picture that has more pixels than allowed.
pub(crate) const ALLOWS_MORE: &str = "`--max-megapixels N` allows more";

const CANNOT_WRITE: &str = "cannot write to stdout";

/// Data on its way to stdout, in blocks.
pub(crate) struct Data {
    out: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
}

impl Data {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout().lock();
        Self {
            is_terminal: stdout.is_terminal(),
            out: BufWriter::with_capacity(1 << 16, stdout),
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        writeln!(self.out, "{line}").context(CANNOT_WRITE)
    }

    /// Writes a line with a file's name between two texts.
    pub(crate) fn named(
        &mut self,
        before: impl Display,
        path: &Path,
        after: impl Display,
    ) -> Result<()> {
        write!(self.out, "{before}").context(CANNOT_WRITE)?;
        self.bytes(&name(path, self.is_terminal))?;
        self.line(after)
    }

    /// Writes a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes a file's name and a zero byte, for programs alone.
    pub(crate) fn path0(&mut self, path: &Path) -> Result<()> {
        self.bytes(&name(path, false))?;
        self.bytes(&[0])
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).context(CANNOT_WRITE)
    }

    /// Writes all that `from` has.
    pub(crate) fn copy(&mut self, from: &mut impl io::Read) -> Result<()> {
        io::copy(from, &mut self.out)
            .map(drop)
            .context(CANNOT_WRITE)
    }

    /// Hands everything on, so that a reader sees it now and a full disk is noticed.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.out.flush().context(CANNOT_WRITE)
    }
}

/// A file's name as a terminal or a program is to have it.
fn name(path: &Path, is_terminal: bool) -> Cow<'_, [u8]> {
    match is_terminal.then(|| quoted(path)) {
        Some(Cow::Owned(quoted)) => quoted.into_bytes().into(),
        _ => path.as_os_str().as_encoded_bytes().into(),
    }
}

/// Tells the user something. Characters that a terminal would obey are escaped: names of files and
/// what damaged files hold are quoted in messages.
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

/// Returns advice on an error of the library, in terms of this program's options.
fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(diptych::Error::Device { device }) = error.downcast_ref() {
        return Some(format!("build with `--features {device}`"));
    }
    if let Some(error) = error.downcast_ref()
        && is_too_large(error)
    {
        return Some(ALLOWS_MORE.into());
    }
    if let Some(error) = of_index(error) {
        return hint_of_index(error);
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

fn is_too_large(error: &ImageError) -> bool {
    match error {
        ImageError::File { error, .. } => is_too_large(error),
        error => matches!(error, ImageError::TooLarge { .. }),
    }
}

/// The index's error that an error is.
fn of_index(error: &anyhow::Error) -> Option<&diptych_index::Error> {
    match error.downcast_ref() {
        Some(diptych_search::Error::Index(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

fn hint_of_index(error: &diptych_index::Error) -> Option<String> {
    use diptych_index::Error;
    Some(match error {
        Error::Missing { .. } => "`diptych index DIR` makes one".into(),
        Error::NoIndex { .. } => {
            "`--index FILE` names another; `diptych index DIR --index FILE` makes one".into()
        }
        // A server's are its own.
        Error::Damaged { path, .. } if path.exists() => format!(
            "take a copy that is whole, or remove {0} and what is called {0}.* and {0}-*, and `diptych index DIR` makes it anew; \
             the pictures are not touched",
            quoted(path)
        ),
        // `default` is another model in another version of the program.
        Error::Model { place, has, wanted } if has.name == wanted.name => format!(
            "this program's `{}` is another version, and the pictures are to be indexed again: \
             `diptych index status` lists the folders that the index knows; move {place} away, or name another by \
             `--index`, and `diptych index DIR` makes it anew",
            has.name
        ),
        Error::Model { has, wanted, .. } => format!(
            "`--model {}` asks this index; `diptych index DIR --model {} --index FILE` makes one for that model",
            has.name, wanted.name
        ),
        _ => return None,
    })
}

/// An error that carries advice.
pub(crate) fn hinted(error: impl Into<anyhow::Error>, hint: impl Display) -> anyhow::Error {
    anyhow!("{}\n\nhint: {hint}", sentence(&error.into()))
}

/// Returns a message that names the file and the reason. Most reasons name the file already, with
/// U+FFFD where its name is not UTF-8; that name is then replaced by the quoted one.
pub(crate) fn of_file(path: &Path, reason: &str) -> String {
    let (shown, plain) = (quoted(path), path.to_string_lossy());
    if reason.contains(&*plain) {
        reason.replace(&*plain, &shown)
    } else {
        format!("{shown}: {reason}")
    }
}

/// Whether the error is only that nobody reads stdout any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// The error and its causes. Some libraries tell the cause in their own text, and it is not told
/// twice.
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
    fn a_reason_names_its_file_once() {
        let path = Path::new("a\nb");
        let shown = "'a'$'\\n''b': no picture";
        assert_eq!(of_file(path, "no picture"), shown);
        assert_eq!(of_file(path, "a\nb: no picture"), shown);
        assert_eq!(of_file(Path::new("a"), "a: no"), "a: no");
    }

    #[test]
    fn an_index_of_another_model_says_what_to_do() {
        let model = |name: &str, fingerprint: &str| diptych_index::Model {
            name: name.into(),
            fingerprint: fingerprint.into(),
            dim: 2,
        };
        let hint = |has, wanted| {
            let error = diptych_index::Error::Model {
                place: "old.diptych".into(),
                has: Box::new(has),
                wanted: Box::new(wanted),
            };
            hint(&error.into()).unwrap()
        };
        let newer = hint(model("default", "a"), model("default", "b"));
        assert!(newer.contains("`default` is another version"), "{newer}");
        assert!(newer.contains("move old.diptych away"), "{newer}");
        let other = hint(model("default", "a"), model("ViT-B-32", "b"));
        assert!(
            other.contains("`--model default` asks this index"),
            "{other}"
        );
        assert!(other.contains("--model ViT-B-32 --index FILE"), "{other}");
    }

    #[test]
    fn names_are_quoted_for_a_terminal_alone() {
        let path = Path::new("a\nb\u{1b}.jpg");
        assert_eq!(*name(path, true), *br"'a'$'\n''b'$'\033''.jpg'");
        assert_eq!(*name(path, false), *b"a\nb\x1b.jpg");
        let plain = Path::new("it's plain.jpg");
        assert_eq!(name(plain, true), name(plain, false));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_all_else_is_as_it_was() {
        assert_eq!(
            visible("\u{1b}[2J\r\u{9b}\0 naïve\n\t\"猫\""),
            "\\u{1b}[2J\\r\\u{9b}\\u{0} naïve\n\t\"猫\""
        );
    }
}
