//! `diptych index`: pictures → an index, and what is done with one besides searching it.

mod upkeep;
mod watch;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use diptych::Clip;
use diptych::image::DecodeOptions;
use diptych::weights::DEFAULT_MODEL;
use diptych_files::unspell;
use diptych_index::Store;
use diptych_search::index::{Decoding, Options, Report, canonical, index, known_roots};
use diptych_search::query::calibrate;
use diptych_search::source::{Pictures, refused_above};

use super::address::{self, Address};
use super::{INDEX, open, tell_of_default};
use crate::args::{IndexArgs, IndexCommand, ModelArgs, name_of};
use crate::output::{ALLOWS_MORE, Data, error, hinted, message, of_file, quoted};
use crate::{Status, inputs, interrupt, progress};

/// Files that could not be indexed which are named; the others are counted.
const NAMED: usize = 10;

/// Folders that are named before they are looked through; more are counted.
const SHOWN: usize = 5;

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
    let address = Address::new(&args.address)?;
    let mut model = args.model.clone();
    let roots = match args.paths[..] {
        [] => known(&address, &mut model)?,
        _ => roots(&args.paths)?,
    };
    let options = Options {
        hidden: args.hidden,
        exclude: args.exclude.clone(),
        shard: args.shard,
        forget_emptied: args.forget_emptied,
        retry: args.retry,
    };
    if !roots.iter().any(|root| root.exists()) && address.is_missing() {
        // An index of nothing would be found later, and searched in vain.
        for root in &roots {
            diptych_files::metadata(root)?;
        }
        bail!("no folder or picture is named, and there is no index yet");
    }
    let clip = open(&model)?;
    tell_of_default(&model.model, !args.json, INDEX);
    let store = address.create(&address::model(&model, &clip)?)?;
    let store = store.as_ref();
    let pictures = pictures_of(store, args)?;
    interrupt::watch("stopping; what was encoded is kept")?;
    if args.watch {
        return watch::follow(&roots, || {
            let report = once(&clip, store, &pictures, &roots, &options)?;
            tell(args, store, &report)
        });
    }
    let report = once(&clip, store, &pictures, &roots, &options)?;
    tell(args, store, &report)
}

/// The folders and pictures that an index knows, whose model is taken where none is named.
fn known(address: &Address, model: &mut ModelArgs) -> Result<Vec<PathBuf>> {
    let store = address.open()?;
    let roots = known_roots(store.as_ref())?;
    if roots.is_empty() {
        bail!("the index knows no folder to look through; name one");
    }
    if roots.len() > SHOWN {
        let n = roots.len();
        message(format_args!(
            "looking through {n} folders and files; `diptych index status` names them"
        ));
    } else {
        for root in &roots {
            message(format_args!("looking through {}", quoted(root)));
        }
    }
    if model.model == DEFAULT_MODEL {
        model.model.clone_from(&store.model().name);
    }
    Ok(roots)
}

/// Places of the paths that were typed and listed.
fn roots(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let place = |path: &PathBuf| canonical(path).with_context(|| quoted(path).into_owned());
    inputs::named(paths)?.iter().map(place).collect()
}

/// Pictures, decoded as is asked for, or else as the index's are; and a word if they differ.
fn pictures_of(store: &dyn Store, args: &IndexArgs) -> Result<Pictures> {
    let own = Decoding::add(store, args.decode)?.decode;
    let decode = args.decode.unwrap_or(own);
    if decode != own {
        message(format_args!(
            "warning: the index was begun with `--decode {}`, as pictures in queries are decoded; new ones are decoded otherwise, so their cosines may be off a little",
            name_of(own)
        ));
    }
    Ok(Pictures {
        decode: DecodeOptions {
            decode,
            ..args.limit.into()
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
fn tell(args: &IndexArgs, store: &dyn Store, report: &Report) -> Result<Status> {
    let known = known_roots(store)?;
    let (unbuilt, failed): (Vec<_>, Vec<_>) = report
        .failed
        .iter()
        .partition(|failed| failed.needs.is_some());
    for failed in failed.iter().take(NAMED) {
        let path = unspell(&failed.path);
        let told = anyhow!(of_file(&path, &failed.reason));
        let is_lost = !path.exists() && known.iter().any(|root| *root == path);
        error(&if is_lost {
            let hint =
                "if it is gone for good, `diptych index forget DIR` drops it and its pictures";
            hinted(told, hint)
        } else if refused_above(&failed.reason).is_some() {
            hinted(told, ALLOWS_MORE)
        } else {
            told
        });
    }
    if failed.len() > NAMED {
        let more = failed.len() - NAMED;
        message(format_args!(
            "and {more} more; `diptych index status --refused` lists them"
        ));
    }
    if let [first, ..] = unbuilt[..] {
        // All of them need the same, and are told once.
        let all = match unbuilt.len() {
            1 => String::new(),
            n => format!("{n} files that another build reads, the first being "),
        };
        error(&hinted(
            anyhow!("{all}{}", of_file(&unspell(&first.path), &first.reason)),
            "`diptych index --retry` with that build tries them again",
        ));
    }
    if report.refused > 0 {
        error(&anyhow!(
            "{} still refused: they could not be indexed before and have not changed; `diptych index status --refused` lists \
             them, `--retry` tries them again",
            report.refused
        ));
    }
    for (kind, n) in &report.skipped {
        message(format_args!(
            "{kind}: {n} passed over, since they are not indexed"
        ));
    }
    for folder in &report.emptied {
        let folder = unspell(folder);
        let folder = quoted(&folder);
        message(format_args!(
            "{folder}: there are no pictures any more, so those of the index are kept; `--forget-emptied` drops them"
        ));
    }
    let mut refused = String::new();
    if report.refused > 0 {
        refused += &format!(", {} still refused", report.refused);
    }
    if report.refused_gone > 0 {
        refused += &format!(", {} that were refused are gone", report.refused_gone);
    }
    let mut data = Data::new();
    if args.json {
        data.json(report)?;
    } else {
        data.line(format_args!(
            "{} encoded, {} copied, moved or equal to others, {} removed, {} unchanged, {} failed{}",
            report.encoded,
            report.linked,
            report.removed,
            report.unchanged,
            report.failed.len(),
            refused
        ))?;
    }
    data.flush()?;
    // Whether a file failed now or before, it is not in the index.
    let is_all = report.failed.is_empty() && report.refused == 0;
    Ok(match (report.interrupted, is_all) {
        (true, _) => Status::Interrupted,
        (false, true) => Status::Done,
        (false, false) => Status::SomeFailed,
    })
}
