//! Indexes a folder of pictures into an index that is gone afterwards, and searches it.
//!
//! `cargo run --release -p diptych-search --example search -- FOLDER QUERY`, where a query is words
//! (`"a dog on a beach"`), pictures (`./me.jpg`) or sums of both (`"beach +0.5:sunset -people"`).

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use diptych::image::DecodeOptions;
use diptych::{Clip, Expression};
use diptych_index::Local;
use diptych_search::index::{self, index};
use diptych_search::model_of;
use diptych_search::query::{Request, picture_file};
use diptych_search::source::{Pictures, embedding};

const USAGE: &str = "usage: search FOLDER QUERY";

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let folder = args.next().context(USAGE)?;
    let query = args.next().context(USAGE)?;
    let query = query.to_str().context("a query is UTF-8")?;

    let clip = Clip::open("default")?;
    let place = tempfile::tempdir()?;
    let model = model_of(&clip, clip.name());
    let store = Local::create(place.path().join("photos.diptych"), &model)?;

    // Run again on an index that is kept, it reads only what is new.
    let report = index(
        &clip,
        &store,
        &[&Pictures::default()],
        &[folder.into()],
        &index::Options::default(),
        &mut |_| ControlFlow::Continue(()),
    )?;
    for failed in &report.failed {
        println!("{}: {}", failed.path, failed.reason);
    }
    println!("{} pictures", report.encoded);

    let expression = Expression::parse(query, picture_file)?;
    let options = DecodeOptions::default();
    let answer = Request::default().search(&store, &clip, &expression, |picture| {
        embedding(&store, &clip, picture, &options)
    })?;
    match answer {
        Ok(found) => found
            .iter()
            .for_each(|found| println!("{:.3}  {}", found.score, found.first().path)),
        Err(nothing) => println!("nothing found: {nothing}"),
    }
    Ok(())
}
