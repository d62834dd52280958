//! What the commands read: lists of texts, and pictures a chunk at a time.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use diptych::image::{DecodeOptions, ImageError, Pixels, Preprocess};
use diptych::text::TextError;

use crate::args::DecodeArgs;
use crate::output::{self, hinted};

/// Pictures in memory at once. A chunk keeps many cores busy and, at 336 pixels a side, takes 87 MB.
pub(crate) const CHUNK: usize = 64;

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

/// A chunk of pictures: those that could be read, and why the others could not.
pub(crate) struct Pictures<'a> {
    /// Paths of the rows of `pixels`.
    pub(crate) paths: Vec<&'a Path>,
    /// `[N, 3, S, S]`.
    pub(crate) pixels: Pixels,
    pub(crate) failures: Vec<anyhow::Error>,
}

impl<'a> Pictures<'a> {
    /// Decodes and prepares pictures in parallel.
    pub(crate) fn load(
        files: &'a [PathBuf],
        preprocess: &Preprocess,
        options: &DecodeOptions,
    ) -> Result<Self> {
        let mut pictures = Self {
            paths: Vec::new(),
            pixels: Pixels::empty(preprocess.size),
            failures: Vec::new(),
        };
        for (path, loaded) in files.iter().zip(preprocess.load_batch(files, options)) {
            match loaded {
                Ok(pixels) => {
                    pictures.paths.push(path);
                    pictures.pixels.push(&pixels)?;
                }
                Err(error) => pictures.failures.push(explain(error, path)),
            }
        }
        Ok(pictures)
    }

    /// Reports the pictures that could not be read; whether there were any.
    pub(crate) fn report_failures(&self) -> bool {
        self.failures.iter().for_each(output::error);
        !self.failures.is_empty()
    }
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
