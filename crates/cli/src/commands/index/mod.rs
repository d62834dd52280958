//! `diptych index`: pictures → an index, and what is done with one besides searching it.

mod upkeep;
mod watch;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use diptych::Clip;
use diptych::image::{Decode, DecodeOptions};
use diptych_index::Store;
use diptych_search::index::{Decoding, Options, Report, canonical, index};
use diptych_search::query::calibrate;
use diptych_search::source::Pictures;

use super::address::{self, Address};
use super::{MODEL, open, tell_of_default};
use crate::args::{IndexArgs, IndexCommand, name_of};
use crate::output::{Data, error, message};
use crate::{Status, inputs, interrupt, progress};

/// Files that could not be indexed which are named; the others are counted.
const NAMED: usize = 10;

pub(crate) fn run(args: IndexArgs) -> Result<Status> {
    match args.command {
        Some(IndexCommand::Status(args)) => upkeep::status(&args),
        Some(IndexCommand::Verify(args)) => upkeep::verify(&args),
        Some(IndexCommand::Compact(args)) => upkeep::compact(&args),
        Some(IndexCommand::Forget(args)) => upkeep::forget(&args),
        Some(IndexCommand::Import(args)) => upkeep::import(&args),
        Some(IndexCommand::Export(args)) => upkeep::export(&args),
        None => make(&args),
    }
}

fn make(args: &IndexArgs) -> Result<Status> {
    let roots = roots(&args.paths)?;
    let options = Options {
        hidden: args.hidden,
        exclude: args.exclude.clone(),
        shard: args.shard,
        forget_emptied: args.forget_emptied,
        retry: args.retry,
    };
    let address = Address::new(&args.address)?;
    if !roots.iter().any(|root| root.exists()) && address.is_missing() {
        // An index of nothing would be found later, and searched in vain.
        for root in &roots {
            fs_err::metadata(root)?;
        }
        bail!("no folder or picture is named, and there is no index yet");
    }
    let clip = open(&args.model)?;
    tell_of_default(&args.model.model, !args.json, MODEL);
    let store = address.create(&address::model(&args.model, &clip)?)?;
    let store = store.as_ref();
    let pictures = pictures_of(store, args.decode)?;
    interrupt::watch("stopping; what was encoded is kept")?;
    if args.watch {
        return watch::follow(&roots, || {
            let report = once(&clip, store, &pictures, &roots, &options)?;
            tell(args, &report)
        });
    }
    let report = once(&clip, store, &pictures, &roots, &options)?;
    tell(args, &report)
}

/// Places of the paths that were typed and listed.
fn roots(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let place = |path: &PathBuf| canonical(path).with_context(|| path.display().to_string());
    inputs::named(paths)?.iter().map(place).collect()
}

/// Pictures, decoded as is asked for, or else as the index's are; and a word if they differ.
fn pictures_of(store: &dyn Store, asked: Option<Decode>) -> Result<Pictures> {
    let own = Decoding::add(store, asked)?.decode;
    let decode = asked.unwrap_or(own);
    if decode != own {
        message(format_args!(
            "warning: the index was begun with `--decode {}`, as pictures in queries are decoded; new ones are decoded otherwise, so their cosines may be off a little",
            name_of(own)
        ));
    }
    Ok(Pictures {
        decode: DecodeOptions {
            decode,
            ..DecodeOptions::default()
        },
    })
}

/// One run over everything.
fn once(
    clip: &Clip,
    store: &dyn Store,
    pictures: &Pictures,
    roots: &[PathBuf],
    options: &Options,
) -> Result<Report> {
    let mut bar = None;
    let report = index(clip, store, &[pictures], roots, options, &mut |progress| {
        let bar = bar.get_or_insert_with(|| progress::inputs(progress.files));
        bar.set_position(progress.done as u64);
        interrupt::go_on()
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    if !report.interrupted {
        calibrate(clip, store)?;
    }
    Ok(report)
}

/// Says what was done, and how it ended.
fn tell(args: &IndexArgs, report: &Report) -> Result<Status> {
    for failed in report.failed.iter().take(NAMED) {
        let sentence = if failed.reason.contains(&failed.path) {
            failed.reason.clone()
        } else {
            format!("{}: {}", failed.path, failed.reason)
        };
        error(&anyhow::anyhow!(sentence));
    }
    if report.failed.len() > NAMED {
        let more = report.failed.len() - NAMED;
        message(format_args!(
            "and {more} more; `diptych index status --refused` lists them"
        ));
    }
    for folder in &report.emptied {
        message(format_args!(
            "{folder}: there are no pictures any more, so those of the index are kept; `--forget-emptied` drops them"
        ));
    }
    let mut data = Data::new();
    if args.json {
        data.json(report)?;
    } else {
        data.line(format_args!(
            "{} encoded, {} copied or moved, {} removed, {} unchanged, {} failed",
            report.encoded,
            report.linked,
            report.removed,
            report.unchanged,
            report.failed.len()
        ))?;
    }
    data.flush()?;
    Ok(match (report.interrupted, report.failed.is_empty()) {
        (true, _) => Status::Interrupted,
        (false, true) => Status::Done,
        (false, false) => Status::SomeFailed,
    })
}
