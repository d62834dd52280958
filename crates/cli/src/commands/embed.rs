//! `diptych embed`: pictures or texts → rows of a NumPy file, unit-norm or raw.
//!
//! Invariant: row `i` belongs to input `i`, so one input that fails fails the whole file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use diptych::Embeddings;
use diptych::text::Overflow;

use super::open;
use crate::args::EmbedArgs;
use crate::npy::NpyWriter;
use crate::{Status, inputs, interrupt, output, progress};

enum Inputs<'a> {
    Images(&'a [PathBuf]),
    /// The file of texts, or `-`.
    Texts(&'a Path, Overflow),
}

impl<'a> Inputs<'a> {
    fn new(args: &'a EmbedArgs) -> Self {
        let overflow = match args.truncate {
            true => Overflow::Truncate,
            false => Overflow::Refuse,
        };
        match (&args.texts, &args.stdin) {
            (Some(path), _) => Self::Texts(path, overflow),
            (None, Some(stdin)) => Self::Texts(stdin.as_ref(), overflow),
            (None, None) => Self::Images(&args.images),
        }
    }
}

/// The rows of a file to be.
struct Rows<'a> {
    out: &'a Path,
    dim: usize,
    raw: bool,
}

pub(crate) fn run(args: &EmbedArgs) -> Result<Status> {
    let clip = open(&args.model)?;
    let rows = Rows {
        out: &args.out,
        dim: clip.config().embed_dim,
        raw: args.raw,
    };
    match Inputs::new(args) {
        Inputs::Images(files) => {
            let features =
                inputs::pictures(&clip, files, &args.decode).map(|(_, features)| features);
            let whole = |error: anyhow::Error| match error.is::<diptych::Error>() {
                true => error, // the model's, whichever picture it is
                false => output::hinted(
                    error,
                    "nothing was written, because rows would no longer match the inputs; leave this one out",
                ),
            };
            rows.write(
                files.len(),
                features.map(|features| features.map_err(whole)),
            )
        }
        Inputs::Texts(path, overflow) => {
            let texts = inputs::lines(path)?;
            let line = |index: usize| format!("{}: line {}", inputs::name(path), index + 1);
            let features = clip.stream_texts(&texts, overflow);
            rows.write(
                texts.len(),
                features.map(|f| f.map_err(|e| inputs::in_text(e, line))),
            )
        }
    }
}

impl Rows<'_> {
    /// Writes the features of `n` inputs, all of which there must be.
    fn write(&self, n: usize, all: impl Iterator<Item = Result<Vec<f32>>>) -> Result<Status> {
        interrupt::watch("stopping, nothing is written")?;
        let mut file = NpyWriter::create(self.out, &[n, self.dim])?;
        let bar = progress::inputs(n);
        for features in all {
            let features = features?;
            match self.raw {
                true => file.write(&features)?,
                false => file.write(Embeddings::from_features(self.dim, features).as_slice())?,
            }
            if interrupt::asked() {
                return Ok(Status::Interrupted);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        file.finish()?;
        Ok(Status::Done)
    }
}
