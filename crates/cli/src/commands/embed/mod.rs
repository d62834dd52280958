//! `diptych embed`: pictures or texts → rows of a NumPy file, unit-norm or raw.
//!
//! Invariant: row `i` belongs to input `i`, so one input that fails fails the whole file; or, with
//! `--skip-bad`, to line `i` of a list beside it. Every input that fails is named.

mod part;
mod rows;

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use diptych::Clip;
use diptych::text::Overflow;
use rayon::prelude::*;

use self::part::{Key, Part};
use self::rows::Rows;
use super::open;
use crate::args::{EmbedArgs, name_of};
use crate::arrays::{Array, PATHS, TEXTS, is_plain, list_of};
use crate::inputs::Given;
use crate::output::quoted;
use crate::{Status, inputs};

/// Texts of a file or of stdin.
struct Texts<'a> {
    /// The file, or `-`.
    path: &'a Path,
    /// None for a line that is not UTF-8.
    lines: Vec<Option<String>>,
    overflow: Overflow,
}

pub(crate) fn run(args: &EmbedArgs) -> Result<Status> {
    let is_plain = is_plain(&args.out);
    for (asked, why) in [
        (
            args.skip_bad,
            "`--skip-bad` writes a list beside the array, and how many rows it has when all are there",
        ),
        (args.resume, "`--resume` keeps rows beside the array"),
    ] {
        ensure!(
            is_plain || !asked,
            "{} is no plain file; {why}",
            quoted(&args.out)
        );
    }
    match (&args.texts, &args.stdin) {
        (Some(path), _) => texts(args, path),
        (None, Some(stdin)) => texts(args, stdin.as_ref()),
        (None, None) => images(args, is_plain),
    }
}

fn images(args: &EmbedArgs, is_plain: bool) -> Result<Status> {
    let given = Given::new(&args.images, None)?;
    let files = &given.files;
    let names: Vec<&[u8]> = files
        .iter()
        .map(|file| file.as_os_str().as_encoded_bytes())
        .collect();
    let is_listed = args.skip_bad || (given.is_gathered && is_plain);
    let list = is_listed.then(|| list_of(&args.out, PATHS));
    Array::check(&args.out, list.as_deref(), || given.inputs())?;
    let clip = open(&args.model)?;
    let rows = rows(args, &clip, list)?;
    let key = |i: usize| Key::of_file(&files[i]);
    rows.write(
        &names,
        &given.errors,
        key,
        |todo| {
            let todo = todo.iter().map(|&i| &files[i]);
            Box::new(inputs::features(
                &clip,
                todo.collect::<Vec<&PathBuf>>(),
                &args.decode,
            ))
        },
        |next| inputs::bad_pictures(&clip, &files[next..], &args.decode),
    )
}

fn texts(args: &EmbedArgs, path: &Path) -> Result<Status> {
    let list = args.skip_bad.then(|| list_of(&args.out, TEXTS));
    Array::check(&args.out, list.as_deref(), || [path])?;
    let texts = Texts {
        path,
        lines: inputs::lines_as_they_are(path)?,
        overflow: if args.truncate {
            Overflow::Truncate
        } else {
            Overflow::Refuse
        },
    };
    let names: Vec<&[u8]> = texts
        .lines
        .iter()
        .map(|line| line.as_deref().unwrap_or_default().as_bytes())
        .collect();
    let clip = open(&args.model)?;
    let rows = rows(args, &clip, list)?;
    let key = |i: usize| match &texts.lines[i] {
        Some(text) => Ok(Key::of_text(text.as_bytes())),
        None => Err(texts.not_utf8(i)),
    };
    rows.write(
        &names,
        &[],
        key,
        |todo| Box::new(texts.features(&clip, todo)),
        |next| texts.bad(&clip, next),
    )
}

/// The rows that the options ask for, listed in `list`.
fn rows<'a>(args: &'a EmbedArgs, clip: &Clip, list: Option<PathBuf>) -> Result<Rows<'a>> {
    Ok(Rows {
        out: &args.out,
        dim: clip.config().embed_dim,
        raw: args.raw,
        skip_bad: args.skip_bad,
        list,
        part: part(args, clip)?,
    })
}

impl Texts<'_> {
    fn of_line(&self, i: usize) -> String {
        format!("{}: line {}", inputs::name(self.path), i + 1)
    }

    fn not_utf8(&self, i: usize) -> anyhow::Error {
        anyhow!("{} is not UTF-8", self.of_line(i))
    }

    /// The features of the lines `todo`, or their errors.
    fn features<'a>(
        &'a self,
        clip: &'a Clip,
        todo: &[usize],
    ) -> impl Iterator<Item = Result<Vec<f32>>> + 'a {
        let lines: Vec<(usize, Option<&str>)> = todo
            .iter()
            .map(|&i| (i, self.lines[i].as_deref()))
            .collect();
        let good: Vec<&str> = lines.iter().filter_map(|(_, line)| *line).collect();
        let mut features = clip.stream_texts(good, self.overflow);
        lines.into_iter().map_while(move |(i, line)| match line {
            Some(_) => {
                let features = features.next()?;
                Some(features.map_err(|e| inputs::in_text(e, |_| self.of_line(i))))
            }
            None => Some(Err(self.not_utf8(i))),
        })
    }

    /// Errors of the lines from `next` on; no tower runs.
    fn bad(&self, clip: &Clip, next: usize) -> Vec<anyhow::Error> {
        let bad = |i: usize| match &self.lines[i] {
            Some(text) => {
                let error = inputs::refusal(clip, text, self.overflow)?;
                Some(anyhow!("{}: {error}", self.of_line(i)))
            }
            None => Some(self.not_utf8(i)),
        };
        (next..self.lines.len())
            .into_par_iter()
            .filter_map(bad)
            .collect()
    }
}

/// The rows of an earlier call, if they are to be gone on from.
fn part(args: &EmbedArgs, clip: &Clip) -> Result<Option<Part>> {
    let open = || Part::open(&args.out, &made_with(args, clip), clip.config().embed_dim);
    args.resume.then(open).transpose()
}

/// All that a row depends on beside its input, in words.
fn made_with(args: &EmbedArgs, clip: &Clip) -> String {
    let of = if args.images.is_empty() {
        "of texts".to_owned()
    } else {
        format!("of pictures, `--decode {}`", name_of(args.decode.decode))
    };
    let mut words = format!(
        "{of}, `--model {}` ({}), `--device {}`, `--precision {}`",
        clip.name(),
        clip.fingerprint().unwrap_or_default(),
        args.model.device.name(),
        clip.precision().name(),
    );
    for (is_asked, flag) in [
        (args.raw, "--raw"),
        (args.truncate, "--truncate"),
        (args.decode.no_orient, "--no-orient"),
    ] {
        if is_asked {
            words.push_str(&format!(", `{flag}`"));
        }
    }
    words
}
