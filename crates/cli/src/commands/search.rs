//! `diptych search` and `diptych similar`: a query → the pictures of an index that are nearest.

use anyhow::Result;
use diptych::Expression;
use diptych::image::{DecodeOptions, Encoding, Interpolation, Picture};
use diptych_search::query::{Found, Request, picture_file};
use diptych_search::source::embedding;
use diptych_search::{Error, sheet};

use super::address::{Address, clip_of};
use super::{INDEX, tell_of_default};
use crate::args::{HitsArgs, SearchArgs, SimilarArgs};
use crate::output::{Data, hinted};
use crate::preview::{self, Protocol};
use crate::{Status, inputs};

/// Columns of a picture in the terminal.
const COLUMNS: usize = 40;

pub(crate) fn search(args: SearchArgs) -> Result<Status> {
    let text = args.query.join(" ");
    let expression = Expression::parse(&text, picture_file)?;
    let store = Address::new(&args.hits.address)?.open()?;
    let store = store.as_ref();
    let clip = clip_of(store, args.hits.model.as_deref())?;
    tell_of_default(clip.name(), !args.hits.json && !args.hits.paths0, INDEX);
    let request = Request {
        templates: args.templates,
        min_score: args.min_score,
        ..Request::from(&args.hits)
    };
    let found = request.search(store, &clip, &expression, |path| {
        embedding(store, &clip, path)
    });
    let found = found.map_err(|error| match error {
        Error::Model(error) => inputs::in_text(error, |_| format!("query `{text}`")),
        Error::NoThreshold => hinted(error, "`diptych index` finds it at the end of a run"),
        error => error.into(),
    })?;
    tell(&text, &found, &args.hits)
}

pub(crate) fn similar(args: SimilarArgs) -> Result<Status> {
    let store = Address::new(&args.hits.address)?.open()?;
    let store = store.as_ref();
    let named = args.hits.model.as_deref();
    // A model that is named is checked, though none may be needed.
    let mut opened = named.map(|_| clip_of(store, named)).transpose()?;
    let clip = || opened.take().map_or_else(|| clip_of(store, None), Ok);
    let found = Request::from(&args.hits).similar(store, &args.file, clip)?;
    let name = args.file.display().to_string();
    tell(&name, &found, &args.hits)
}

impl From<&HitsArgs> for Request {
    fn from(args: &HitsArgs) -> Self {
        Self {
            top: args.top,
            within: args.within.clone(),
            after: args.after,
            before: args.before,
            dated: args.dated,
            method: args.method,
            ..Self::default()
        }
    }
}

/// Says what was found, in the way that was asked for.
fn tell(query: &str, found: &[Found], args: &HitsArgs) -> Result<Status> {
    let mut data = Data::new();
    let env = |name: &str| std::env::var(name).ok();
    let protocol = args
        .preview
        .map(|named| named.unwrap_or_else(|| Protocol::detect(env)));
    for found in found {
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
        diptych_files::replace(path, sheet::of_found(query, found).as_bytes())?;
    }
    Ok(if found.is_empty() {
        Status::NothingFound
    } else {
        Status::Done
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
