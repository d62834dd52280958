//! What the commands read: lists of texts, and pictures as a stream.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use diptych::image::{DecodeOptions, ImageError, Pixels};
use diptych::text::{Overflow, TextError};
use diptych::{Clip, Embeddings};
use rayon::prelude::*;

use crate::Status;
use crate::args::{DecodeArgs, LimitArgs};
use crate::interrupt;
use crate::output::{self, hinted, quoted};

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
    let lines = raw_lines(path)?.into_iter();
    Ok(lines.map(|line| String::from_utf8(line).ok()).collect())
}

/// The paths in a list, one a line; empty lines are none.
pub(crate) fn paths(list: &Path) -> Result<Vec<PathBuf>> {
    let lines = raw_lines(list)?.into_iter();
    let paths = lines.filter(|line| !line.is_empty());
    Ok(paths.map(|line| diptych_files::from_line(&line)).collect())
}

fn raw_lines(path: &Path) -> Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    if path == Path::new(STDIN) {
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
    } else {
        bytes = fs_err::read(path)?;
    }
    // Windows' editors begin a file with a byte order mark, which is no text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        line.to_vec()
    });
    Ok(lines.collect())
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

/// Says of every name whose texts the model can't read what is wrong with the first, if that is the error; `name` is
/// as for [`in_text`].
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

/// Each file with its picture's features, `[D]`, or its error; in order.
pub(crate) fn pictures<'a>(
    clip: &'a Clip,
    files: &'a [PathBuf],
    args: &DecodeArgs,
) -> impl Iterator<Item = (&'a Path, Result<Vec<f32>>)> {
    let options = DecodeOptions::from(args);
    let load = move |file: &PathBuf| load(clip, file, &options);
    let files_again = files.iter().map(PathBuf::as_path);
    files_again.zip(clip.stream_images(files, load))
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
    let pixels = clip.preprocess().load(file, options);
    pixels.map_err(|error| explain(error, file))
}

/// Calls `f` with each picture's embedding, `[1, D]`, in order, and reports what is wrong with the others.
pub(crate) fn for_each_picture(
    clip: &Clip,
    files: &[PathBuf],
    args: &DecodeArgs,
    mut f: impl FnMut(&Path, &Embeddings) -> Result<()>,
) -> Result<Status> {
    let mut status = Status::Done;
    for (path, features) in pictures(clip, files, args) {
        match features {
            Ok(features) => {
                let dim = clip.config().embed_dim;
                f(path, &Embeddings::from_features(dim, features)?)?;
            }
            Err(error) => {
                output::error(&error);
                status = Status::SomeFailed;
            }
        }
    }
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
