//! What the commands read: lists of texts, and pictures as a stream.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use diptych::image::{DecodeOptions, ImageError};
use diptych::text::TextError;
use diptych::{Clip, Embeddings};

use crate::Status;
use crate::args::DecodeArgs;
use crate::output::{self, hinted};

/// What stands for stdin.
pub(crate) const STDIN: &str = "-";

/// The lines of a text file or, for `-`, of stdin.
pub(crate) fn lines(path: &Path) -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    if path == Path::new(STDIN) {
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
    } else {
        bytes = fs_err::read(path)?;
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        anyhow!("{}: line {line} is not UTF-8", name(path))
    })?;
    // Windows' editors begin a file with a byte order mark, which is no text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.lines().map(str::to_owned).collect())
}

/// What messages call a file of texts.
pub(crate) fn name(path: &Path) -> String {
    match path == Path::new(STDIN) {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    }
}

/// Says which text an error is about; `name` gives the name of the text at an index.
pub(crate) fn in_text(error: diptych::Error, name: impl Fn(usize) -> String) -> anyhow::Error {
    match error {
        diptych::Error::Text(TextError::InBatch { index, source }) => {
            anyhow!("{}: {source}", name(index))
        }
        other => other.into(),
    }
}

impl From<&DecodeArgs> for DecodeOptions {
    fn from(args: &DecodeArgs) -> Self {
        Self {
            orient: !args.no_orient,
            decode: args.decode,
            ..Self::default()
        }
    }
}

/// Each file with its picture's features, `[D]`, or what is wrong with it; in order.
pub(crate) fn pictures<'a>(
    clip: &'a Clip,
    files: &'a [PathBuf],
    args: &DecodeArgs,
) -> impl Iterator<Item = (&'a Path, Result<Vec<f32>>)> {
    let options = DecodeOptions::from(args);
    let load = move |file: &PathBuf| {
        let pixels = clip.preprocess().load(file, &options);
        pixels.map_err(|error| explain(error, file))
    };
    let files_again = files.iter().map(PathBuf::as_path);
    files_again.zip(clip.stream_images(files, load))
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
                f(path, &Embeddings::from_features(dim, features))?;
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
    match path.is_dir() {
        true => {
            let path = path.display();
            hinted(
                anyhow!("{path} is a directory"),
                format_args!("name its pictures, as in {path}/*.jpg"),
            )
        }
        false => error.into(),
    }
}
