//! `diptych search` and `diptych similar`: a query → the pictures of an index that are nearest.

use std::path::Path;

use anyhow::Result;
use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture};
use diptych::{Clip, Embeddings, Expression, TEMPLATES};
use diptych_index::{Filter, Hit, Part, Query, Region, Store, TakenFrom};
use diptych_search::index::{places, same_file};
use diptych_search::query::{Calibration, picture_file};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::Serialize;

use super::store::{Place, clip_of};
use crate::args::{HitsArgs, MinScore, SearchArgs, SimilarArgs};
use crate::output::{Data, hinted};
use crate::preview::{self, Protocol};
use crate::{Status, inputs, sheet};

/// Sides of small pictures on a page, in pixels.
const THUMBNAIL: usize = 320;

/// Columns of a picture in the terminal.
const COLUMNS: usize = 40;

/// A line of JSON.
#[derive(Debug, Serialize)]
struct Found {
    path: String,
    score: f32,
    start: Option<f64>,
    end: Option<f64>,
    /// Of a tile of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    /// By the clock on the wall where it was taken, in ISO 8601.
    taken: Option<String>,
    taken_from: Option<TakenFrom>,
}

pub(crate) fn search(args: SearchArgs) -> Result<Status> {
    let text = args.query.join(" ");
    let expression = Expression::parse(&text, picture_file)?;
    let store = Place::new(&args.hits.place)?.open()?;
    let clip = clip_of(store.as_ref(), args.hits.model.as_deref())?;
    let templates: Vec<&str> = match args.templates.is_empty() {
        true => TEMPLATES.to_vec(),
        false => args.templates.iter().map(String::as_str).collect(),
    };
    let vector = expression.vector(&clip, &templates, |path| embedding(&clip, path));
    let vector = vector.map_err(|e| inputs::in_text(e, |_| format!("query `{text}`")))?;
    let k = match args.min_score {
        // Whether there is anything is told by more than the first.
        Some(MinScore::Auto) => args.hits.top.max(Calibration::LOOK_AT),
        _ => args.hits.top,
    };
    let mut hits = nearest(store.as_ref(), &vector, k, &args.hits)?;
    match args.min_score {
        None => {}
        Some(MinScore::Cosine(least)) => hits.retain(|hit| hit.score >= least),
        Some(MinScore::Auto) => {
            let Some(calibration) = Calibration::of(store.as_ref())? else {
                let error = anyhow::anyhow!("the index has no threshold yet");
                return Err(hinted(
                    error,
                    "`diptych index` finds it at the end of a run",
                ));
            };
            hits = calibration.keep(store.as_ref(), hits)?;
        }
    }
    tell(&text, found(hits, args.hits.top), &args.hits)
}

pub(crate) fn similar(args: SimilarArgs) -> Result<Status> {
    let store = Place::new(&args.hits.place)?.open()?;
    let clip = clip_of(store.as_ref(), args.hits.model.as_deref())?;
    let name = args.file.display().to_string();
    let vector = embedding(&clip, &args.file)?;
    // The picture itself is not like itself, but the same.
    let hits = nearest(
        store.as_ref(),
        vector.as_slice(),
        args.hits.top.saturating_add(1),
        &args.hits,
    )?;
    let mut found = found(hits, usize::MAX);
    found.retain(|found| !same_file(Path::new(&found.path), &args.file));
    found.truncate(args.hits.top);
    tell(&name, found, &args.hits)
}

/// A picture's embedding, `[1, D]`.
fn embedding(clip: &Clip, path: &Path) -> diptych::Result<Embeddings> {
    let options = DecodeOptions::default();
    clip.encode_images(&clip.preprocess().load(path, &options)?)
}

fn nearest(store: &dyn Store, vector: &[f32], k: usize, args: &HitsArgs) -> Result<Vec<Hit>> {
    let mut within = Vec::new();
    for folder in &args.within {
        within.extend(places(store, folder)?);
    }
    let filter = Filter {
        within,
        after: args.after,
        before: args.before,
        dated: args.dated,
    };
    Ok(store.search(&Query {
        vector,
        k,
        filter: &filter,
        method: args.method,
    })?)
}

/// A line for each file of each hit.
fn found(hits: Vec<Hit>, most: usize) -> Vec<Found> {
    let lines = hits.into_iter().flat_map(|hit| {
        let (score, Part { span, region }) = (hit.score, hit.part);
        let taken = hit.taken;
        hit.files.into_iter().map(move |path| Found {
            path,
            score,
            start: span.map(|span| span.start),
            end: span.map(|span| span.end),
            region,
            taken: taken.and_then(|taken| wall_clock(taken.at)),
            taken_from: taken.map(|taken| taken.from),
        })
    });
    lines.take(most).collect()
}

/// A time as an index holds it, in ISO 8601.
pub(super) fn wall_clock(at: i64) -> Option<String> {
    let begin = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let clock = begin.checked_add(SignedDuration::from_secs(at));
    Some(clock.ok()?.to_string())
}

/// Says what was found, in the way that was asked for.
fn tell(query: &str, found: Vec<Found>, args: &HitsArgs) -> Result<Status> {
    let mut data = Data::new();
    let env = |name: &str| std::env::var(name).ok();
    let protocol = args
        .preview
        .map(|named| named.unwrap_or_else(|| Protocol::detect(env)));
    for found in &found {
        if args.json {
            data.json(found)?;
        } else if args.paths0 {
            data.bytes(found.path.as_bytes())?;
            data.bytes(&[0])?;
        } else {
            data.line(format_args!("{:.3}  {}", found.score, found.path))?;
            if let Some(protocol) = protocol {
                // A picture that has gone since is still told of.
                if let Some(shown) = show(protocol, &found.path) {
                    data.bytes(&shown)?;
                }
            }
        }
        data.flush()?;
    }
    if let Some(path) = &args.html {
        let entry = |found: &Found| sheet::Entry {
            path: found.path.clone(),
            score: found.score,
            title: None,
            thumbnail: thumbnail(&found.path),
            start: found.start,
        };
        let entries: Vec<sheet::Entry> = found.iter().map(entry).collect();
        diptych_files::replace(path, sheet::page(query, &entries).as_bytes())?;
    }
    Ok(match found.is_empty() {
        true => Status::NothingFound,
        false => Status::Done,
    })
}

/// A picture as the terminal shows it.
fn show(protocol: Protocol, path: &str) -> Option<Vec<u8>> {
    let picture = Picture::open(path, &DecodeOptions::default())
        .ok()?
        .to_rgb();
    let size = (picture.width(), picture.height());
    let (width, height) = preview::size(protocol, size, COLUMNS);
    let small = picture.resize(width, height, Interpolation::Bicubic);
    let png = || Encoding::Png.encode(&small);
    preview::encode(protocol, small.as_bytes(), width, height, COLUMNS, png).ok()
}

/// A small JPEG of a picture.
pub(super) fn thumbnail(path: &str) -> Option<Vec<u8>> {
    let picture = Picture::open_small(path, THUMBNAIL, &DecodeOptions::default()).ok()?;
    let small = picture.shrunk(THUMBNAIL, Interpolation::Bicubic);
    Encoding::Jpeg
        .encode(small.as_ref().unwrap_or(&picture))
        .ok()
}
