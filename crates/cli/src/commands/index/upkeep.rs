//! `diptych index status|verify|compact|forget|import|export`.

use std::path::Path;

use anyhow::{Result, anyhow};
use diptych_files::{spell, unspell};
use diptych_index::{File, Local};
use diptych_search::import::ClipRetrieval;
use diptych_search::index::{self, Decoding, IGNORE_FILE, known_roots, merge};
use diptych_search::query::calibrate;
use indicatif::HumanBytes;
use serde_json::json;

use super::super::address::{self, Address};
use super::super::open;
use crate::args::{
    AddressOnly, CompactArgs, ExportArgs, ForgetArgs, ImportArgs, StatusArgs, name_of,
};
use crate::output::{Data, error, message, quoted};
use crate::outputs::{self, Kind};
use crate::{Status, interrupt, progress};

/// Folders that are named; the others are counted.
const NAMED: usize = 10;

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
    let known = known_roots(store.as_ref())?;
    if args.json {
        let mut status = serde_json::to_value(&status)?;
        status["known"] = known.iter().map(|root| spell(root)).collect();
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
        for root in known.iter().take(NAMED) {
            let gone = if root.exists() { "" } else { "  (gone)" };
            data.named("knows     ", root, gone)?;
        }
        if known.len() > NAMED {
            let more = known.len() - NAMED;
            data.line(format_args!(
                "          and {more} more; `--json` lists them"
            ))?;
        }
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
    if verified.problems.is_empty() {
        return Ok(Status::Done);
    }
    message(
        "\nhint: an index is made from its pictures: move the file away and run `diptych index` on the same folders, or put a \
         copy of it back",
    );
    Ok(Status::SomeFailed)
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
    let forgotten = index::forget(into.as_ref(), &args.paths)?;
    let mut data = Data::new();
    data.line(format_args!(
        "{} files forgotten{}",
        forgotten.files,
        match forgotten.refused {
            0 => String::new(),
            n => format!(", and {n} that could not be indexed"),
        }
    ))?;
    data.flush()?;
    for root in &forgotten.roots {
        message(format_args!("{} is no longer looked through", quoted(root)));
    }
    for (path, by) in &forgotten.reached {
        message(format_args!(
            "{} is in {}, which is looked through: the next `diptych index` takes it in again, unless `{IGNORE_FILE}` leaves it out",
            quoted(path),
            quoted(by)
        ));
    }
    let is_any = forgotten.files + forgotten.refused + forgotten.roots.len() > 0;
    Ok(if is_any {
        Status::Done
    } else {
        Status::NothingFound
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
