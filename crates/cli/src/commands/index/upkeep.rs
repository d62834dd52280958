//! `diptych index status|verify|compact|forget|import|export`.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use diptych_index::{Change, File, Id, Item, Local, Part};
use diptych_search::index::{merge, names};
use diptych_search::query::calibrate;
use indicatif::HumanBytes;
use serde_json::json;

use super::super::open;
use super::super::search::wall_clock;
use super::super::store::{self, Place};
use super::embeddings;
use crate::args::{CompactArgs, ExportArgs, ForgetArgs, ImportArgs, PlaceOnly, StatusArgs};
use crate::output::{Data, error};
use crate::{Status, interrupt};
use diptych_files::npy::NpyWriter;

/// Changes that are made at a time.
const BATCH: usize = 1024;

pub(super) fn status(args: &StatusArgs) -> Result<Status> {
    let store = Place::new(&args.place)?.open()?;
    let mut data = Data::new();
    if args.refused {
        for (File { path, .. }, reason) in store.refused()? {
            match args.json {
                true => data.json(&json!({ "path": path, "reason": reason }))?,
                false => data.line(format_args!("{path}: {reason}"))?,
            }
        }
        data.flush()?;
        return Ok(Status::Done);
    }
    let status = store.status()?;
    if args.json {
        data.json(&status)?;
    } else {
        let diptych_index::Status { model, .. } = &status;
        data.line(format_args!("index     {}", status.place))?;
        data.line(format_args!(
            "model     {}, {} values",
            model.name, model.dim
        ))?;
        data.line(format_args!(
            "holds     {} files with {} contents; {} files could not be indexed",
            status.files, status.contents, status.refused
        ))?;
        data.line(format_args!("size      {}", HumanBytes(status.bytes)))?;
        data.line(format_args!(
            "searched  by {}: {}",
            status.method.name(),
            status.reason
        ))?;
    }
    data.flush()?;
    Ok(Status::Done)
}

pub(super) fn verify(args: &PlaceOnly) -> Result<Status> {
    let place = Place::new(&args.place)?;
    let verified = Local::open(place.file()?)?.verify()?;
    let mut data = Data::new();
    match args.json {
        true => data.json(&verified)?,
        false => data.line(format_args!(
            "{} files, {} contents, {} vectors",
            verified.files, verified.contents, verified.vectors
        ))?,
    }
    data.flush()?;
    for problem in &verified.problems {
        error(&anyhow!("{}: {problem}", place.file()?.display()));
    }
    Ok(match verified.problems.is_empty() {
        true => Status::Done,
        false => Status::SomeFailed,
    })
}

pub(super) fn compact(args: &CompactArgs) -> Result<Status> {
    let place = Place::new(&args.place)?;
    let store = Local::change(place.file()?)?;
    if let Some(cells) = args.cells {
        store.set_cells(cells)?;
    }
    store.compact()?;
    Ok(Status::Done)
}

pub(super) fn forget(args: &ForgetArgs) -> Result<Status> {
    let into = Place::new(&args.place)?.change()?;
    let mut within = Vec::new();
    for path in &args.paths {
        // What links below it lead to may have been named itself.
        within.extend(names(path).with_context(|| path.display().to_string())?);
    }
    let mut forgotten = Vec::new();
    into.files(&within, &mut |file, _| {
        forgotten.push(Change::Unlink(file.path))
    })?;
    for changes in forgotten.chunks(BATCH) {
        into.apply(changes)?;
    }
    into.settle()?;
    let mut data = Data::new();
    data.line(format_args!("{} files forgotten", forgotten.len()))?;
    data.flush()?;
    Ok(match forgotten.is_empty() {
        true => Status::NothingFound,
        false => Status::Done,
    })
}

pub(super) fn import(args: &ImportArgs) -> Result<Status> {
    interrupt::watch("stopping; what was added is kept")?;
    let place = Place::new(&args.place)?;
    let mut data = Data::new();
    for name in &args.from {
        let n = match Path::new(name).is_dir() {
            true => {
                let parts = embeddings::parts(Path::new(name))?;
                let clip = open(&args.model)?;
                embeddings::check(&parts, clip.config().embed_dim)?;
                let mut into = place.create(&store::model(&args.model, &clip)?)?;
                let n = embeddings::import(&parts, into.as_mut())?;
                if !interrupt::asked() {
                    calibrate(&clip, into.as_mut())?;
                }
                n as u64
            }
            false => {
                let from = Place::named(name).open()?;
                let mut into = place.create(from.model())?;
                merge(from.as_ref(), into.as_mut(), &mut |_| interrupt::go_on())?
            }
        };
        if interrupt::asked() {
            return Ok(Status::Interrupted);
        }
        data.line(format_args!("{n} contents from {name}"))?;
        data.flush()?;
    }
    Ok(Status::Done)
}

pub(super) fn export(args: &ExportArgs) -> Result<Status> {
    let store = Place::new(&args.place)?.open()?;
    let dim = store.model().dim;
    // Of one reading, so that rows and lines belong together though another process writes meanwhile.
    let mut rows: Vec<f32> = Vec::new();
    let mut lines = String::new();
    store.each(&mut |item, of_item| {
        for moment in &item.moments {
            rows.extend(&moment.vector);
            lines.push_str(&line(&item, item.id, moment.part, &of_item));
            lines.push('\n');
        }
        ControlFlow::Continue(())
    })?;
    fs_err::create_dir_all(&args.out)?;
    let mut file = NpyWriter::create(&args.out.join("embeddings.npy"), &[rows.len() / dim, dim])?;
    file.write(&rows)?;
    file.finish()?;
    let metadata = args.out.join("metadata.jsonl");
    diptych_files::replace(&metadata, lines.as_bytes()).context("the metadata")?;
    let mut data = Data::new();
    data.line(format_args!("{} embeddings", rows.len() / dim))?;
    data.flush()?;
    Ok(Status::Done)
}

/// What belongs to a row.
fn line(item: &Item, id: Id, part: Part, files: &[File]) -> String {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let line = json!({
        "id": id.to_string(),
        "paths": paths,
        "start": part.span.map(|span| span.start),
        "end": part.span.map(|span| span.end),
        "region": part.region,
        "taken": item.taken.and_then(|taken| wall_clock(taken.at)),
        "taken_from": item.taken.map(|taken| taken.from),
        "payload": item.payload,
    });
    line.to_string()
}
