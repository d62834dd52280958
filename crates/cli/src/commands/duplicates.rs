//! `diptych duplicates`: an index → groups of files that are equal, or nearly.

use std::collections::HashSet;

use anyhow::Result;
use diptych_files::unspell;
use diptych_index::Store;
use diptych_search::index::places;
use diptych_search::query::{
    Duplicates, FALLBACK, Group, Member, NearThreshold, Sought, duplicates, nothing_within,
};
use diptych_search::sheet::{self, Tile, thumbnail};
use indicatif::HumanBytes;
use serde_json::json;

use super::address::{Address, clip_of};
use super::hits::{check_page, say_why};
use crate::args::DuplicatesArgs;
use crate::output::{Data, message};
use crate::{Status, interrupt, progress};

pub(crate) fn run(args: &DuplicatesArgs) -> Result<Status> {
    check_page(args.html.as_deref())?;
    let address = Address::new(&args.address)?;
    let store = address.open()?;
    let mut sought = Sought {
        decode: args.limit.into(),
        ..Sought::default()
    };
    for folder in &args.within {
        sought.within.extend(places(store.as_ref(), folder)?);
    }
    if !args.exact {
        sought.threshold = Some(match args.threshold {
            Some(threshold) => threshold,
            None => threshold(&address, store.as_ref(), args)?,
        });
    }
    interrupt::watch("stopping")?;
    let mut bar = None;
    let found = duplicates(store.as_ref(), &sought, &mut |done, of| {
        bar.get_or_insert_with(|| progress::inputs(of))
            .set_position(done as u64);
        interrupt::go_on()
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let found = found?;
    if found.interrupted {
        return Ok(Status::Interrupted);
    }
    let status = tell(args, &found)?;
    if status == Status::NothingFound {
        match nothing_within(store.as_ref(), &args.within)? {
            Some(nothing) => say_why(&nothing),
            None => message("nothing found: no picture is there twice"),
        }
    }
    Ok(status)
}

/// The threshold of the index's model: as it is noted, or measured and noted for the next time,
/// where that can be done.
fn threshold(address: &Address, store: &dyn Store, args: &DuplicatesArgs) -> Result<f32> {
    if let Some(noted) = NearThreshold::noted(store)? {
        return Ok(noted.cosine);
    }
    let clip = clip_of(store, args.model.as_deref())?;
    let measured = NearThreshold::measure(&clip, store)?;
    if measured.pictures == 0 {
        message(format_args!(
            "too few pictures of the index can be read to measure how near its model finds copies; taken is {FALLBACK}"
        ));
    } else if let Ok(store) = address.change() {
        // Where another process is writing, or nothing can be written, it is measured again.
        let _ = measured.note(store.as_ref());
    }
    Ok(measured.cosine)
}

fn tell(args: &DuplicatesArgs, found: &Duplicates) -> Result<Status> {
    let kinds = [("exact", &found.exact), ("near", &found.near)];
    let groups = || {
        kinds
            .into_iter()
            .flat_map(|(kind, of)| of.iter().map(move |g| (kind, g)))
    };
    let mut data = Data::new();
    let mut told = HashSet::new();
    for (kind, group) in groups() {
        if args.json {
            data.json(&line(kind, group))?;
        } else if args.paths0 {
            for member in &group.members[1..] {
                // One that is equal to another may be near to a third.
                if told.insert(&member.path) {
                    data.path0(&unspell(&member.path))?;
                }
            }
        } else {
            data.line(format_args!("{kind}, {:.4}", group.cosine))?;
            for (at, member) in group.members.iter().enumerate() {
                let keep = if at == 0 { "keep" } else { "" };
                data.named(
                    format_args!("  {keep:4}  "),
                    &unspell(&member.path),
                    format_args!(
                        "  ({}){}",
                        facts(member),
                        if member.gone { "  (gone)" } else { "" }
                    ),
                )?;
            }
        }
    }
    data.flush()?;
    if let Some(path) = &args.html {
        let tiles: Vec<Tile> = groups()
            .zip(1..)
            .flat_map(|(group, number)| tiles(group, number, args))
            .collect();
        diptych_files::replace_named(path, sheet::page("duplicates", &tiles).as_bytes())?;
    }
    if found.stale > 0 {
        message(format_args!(
            "{} files are gone or have changed since they were indexed, and were left out; `diptych index` brings the index up to date",
            found.stale
        ));
    }
    if groups().any(|(_, group)| group.members.iter().any(|member| member.gone)) {
        message(
            "none of the index's files and folders is here: what is told is as it was when they were indexed",
        );
    }
    if found.unseen > 0 {
        message(format_args!(
            "{} pictures were not compared: the index does not know how they look, and their files can't be read",
            found.unseen
        ));
    }
    Ok(if groups().next().is_none() {
        Status::NothingFound
    } else {
        Status::Done
    })
}

fn line(kind: &str, group: &Group) -> serde_json::Value {
    let of = |value: fn(&Member) -> serde_json::Value| -> Vec<serde_json::Value> {
        group.members.iter().map(value).collect()
    };
    json!({
        "kind": kind,
        "cosine": group.cosine,
        // Names of one file are told once, so no group is of one file's.
        "same_file": false,
        "keeper": group.members[0].path,
        "paths": of(|member| json!(member.path)),
        "sizes": of(|member| json!(member.size)),
        "pixels": of(|member| json!(member.pixels)),
        "gone": of(|member| json!(member.gone)),
    })
}

fn facts(member: &Member) -> String {
    let size = HumanBytes(member.size);
    match member.pixels {
        Some((width, height)) => format!("{width} × {height}, {size}"),
        None => size.to_string(),
    }
}

/// The tiles of a group on a page.
fn tiles((kind, group): (&str, &Group), number: usize, args: &DuplicatesArgs) -> Vec<Tile> {
    let decode = args.limit.into();
    let keep = |at: usize| if at == 0 { "keep" } else { "copy" };
    let tile = |(at, member): (usize, &Member)| Tile {
        path: member.path.clone(),
        score: group.cosine,
        title: Some(format!("{kind} {number}, {}: {}", keep(at), facts(member))),
        thumbnail: thumbnail(&unspell(&member.path), &decode),
        start: None,
        copies: 0,
        gone: member.gone,
    };
    group.members.iter().enumerate().map(tile).collect()
}
