//! `diptych embed`: pictures or texts → rows of a NumPy file, unit-norm or raw.
//!
//! Invariant: row `i` belongs to input `i`, so one input that fails fails the whole file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use diptych::image::DecodeOptions;
use diptych::text::Overflow;
use diptych::{Clip, Embeddings};

use super::open;
use crate::args::EmbedArgs;
use crate::inputs::{self, CHUNK, Pictures};
use crate::npy::NpyWriter;
use crate::{Status, interrupt, output, progress};

enum Inputs<'a> {
    Images(&'a [PathBuf], DecodeOptions),
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
            (None, None) => Self::Images(&args.images, (&args.decode).into()),
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
        Inputs::Images(files, options) => {
            rows.write(files, |_, chunk| image_features(&clip, chunk, &options))
        }
        Inputs::Texts(path, overflow) => {
            let texts = inputs::lines(path)?;
            rows.write(&texts, |first, chunk| {
                let line =
                    |index: usize| format!("{}: line {}", inputs::name(path), first + index + 1);
                let tokens = clip
                    .tokens(chunk, overflow)
                    .map_err(|e| inputs::in_text(e, line))?;
                Ok(clip.text_features(&tokens)?)
            })
        }
    }
}

impl Rows<'_> {
    /// Writes the features of all inputs; `features` makes those of a chunk, whose first input has
    /// the index that it is told.
    fn write<T>(
        &self,
        inputs: &[T],
        features: impl Fn(usize, &[T]) -> Result<Vec<f32>>,
    ) -> Result<Status> {
        interrupt::watch("stopping, nothing is written")?;
        let mut file = NpyWriter::create(self.out, &[inputs.len(), self.dim])?;
        let bar = progress::inputs(inputs.len());
        for (i, chunk) in inputs.chunks(CHUNK).enumerate() {
            let features = features(i * CHUNK, chunk)?;
            match self.raw {
                true => file.write(&features)?,
                false => file.write(Embeddings::from_features(self.dim, features).as_slice())?,
            }
            if interrupt::asked() {
                return Ok(Status::Interrupted);
            }
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        file.finish()?;
        Ok(Status::Done)
    }
}

/// Features of pictures, all of which must be readable.
fn image_features(clip: &Clip, files: &[PathBuf], options: &DecodeOptions) -> Result<Vec<f32>> {
    let mut pictures = Pictures::load(files, clip.preprocess(), options)?;
    match pictures.failures.is_empty() {
        true => Ok(clip.image_features(&pictures.pixels)?),
        false => Err(output::hinted(
            pictures.failures.remove(0),
            "nothing was written, because rows would no longer match the inputs; leave this one out",
        )),
    }
}
