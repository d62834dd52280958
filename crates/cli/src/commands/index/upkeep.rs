//! `diptych index status|verify|compact|forget|import|export`.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use diptych_files::unspell;
use diptych_index::{Change, File, Local};
use diptych_search::import::ClipRetrieval;
use diptych_search::index::{Decoding, merge, names};
use diptych_search::query::calibrate;
use indicatif::HumanBytes;
use serde_json::json;

use super::super::address::{self, Address};
use super::super::open;
use crate::args::{
    AddressOnly, CompactArgs, ExportArgs, ForgetArgs, ImportArgs, StatusArgs, name_of,
};
use crate::output::{Data, error, quoted};
use crate::outputs::{self, Kind};
use crate::{Status, interrupt, progress};

/// Changes that are made at a time.
const BATCH: usize = 1024;

pub(super) fn status(args: &StatusArgs) -> Result<Status> {
    let address = Address::new(&args.address)?;
    let store = address.open()?;
    let mut data = Data::new();
    if args.refused {
        for (File { path, .. }, reason) in store.refused()? {
            if args.json {
                data.json(&json!({ "path": path, "reason": reason }))?;
            } else {
                data.named("", &unspell(&path), format_args!(": {reason}"))?;
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
        match address.file() {
            Ok(path) => data.named("index     ", path, "")?,
            Err(_) => data.line(format_args!("index     {}", status.place))?,
        }
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
        let decoding = Decoding::of(store.as_ref())?;
        if decoding.is_mixed {
            data.line(format_args!(
                "decoded   {}, and some otherwise",
                name_of(decoding.decode)
            ))?;
        }
    }
    data.flush()?;
    Ok(Status::Done)
}

pub(super) fn verify(args: &AddressOnly) -> Result<Status> {
    let address = Address::new(&args.address)?;
    let verified = Local::open(address.file()?)?.verify()?;
    let mut data = Data::new();
    if args.json {
        data.json(&verified)?;
    } else {
        data.line(format_args!(
            "{} files, {} contents, {} vectors",
            verified.files, verified.contents, verified.vectors
        ))?;
    }
    data.flush()?;
    for problem in &verified.problems {
        error(&anyhow!("{}: {problem}", quoted(address.file()?)));
    }
    Ok(if verified.problems.is_empty() {
        Status::Done
    } else {
        Status::SomeFailed
    })
}

pub(super) fn compact(args: &CompactArgs) -> Result<Status> {
    let address = Address::new(&args.address)?;
    let store = Local::change(address.file()?)?;
    if let Some(cells) = args.cells {
        store.set_cells(cells)?;
    }
    store.compact()?;
    Ok(Status::Done)
}

pub(super) fn forget(args: &ForgetArgs) -> Result<Status> {
    let into = Address::new(&args.address)?.change()?;
    let mut within = Vec::new();
    for path in &args.paths {
        // What links below it lead to may have been named itself.
        within.extend(names(path).with_context(|| quoted(path).into_owned())?);
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
    Ok(if forgotten.is_empty() {
        Status::NothingFound
    } else {
        Status::Done
    })
}

pub(super) fn import(args: &ImportArgs) -> Result<Status> {
    interrupt::watch("stopping; what was added is kept")?;
    let address = Address::new(&args.address)?;
    let mut data = Data::new();
    for from in &args.from {
        let n = if from.is_dir() {
            embeddings(from, &address, args)? as u64
        } else {
            let from = Address::named(from).open()?;
            let into = address.create(from.model())?;
            merge(from.as_ref(), into.as_ref(), &mut |_| interrupt::go_on())?
        };
        if interrupt::asked() {
            return Ok(Status::Interrupted);
        }
        data.named(format_args!("{n} contents from "), from, "")?;
        data.flush()?;
    }
    Ok(Status::Done)
}

/// Adds what clip-retrieval wrote into a folder.
fn embeddings(folder: &Path, address: &Address, args: &ImportArgs) -> Result<usize> {
    let made = ClipRetrieval::open(folder)?;
    let clip = open(&args.model)?;
    let bar = progress::inputs(made.count(clip.config().embed_dim)?);
    let into = address.create(&address::model(&args.model, &clip)?)?;
    let n = made.import(into.as_ref(), &mut |n| {
        bar.set_position(n as u64);
        interrupt::go_on()
    });
    bar.finish_and_clear();
    if !interrupt::asked() {
        calibrate(&clip, into.as_ref())?;
    }
    Ok(n?)
}

pub(super) fn export(args: &ExportArgs) -> Result<Status> {
    let array = args.out.join(diptych_search::EMBEDDINGS);
    outputs::check(&array, Kind::Array, [])?;
    let metadata = args.out.join(diptych_search::METADATA);
    outputs::check(&metadata, Kind::ListOf(&array), [])?;
    let store = Address::new(&args.address)?.open()?;
    let n = diptych_search::export(store.as_ref(), &args.out)?;
    let mut data = Data::new();
    data.line(format_args!("{n} embeddings"))?;
    data.flush()?;
    Ok(Status::Done)
}
