//! Search results → lines, JSON, paths, pictures in the terminal, a page, or a window of the
//! desktop.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture};
use diptych_files::unspell;
use diptych_search::query::{Answer, Found, FoundFile, Nothing};
use diptych_search::sheet;

use crate::Status;
use crate::args::HitsArgs;
use crate::output::{Data, message, quoted};
use crate::outputs::{self, Kind};
use crate::preview::{self, Protocol};

/// Columns of a picture in the terminal.
const COLUMNS: usize = 40;

/// Refuses a page that would take the place of anything else.
pub(super) fn check_page(page: Option<&Path>) -> Result<()> {
    page.map_or(Ok(()), |page| outputs::check(page, Kind::Page, []))
}

/// Says what was found, in the ways that were asked for, or why that is nothing.
pub(super) fn tell(query: &str, answer: Answer, args: &HitsArgs) -> Result<Status> {
    let found = answer.as_deref().unwrap_or_default();
    let mut data = Data::new();
    let protocol = protocol(args);
    for found in found {
        print(&mut data, found, args)?;
        // A picture that has gone since is still told of.
        let shown =
            protocol.and_then(|protocol| show(protocol, &unspell(&found.first().path), args));
        if let Some(shown) = shown {
            data.bytes(&shown)?;
        }
        data.flush()?;
    }
    if let Some(path) = &args.html {
        let page = sheet::of_found(query, found, &args.limit.into());
        diptych_files::replace_named(path, page.as_bytes())?;
    }
    if args.paths0 {
        tell_gone(found, args);
    }
    if let Err(nothing) = &answer {
        say_why(nothing);
        return Ok(Status::NothingFound);
    }
    if let Some(nth) = args.open {
        open(found, nth)?;
    }
    Ok(Status::Done)
}

/// Says why nothing was found.
pub(super) fn say_why(nothing: &Nothing) {
    let hint = match nothing {
        Nothing::Empty | Nothing::Elsewhere(_) => {
            "\n\nhint: `diptych index DIR` adds what is in a folder"
        }
        _ => "",
    };
    message(format_args!("nothing found: {nothing}{hint}"));
}

/// Prints a content that was found, by its first file or by all.
fn print(data: &mut Data, found: &Found, args: &HitsArgs) -> Result<()> {
    if args.json {
        return found.each().try_for_each(|line| data.json(&line));
    }
    let n = if args.all_paths { found.files.len() } else { 1 };
    for FoundFile { path, gone } in &found.files[..n] {
        let path = unspell(path);
        if args.paths0 {
            data.path0(&path)?;
            continue;
        }
        let gone = if *gone { "  (gone)" } else { "" };
        let copies = match found.files.len() - n {
            0 => String::new(),
            copies => format!("  {}", sheet::copies(copies)),
        };
        let score = format_args!("{:.3}  ", found.score);
        data.named(score, &path, format_args!("{gone}{copies}"))?;
    }
    Ok(())
}

/// Says how many of the paths that were printed lead nowhere, where they can't be marked.
fn tell_gone(found: &[Found], args: &HitsArgs) {
    let n = if args.all_paths { usize::MAX } else { 1 };
    let told = found.iter().flat_map(|found| found.files.iter().take(n));
    let gone = told.filter(|file| file.gone).count();
    if gone > 0 {
        message(format_args!(
            "{gone} of the files are gone; `diptych index` brings the index up to date"
        ));
    }
}

/// Protocol to show pictures by; none if they are not shown.
fn protocol(args: &HitsArgs) -> Option<Protocol> {
    if let Some(named) = args.preview? {
        return Some(named);
    }
    let env = |name: &str| std::env::var(name).ok();
    let (protocol, why) = if std::io::stdout().is_terminal() {
        (Protocol::detect(env), "TERM is dumb")
    } else {
        (None, "stdout is no terminal")
    };
    if protocol.is_none() {
        message(format_args!(
            "no pictures are shown, because {why}; `--preview=blocks` draws them nevertheless"
        ));
    }
    protocol
}

/// A picture as the terminal shows it.
fn show(protocol: Protocol, path: &Path, args: &HitsArgs) -> Option<Vec<u8>> {
    let picture = Picture::open(path, &DecodeOptions::from(args.limit))
        .ok()?
        .to_rgb();
    let size = (picture.width(), picture.height());
    let (width, height) = preview::size(protocol, size, COLUMNS);
    let small = picture.resize(width, height, Interpolation::Bicubic);
    let png = || Encoding::Png.encode(&small);
    preview::encode(protocol, small.as_bytes(), width, height, COLUMNS, png).ok()
}

/// Opens a hit, counted from 1, with the desktop's program for it.
fn open(found: &[Found], nth: usize) -> Result<()> {
    let Some(hit) = found.get(nth - 1) else {
        bail!("there is no hit {nth} to open, but {}", found.len());
    };
    let FoundFile { path, gone } = hit.first();
    let path = unspell(path);
    let name = quoted(&path);
    if *gone {
        bail!("{name}: it is gone, so it can't be opened");
    }
    let opener = if cfg!(windows) {
        "explorer"
    } else if cfg!(target_vendor = "apple") {
        "open"
    } else {
        "xdg-open"
    };
    // A name that is relative may begin like an option.
    let absolute = std::path::absolute(&path)?;
    let status = Command::new(opener)
        .arg(absolute)
        .stdin(Stdio::null())
        // Stdout is for hits.
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{name}: cannot run `{opener}` to open it"))?;
    // Explorer ends with 1 whatever happens.
    if !status.success() && !cfg!(windows) {
        bail!("{name}: `{opener}` did not open it: {status}");
    }
    Ok(())
}
