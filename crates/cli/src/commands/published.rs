//! `diptych models --published`: the names that models are published by → a table to choose from.
//!
//! Invariant: the network is not asked, and no figure stands here that nobody reports.

use anyhow::Result;
use diptych::weights::{IMAGENET_SOURCE, Listing, cached_repositories, catalog, describe};
use indicatif::DecimalBytes;
use serde::Serialize;

use super::models::Cost;
use crate::Status;
use crate::output::Data;

/// A line of JSON.
#[derive(Serialize)]
struct Row {
    name: String,
    from: String,
    parameters: Option<u64>,
    gflops: Option<f64>,
    imagenet_top_1: Option<f64>,
    imagenet_source: Option<&'static str>,
    /// Where it lies, if it is on this machine, and how large it is there.
    path: Option<String>,
    bytes: Option<u64>,
}

impl Row {
    fn new(listing: Listing) -> Result<Self> {
        let here = listing.cached();
        let path = here.as_ref().map(|here| here.path.display().to_string());
        // Of an architecture that is not one of ours the files tell, where they are.
        let described = match (listing.architecture, &path) {
            (Some(name), _) => Some(describe(name)?),
            (None, Some(path)) => describe(path).ok(),
            (None, None) => None,
        };
        let cost = described.map(|described| Cost::of(&described.config));
        Ok(Self {
            parameters: cost.as_ref().map(|cost| cost.parameters),
            gflops: cost.as_ref().map(|cost| cost.gflops),
            imagenet_source: listing.imagenet_top_1.map(|_| IMAGENET_SOURCE),
            imagenet_top_1: listing.imagenet_top_1,
            name: listing.name,
            from: listing.from,
            bytes: here.map(|here| here.bytes),
            path,
        })
    }
}

pub(super) fn run(json: bool) -> Result<Status> {
    let mut listings = catalog();
    // What else of the hub is here, by its own name.
    for here in cached_repositories() {
        if !listings.iter().any(|known| known.from == here.from) {
            listings.push(here);
        }
    }
    let rows = listings.into_iter().map(Row::new);
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    let mut data = Data::new();
    if json {
        rows.iter().try_for_each(|row| data.json(row))?
    } else {
        print(&mut data, &rows)?
    }
    data.flush()?;
    Ok(Status::Done)
}

/// For people: a table.
fn print(data: &mut Data, rows: &[Row]) -> Result<()> {
    let width = rows.iter().map(|row| row.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut line = |[name, million, gflops, imagenet, here, from]: [&str; 6]| {
        data.line(format_args!(
            "{name:width$}  {million:>8}  {gflops:>6}  {imagenet:>8}  {here:>9}  {from}"
        ))
    };
    line(["model", "million", "GFLOPs", "ImageNet", "here", "from"])?;
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    for row in rows {
        let from = match row.from.strip_prefix("https://") {
            Some(address) => address.split('/').next().unwrap_or(address),
            None => &row.from,
        };
        line([
            &row.name,
            &or_dash(row.parameters.map(|n| format!("{:.2}", n as f64 / 1e6))),
            &or_dash(row.gflops.map(|n| format!("{n:.2}"))),
            &or_dash(
                row.imagenet_top_1
                    .map(|share| format!("{:.1} %", 100.0 * share)),
            ),
            &or_dash(row.bytes.map(|bytes| DecimalBytes(bytes).to_string())),
            from,
        ])?;
    }
    for note in [
        "",
        "million: parameters. GFLOPs: of a picture and a text. here: bytes on this machine; `diptych models get NAME` brings one.",
        &format!(
            "ImageNet: zero-shot top-1, from {IMAGENET_SOURCE}. -: not known to this program."
        ),
        "Any other CLIP or SigLIP of huggingface.co opens by its name, as google/siglip2-base-patch16-224 does.",
    ] {
        data.line(note)?;
    }
    Ok(())
}
