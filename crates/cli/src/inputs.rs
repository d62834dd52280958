//! Inputs of the commands: lists of texts, files from folders and lists, and pictures as a stream.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail, ensure};
use diptych::image::{DecodeOptions, ImageError, Pixels, is_picture_name};
use diptych::text::{Overflow, TextError};
use diptych::{Clip, Embeddings};
use diptych_search::index::find_files;
use rayon::prelude::*;

use crate::Status;
use crate::args::{DecodeArgs, LimitArgs};
use crate::output::{self, hinted, quoted};
use crate::{interrupt, progress};

/// The name that stands for stdin.
pub(crate) const STDIN: &str = "-";

/// The lines of a text file or, for `-`, of stdin.
pub(crate) fn lines(path: &Path) -> Result<Vec<String>> {
    let lines = lines_as_they_are(path)?;
    let bad: Vec<String> = (1..)
        .zip(&lines)
        .filter(|(_, line)| line.is_none())
        .map(|(number, _)| number.to_string())
        .collect();
    match &bad[..] {
        [] => Ok(lines.into_iter().flatten().collect()),
        [line] => bail!("{}: line {line} is not UTF-8", name(path)),
        _ => bail!("{}: lines {} are not UTF-8", name(path), bad.join(", ")),
    }
}

/// The lines of a text file or, for `-`, of stdin; none for one that is not UTF-8.
pub(crate) fn lines_as_they_are(path: &Path) -> Result<Vec<Option<String>>> {
    let bytes = bytes_of(path)?;
    let text = |line| std::str::from_utf8(line).ok().map(str::to_owned);
    Ok(lines_in(&bytes).map(text).collect())
}

/// All of a file or, for `-`, of stdin.
fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    static STDIN_IS_READ: AtomicBool = AtomicBool::new(false);
    let mut bytes = Vec::new();
    if path == Path::new(STDIN) {
        ensure!(
            !STDIN_IS_READ.swap(true, Ordering::Relaxed),
            "stdin stands for one list, and has been read as another"
        );
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
    } else {
        bytes = fs_err::read(path)?;
    }
    Ok(bytes)
}

/// Lines without their ends, a system's or another's.
fn lines_in(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Windows' editors begin a file with a byte order mark, which is no text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        })
}

/// Paths as they were typed, and of `@FILE` the paths in it, one a line; `-` and `@-` are such a
/// list on stdin. A file that has such a name is `./@FILE`.
pub(crate) fn named(typed: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for path in typed {
        match list(path) {
            Some(list) => paths.extend(listed(list)?),
            None => paths.push(path.clone()),
        }
    }
    Ok(paths)
}

/// The list that was typed as `@FILE`, `@-` or `-`.
fn list(typed: &Path) -> Option<&Path> {
    let list = match typed.to_str()? {
        STDIN => STDIN,
        typed => typed.strip_prefix('@')?,
    };
    Some(Path::new(list))
}

/// The paths in a list, one a line; empty lines are none.
fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let bytes = bytes_of(list)?;
    let lines = lines_in(&bytes).filter(|line| !line.is_empty());
    Ok(lines.map(diptych_files::from_line).collect())
}

/// Pictures that a command was given.
pub(crate) struct Given {
    /// In the order given; those of a folder in the order of their paths.
    pub(crate) files: Vec<PathBuf>,
    /// The lists that named them.
    lists: Vec<PathBuf>,
    /// Folders that could not be looked into, and such without a picture.
    pub(crate) errors: Vec<anyhow::Error>,
    /// Whether some were not typed one by one, but come from a folder or a list.
    pub(crate) is_gathered: bool,
}

impl Given {
    /// The pictures that paths stand for: files, whatever they are called; those in folders that
    /// have a picture's name; and those in lists, as by [`named`]. What folders have below
    /// `except` is left out.
    pub(crate) fn new(typed: &[PathBuf], except: Option<&Path>) -> Result<Self> {
        let paths = named(typed)?;
        let mut given = Self {
            is_gathered: paths != typed,
            files: Vec::new(),
            lists: typed
                .iter()
                .filter_map(|path| list(path))
                .map(Path::to_owned)
                .collect(),
            errors: Vec::new(),
        };
        for path in paths {
            if !path.is_dir() {
                given.files.push(path);
                continue;
            }
            given.is_gathered = true;
            let found = find_files(&path, is_picture_name, except);
            if found.is_empty() {
                let path = quoted(&path);
                given
                    .errors
                    .push(anyhow!("{path}: there is no picture in it or below"));
            }
            for found in found {
                match found {
                    Ok(file) => given.files.push(file),
                    Err(error) => given.errors.push(error.into()),
                }
            }
        }
        if given.files.is_empty() && given.errors.is_empty() {
            output::message("note: the list names no picture");
        }
        Ok(given)
    }

    /// All files that are read: the pictures and their lists.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().chain(&self.lists).map(PathBuf::as_path)
    }
}

/// Name of a file of texts, for messages.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new(STDIN) {
        "stdin".to_owned()
    } else {
        quoted(path).into_owned()
    }
}

/// Says which text an error is about; `name` gives the name of the text at an index.
pub(crate) fn in_text(error: diptych::Error, name: impl Fn(usize) -> String) -> anyhow::Error {
    match error {
        diptych::Error::Text(TextError::InBatch { index, error }) => {
            anyhow!("{}: {error}", name(index))
        }
        other => other.into(),
    }
}

/// Says of every name whose texts the model can't read what is wrong with the first, if that is the
/// error; `name` is as for [`in_text`].
///
/// # Errors
/// Any other error, as it is.
pub(crate) fn report_texts<T: AsRef<str> + Sync>(
    clip: &Clip,
    error: diptych::Error,
    texts: &[T],
    name: impl Fn(usize) -> String + Sync,
) -> Result<Status> {
    if !matches!(error, diptych::Error::Text(TextError::InBatch { .. })) {
        return Err(error.into());
    }
    let bad = texts.par_iter().enumerate().filter_map(|(i, text)| {
        let error = refusal(clip, text.as_ref(), Overflow::Refuse)?;
        Some((name(i), error))
    });
    let mut bad: Vec<(String, TextError)> = bad.collect();
    // A label is in many prompts, and is as bad in each.
    bad.dedup_by(|(name, _), (before, _)| name == before);
    for (name, error) in bad {
        output::error(&anyhow!("{name}: {error}"));
    }
    Ok(Status::SomeFailed)
}

/// Why the model can't read a text, if it can't.
pub(crate) fn refusal(clip: &Clip, text: &str, overflow: Overflow) -> Option<TextError> {
    let context_length = clip.config().text_cfg.context_length;
    clip.tokenizer()
        .encode(text, context_length, overflow)
        .err()
}

impl From<&DecodeArgs> for DecodeOptions {
    fn from(args: &DecodeArgs) -> Self {
        Self {
            orient: !args.no_orient,
            decode: args.decode,
            ..Self::from(args.limit)
        }
    }
}

impl From<LimitArgs> for DecodeOptions {
    fn from(args: LimitArgs) -> Self {
        Self {
            max_megapixels: args.max_megapixels,
            ..Self::default()
        }
    }
}

/// The features `[D]` of each file's picture, or its error; in order.
pub(crate) fn features<'a>(
    clip: &'a Clip,
    files: impl IntoIterator<Item = &'a PathBuf> + 'a,
    args: &DecodeArgs,
) -> impl Iterator<Item = Result<Vec<f32>>> + 'a {
    let options = DecodeOptions::from(args);
    clip.stream_images(files, move |file: &PathBuf| load(clip, file, &options))
}

/// Errors of the files that have no picture; no tower runs.
pub(crate) fn bad_pictures(
    clip: &Clip,
    files: &[PathBuf],
    args: &DecodeArgs,
) -> Vec<anyhow::Error> {
    let options = DecodeOptions::from(args);
    files
        .par_iter()
        .filter(|_| !interrupt::asked())
        .filter_map(|file| load(clip, file, &options).err())
        .collect()
}

fn load(clip: &Clip, file: &Path, options: &DecodeOptions) -> Result<Pixels> {
    let loaded = clip.preprocess().load(file, options);
    loaded.map_err(|error| explain(error, file))
}

/// Calls `f` with each picture's embedding, `[1, D]`, in order, and reports what is wrong with the
/// others.
pub(crate) fn for_each_picture(
    clip: &Clip,
    given: &Given,
    args: &DecodeArgs,
    mut f: impl FnMut(&Path, &Embeddings) -> Result<()>,
) -> Result<Status> {
    given.errors.iter().for_each(output::error);
    let mut status = if given.errors.is_empty() {
        Status::Done
    } else {
        Status::SomeFailed
    };
    let bar = progress::inputs(given.files.len());
    for (path, features) in given.files.iter().zip(features(clip, &given.files, args)) {
        // Results and errors may go to the terminal that the bar is on.
        bar.suspend(|| match features {
            Ok(features) => {
                let dim = clip.config().embed_dim;
                f(path, &Embeddings::from_features(dim, features)?)
            }
            Err(error) => {
                output::error(&error);
                status = Status::SomeFailed;
                Ok(())
            }
        })?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(status)
}

/// A picture's error, with advice for what is often meant.
pub(crate) fn explain(error: ImageError, path: &Path) -> anyhow::Error {
    if path.is_dir() {
        let path = quoted(path);
        hinted(
            anyhow!("{path} is a directory"),
            format_args!("name its pictures, as in {path}/*.jpg"),
        )
    } else if let Cow::Owned(_) = quoted(path) {
        anyhow!(output::of_file(path, &error.to_string()))
    } else {
        error.into()
    }
}
