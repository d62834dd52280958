//! `diptych duplicates`: an index → groups of files that are equal, or nearly.

use anyhow::Result;
use diptych::tasks::query::{Group, duplicates};
use serde_json::json;

use super::store::Place;
use crate::Status;
use crate::args::DuplicatesArgs;
use crate::output::Data;

pub(crate) fn run(args: &DuplicatesArgs) -> Result<Status> {
    let store = Place::new(&args.place)?.open()?;
    let found = duplicates(store.as_ref(), args.threshold)?;
    let mut data = Data::new();
    for (kind, groups) in [("exact", &found.exact), ("near", &found.near)] {
        for Group { paths, cosine } in groups {
            if args.json {
                data.json(&json!({ "kind": kind, "cosine": cosine, "paths": paths }))?;
                continue;
            }
            data.line(format_args!("{kind}, {cosine:.4}"))?;
            for path in paths {
                data.line(format_args!("  {path}"))?;
            }
        }
    }
    data.flush()?;
    Ok(match found.exact.is_empty() && found.near.is_empty() {
        true => Status::NothingFound,
        false => Status::Done,
    })
}
