//! Packing: a table, a folder of classes, or a caption file → WebDataset shards.
//!
//! Flow: source → samples → hashes, by which equal files become one → decoded, and resized if asked
//! → `NAME-000000.tar`, …
//! Every picture is decoded once, so what is packed is what can be trained on; unless it is resized
//! it is stored as it was. Files are read twice, because a picture's captions are stored beside it
//! and the last of them may come with the last file.
//! Invariant: the shards are a function of the source, and appear together once all are whole.

mod coco;
mod flickr;
mod source;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::PathBuf;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::samples::{PassedOver, Reason, Sample, Tally, guarded_file};
use crate::{Error, Result};
use diptych::image::{DecodeOptions, Encoding, Format, Interpolation};
pub use source::Source;
use writer::Writer;

/// Pictures in memory at once.
const CHUNK: usize = 128;

/// A source to pack, and how.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Table, folder of classes, or caption file.
    pub path: PathBuf,
    /// Its kind; found out, if it is not given.
    pub source: Option<Source>,
    /// The folder that pictures' names are relative to; that of `path`, if it is not given.
    pub images: Option<PathBuf>,
    /// A table's column of pictures, if it has none of the usual names.
    pub image_column: Option<String>,
    /// A table's column of captions, if it has none of the usual names.
    pub text_column: Option<String>,
    /// The folder of the shards; it is made where it is missing.
    pub out: PathBuf,
    /// Prefix of the shards' names; as the name of `path`, if it is not given.
    pub name: Option<String>,
    /// Samples of a shard, the last one aside.
    pub shard_size: usize,
    /// The shorter side, in pixels, that larger pictures get.
    pub resize: Option<usize>,
    /// Format that resized pictures are stored in.
    pub encoding: Encoding,
    /// Options for decoding pictures; every pixel of them is decoded.
    pub decode: DecodeOptions,
    /// Whether the first thing that would be passed over is an error, and nothing is written.
    pub strict: bool,
}

/// Progress of the work.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Pictures hashed or written. Each is both.
    pub done: usize,
    /// Pictures to hash and to write.
    pub total: usize,
}

/// The outcome of a packing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Pictures in the shards.
    pub samples: usize,
    /// Their texts.
    pub captions: usize,
    /// Files that were equal to one before, whose captions went there; nothing of them is lost.
    pub duplicates: usize,
    /// Pictures, captions, rows and files that were passed over.
    pub skipped: usize,
    /// Why, with the number and an example for each reason.
    pub reasons: Vec<PassedOver>,
    /// The shards written.
    pub shards: Vec<PathBuf>,
    /// Bytes of all shards.
    pub bytes: u64,
}

/// Packs; none if `on_progress` broke it off, and then nothing is written.
///
/// # Errors
/// [`Error::Data`] if nothing of the source can be used; [`Error::UnknownSource`] if it is not
/// known what it is; [`Error::Packing`] if an option does not go with it; [`Error::Occupied`] if
/// shards of this name are there already; [`Error::PassedOver`] if something is passed over and
/// must not be; [`Error::Io`] naming what can't be read or written.
pub fn pack(
    packing: &Packing,
    on_progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Option<Report>> {
    let source = match packing.source {
        Some(source) => source,
        None => Source::of(&packing.path)?,
    };
    let mut writer = Writer::create(packing)?;
    let mut report = Report::default();
    let found = guarded_file(&packing.path, || source.read(packing))?;
    let mut work = Work {
        done: 0,
        total: 2 * found.samples.len(),
        on_progress,
        passed_over: found.passed_over,
        strict: packing.strict,
    };
    work.check()?;

    let Some(samples) = unite(found.samples, &mut work, &mut report)? else {
        return Ok(None);
    };
    // Two files that are one need no writing.
    work.done = work.total - samples.len();
    for chunk in samples.chunks(CHUNK) {
        let stored: Vec<Result<Stored, (Reason, Error)>> =
            chunk.par_iter().map(|s| store(s, packing)).collect();
        for (sample, stored) in chunk.iter().zip(stored) {
            match stored {
                Ok(stored) => {
                    writer.add(stored.extension, &stored.bytes, &sample.texts)?;
                    report.samples += 1;
                    report.captions += sample.texts.len();
                }
                Err((reason, error)) => work.passed_over.add(reason, error),
            }
        }
        work.check()?;
        if work.advance(chunk.len()).is_break() {
            return Ok(None);
        }
    }
    report.skipped = work.passed_over.count();
    if report.samples == 0 {
        return Err(Error::Data {
            path: packing.path.clone(),
            reason: format!("no picture in it can be used: {}", work.passed_over),
        });
    }
    report.reasons = work.passed_over.into_iter().collect();
    (report.shards, report.bytes) = writer.finish()?;
    Ok(Some(report))
}

/// The work done so far.
struct Work<'a> {
    done: usize,
    total: usize,
    on_progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    passed_over: Tally,
    strict: bool,
}

impl Work<'_> {
    fn advance(&mut self, pictures: usize) -> ControlFlow<()> {
        self.done += pictures;
        let (done, total) = (self.done, self.total);
        (self.on_progress)(Progress { done, total })
    }

    /// Refuses what was passed over so far, if it is to be refused.
    fn check(&self) -> Result<()> {
        if self.strict {
            self.passed_over.refuse_any()
        } else {
            Ok(())
        }
    }
}

/// Samples of different files: one whose file is equal to an earlier one's gives its captions to
/// that.
fn unite(all: Vec<Sample>, work: &mut Work, report: &mut Report) -> Result<Option<Vec<Sample>>> {
    let mut first = FxHashMap::<[u8; 32], usize>::default();
    let mut samples: Vec<Sample> = Vec::new();
    let mut rest = all.into_iter();
    loop {
        let chunk: Vec<Sample> = rest.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            // What is said twice of a picture is said once.
            for sample in &mut samples {
                let mut said = FxHashSet::default();
                sample.texts.retain(|text| said.insert(text.clone()));
            }
            return Ok(Some(samples));
        }
        let n = chunk.len();
        let hashes: Vec<Result<[u8; 32]>> = chunk
            .par_iter()
            .map(|sample| Ok(Sha256::digest(sample.bytes()?).into()))
            .collect();
        for (sample, hash) in chunk.into_iter().zip(hashes) {
            let at = match hash {
                Ok(hash) => *first.entry(hash).or_insert(samples.len()),
                Err(error) => {
                    work.passed_over.add(Reason::Unreadable, error);
                    continue;
                }
            };
            match samples.get_mut(at) {
                None => samples.push(sample),
                Some(twin) => {
                    report.duplicates += 1;
                    twin.texts.extend(sample.texts);
                }
            }
        }
        work.check()?;
        if work.advance(n).is_break() {
            return Ok(None);
        }
    }
}

/// A picture as a shard has it.
struct Stored<'a> {
    extension: &'static str,
    bytes: Cow<'a, [u8]>,
}

/// Decodes a picture, to see that it can be, and resizes it if that is asked for.
fn store<'a>(sample: &'a Sample, packing: &Packing) -> Result<Stored<'a>, (Reason, Error)> {
    let undecodable = |error| (Reason::Undecodable, error);
    // It could be read before; but files change.
    let bytes = sample.bytes().map_err(|e| (Reason::Unreadable, e))?;
    let picture = sample.decode(&bytes, &packing.decode)?;
    let small = packing
        .resize
        .and_then(|side| picture.shrunk(side, Interpolation::Bicubic));
    match small {
        Some(small) => Ok(Stored {
            extension: packing.encoding.extension(),
            bytes: packing
                .encoding
                .encode(&small)
                .map_err(|e| undecodable(sample.broken(e)))?
                .into(),
        }),
        None => Ok(Stored {
            extension: Format::of(&bytes).map_or("bin", Format::extension),
            bytes,
        }),
    }
}
