//! `diptych search` and `diptych similar`: a query → the pictures of an index that are nearest.

use std::path::Path;

use anyhow::{Context, Result};
use diptych::Clip;
use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture};
use diptych::tasks::index::{canonical, places};
use diptych::tasks::query::{Calibration, Expression, TEMPLATES, Term, What};
use diptych::weights::{DEFAULT_MODEL, Parts};
use index::{Filter, Hit, Query, Store};
use serde::Serialize;

use super::store::Place;
use crate::args::{HitsArgs, MinScore, SearchArgs, SimilarArgs};
use crate::output::{Data, hinted};
use crate::preview::{self, Protocol};
use crate::{Status, files, inputs, sheet};

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
}

pub(crate) fn search(args: SearchArgs) -> Result<Status> {
    let text = args.query.join(" ");
    let expression = Expression::parse(&text)?;
    let (store, clip) = open(&args.hits)?;
    let templates: Vec<&str> = match args.templates.is_empty() {
        true => TEMPLATES.to_vec(),
        false => args.templates.iter().map(String::as_str).collect(),
    };
    let vector = expression.vector(&clip, &templates, &DecodeOptions::default());
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
    let (store, clip) = open(&args.hits)?;
    let name = args.file.display().to_string();
    let expression = Expression {
        terms: vec![Term {
            weight: 1.0,
            what: What::Picture(args.file.clone()),
        }],
    };
    let vector = expression.vector(&clip, &[""; 0], &DecodeOptions::default())?;
    // The picture itself is not like itself, but the same.
    let hits = nearest(
        store.as_ref(),
        &vector,
        args.hits.top.saturating_add(1),
        &args.hits,
    )?;
    let own = canonical(&args.file)?;
    let mut found = found(hits, usize::MAX);
    found.retain(|found| Path::new(&found.path) != own);
    found.truncate(args.hits.top);
    tell(&name, found, &args.hits)
}

/// The index, and the model of its vectors.
fn open(args: &HitsArgs) -> Result<(Box<dyn Store>, Clip)> {
    let store = Place::new(&args.place)?.open()?;
    let has = store.model();
    let named = args.model.as_deref().unwrap_or(&has.name);
    let opened = super::local(named, Parts::All).and_then(|local| Ok(Clip::open(local)?));
    let clip =
        opened.with_context(|| format!("the index's vectors are of the model `{}`", has.name))?;
    let fingerprint = clip.fingerprint().unwrap_or_default();
    if fingerprint != has.fingerprint {
        let error = index::Error::Model {
            place: store.status()?.place,
            has: Box::new(has.clone()),
            wanted: Box::new(index::Model {
                name: named.to_owned(),
                fingerprint: fingerprint.to_owned(),
                dim: clip.config().embed_dim,
            }),
        };
        return Err(match named == DEFAULT_MODEL {
            true => hinted(
                error,
                "the default model is another since; index again into a new file",
            ),
            false => error.into(),
        });
    }
    Ok((store, clip))
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
        let (score, span) = (hit.score, hit.span);
        hit.files.into_iter().map(move |path| Found {
            path,
            score,
            start: span.map(|span| span.start),
            end: span.map(|span| span.end),
        })
    });
    lines.take(most).collect()
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
        files::write(path, sheet::page(query, &entries).as_bytes())?;
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
fn thumbnail(path: &str) -> Option<Vec<u8>> {
    let picture = Picture::open(path, &DecodeOptions::default()).ok()?;
    let small = picture.shrunk(THUMBNAIL, Interpolation::Bicubic);
    Encoding::Jpeg
        .encode(small.as_ref().unwrap_or(&picture))
        .ok()
}
