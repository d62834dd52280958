//! `diptych embed`: pictures or texts → rows of a NumPy file, unit-norm or raw.
//!
//! Invariant: row `i` belongs to input `i`, so one input that fails fails the whole file; or, with `--skip-bad`, to line
//! `i` of a list beside it. Every input that fails is named.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use diptych::Embeddings;
use diptych::text::Overflow;
use rayon::prelude::*;

use super::open;
use crate::args::EmbedArgs;
use crate::output::quoted;
use crate::{Status, inputs, interrupt, output, progress};
use diptych_files::npy::NpyWriter;
use diptych_files::{Replacement, to_line};

enum Inputs<'a> {
    Images(&'a [PathBuf]),
    /// The file of texts, or `-`.
    Texts(&'a Path, Overflow),
}

impl<'a> Inputs<'a> {
    fn new(args: &'a EmbedArgs) -> Self {
        let overflow = if args.truncate {
            Overflow::Truncate
        } else {
            Overflow::Refuse
        };
        match (&args.texts, &args.stdin) {
            (Some(path), _) => Self::Texts(path, overflow),
            (None, Some(stdin)) => Self::Texts(stdin.as_ref(), overflow),
            (None, None) => Self::Images(&args.images),
        }
    }
}

/// Endings of the lists of what an array's rows belong to.
const PATHS: &str = "paths.txt";
const TEXTS: &str = "texts.txt";

/// The list beside an array: `x.paths.txt` of `x.npy`. Any other ending is a part of the name: `x.1` and `x.2` are two
/// arrays.
fn list_of(array: &Path, ending: &str) -> PathBuf {
    let stem = if array.extension().is_some_and(|e| e == "npy") {
        array.with_extension("")
    } else {
        array.to_owned()
    };
    let mut list = stem.into_os_string();
    list.push(".");
    list.push(ending);
    list.into()
}

pub(crate) fn run(args: &EmbedArgs) -> Result<Status> {
    let is_device = diptych_files::metadata(&args.out).is_ok_and(|out| !out.is_file());
    ensure!(
        !(args.skip_bad && is_device),
        "{} is no plain file; `--skip-bad` writes a list beside the array, and how many rows it has when all are there",
        quoted(&args.out)
    );
    let clip = open(&args.model)?;
    let rows = |ending| Rows {
        out: &args.out,
        dim: clip.config().embed_dim,
        raw: args.raw,
        list: args.skip_bad.then(|| list_of(&args.out, ending)),
    };
    match Inputs::new(args) {
        Inputs::Images(files) => {
            let names: Vec<&[u8]> = files
                .iter()
                .map(|file| file.as_os_str().as_encoded_bytes())
                .collect();
            let features = inputs::pictures(&clip, files, &args.decode);
            rows(PATHS).write(&names, features.map(|(_, features)| features), |next| {
                inputs::bad_pictures(&clip, &files[next..], &args.decode)
            })
        }
        Inputs::Texts(path, overflow) => {
            let lines = inputs::lines_as_they_are(path)?;
            let of_line = |i: usize| format!("{}: line {}", inputs::name(path), i + 1);
            let not_utf8 = |i| anyhow!("{} is not UTF-8", of_line(i));
            let names: Vec<&[u8]> = lines
                .iter()
                .map(|line| line.as_deref().unwrap_or_default().as_bytes())
                .collect();
            let mut features = clip.stream_texts(lines.iter().flatten(), overflow);
            let features = lines.iter().enumerate().map_while(|(i, line)| match line {
                Some(_) => {
                    let features = features.next()?;
                    Some(features.map_err(|e| inputs::in_text(e, |_| of_line(i))))
                }
                None => Some(Err(not_utf8(i))),
            });
            let bad = |i: usize| match &lines[i] {
                Some(text) => {
                    let error = inputs::refusal(&clip, text, overflow)?;
                    Some(anyhow!("{}: {error}", of_line(i)))
                }
                None => Some(not_utf8(i)),
            };
            rows(TEXTS).write(&names, features, |next| {
                (next..lines.len())
                    .into_par_iter()
                    .filter_map(bad)
                    .collect()
            })
        }
    }
}

/// The rows of a file to be.
struct Rows<'a> {
    out: &'a Path,
    dim: usize,
    raw: bool,
    /// Where to list what the rows belong to; then bad inputs are passed over.
    list: Option<PathBuf>,
}

impl Rows<'_> {
    /// Writes the features of all inputs, whose `names` go into the list.
    ///
    /// `bad` says what is wrong with the inputs from one on; it is asked when nothing will be written any more.
    fn write(
        &self,
        names: &[&[u8]],
        all: impl Iterator<Item = Result<Vec<f32>>>,
        bad: impl Fn(usize) -> Vec<anyhow::Error>,
    ) -> Result<Status> {
        interrupt::watch("stopping, nothing is written")?;
        let n = names.len();
        let mut file = NpyWriter::create(self.out, &[n, self.dim])?;
        // Made now, so that a list that can't be written is told before the work.
        let list = self
            .list
            .as_deref()
            .map(Replacement::create_named)
            .transpose()?;
        let (mut rows, mut listed) = (0, Vec::new());
        let bar = progress::inputs(n);
        for (i, features) in all.enumerate() {
            match (features, &self.list) {
                (Ok(features), list) => {
                    if self.raw {
                        file.write(&features)?;
                    } else {
                        file.write(Embeddings::from_features(self.dim, features)?.as_slice())?;
                    }
                    rows += 1;
                    if list.is_some() {
                        listed.extend(to_line(names[i]));
                        listed.push(b'\n');
                    }
                }
                // The model's, whichever input it is.
                (Err(error), _) if error.is::<diptych::Error>() => return Err(error),
                (Err(error), Some(_)) => bar.suspend(|| output::error(&error)),
                (Err(error), None) => {
                    bar.finish_and_clear();
                    output::error(&error);
                    bad(i + 1).iter().for_each(output::error);
                    output::message(
                        "\nhint: nothing was written, because rows would no longer match the inputs; \
                         leave these out, or let `--skip-bad` do it",
                    );
                    return Ok(Status::SomeFailed);
                }
            }
            if interrupt::asked() {
                return Ok(Status::Interrupted);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if rows < n {
            file.end_here()?;
        }
        file.finish()?;
        if let Some(mut list) = list {
            list.write_all(&listed)?;
            list.commit()?;
        }
        self.warn_of_other_lists();
        let Some(list) = self.list.as_ref().filter(|_| rows < n) else {
            return Ok(Status::Done);
        };
        output::message(format_args!(
            "{} of {n} inputs passed over; the {rows} rows of {} are those of {}",
            n - rows,
            quoted(self.out),
            quoted(list)
        ));
        Ok(Status::SomeFailed)
    }

    /// Warns of lists beside the array that are not of this run: they are likely to be an older array's. They are left
    /// there, because a list of inputs may bear such a name, too.
    fn warn_of_other_lists(&self) {
        for list in [PATHS, TEXTS].map(|ending| list_of(self.out, ending)) {
            if self.list.as_ref() != Some(&list) && list.is_file() {
                output::message(format_args!(
                    "warning: {} is not of this run, and its lines may not be the rows of {}",
                    quoted(&list),
                    quoted(self.out)
                ));
            }
        }
    }
}
