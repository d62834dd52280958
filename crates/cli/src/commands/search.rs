//! `diptych search` and `diptych similar`: a query → the pictures of an index that are nearest.

use std::path::Path;

use anyhow::Result;
use diptych::image::is_picture_name;
use diptych::text::{Overflow, TextError, shortened};
use diptych::{Expression, What, verbatim};
use diptych_search::Error;
use diptych_search::query::{Request, picture_file};
use diptych_search::source::embedding;

use super::address::{Address, clip_of};
use super::hits::{check_page, tell};
use super::{INDEX, tell_of_default};
use crate::args::{HitsArgs, SearchArgs, SimilarArgs};
use crate::output::{hinted, message, quoted};
use crate::{Status, inputs};

pub(crate) fn search(args: SearchArgs) -> Result<Status> {
    check_page(args.hits.html.as_deref())?;
    let text = args.query.join(" ");
    let expression = Expression::parse(&text, picture_file)?;
    tell_of_names(&text, &expression);
    let store = Address::new(&args.hits.address)?.open()?;
    let store = store.as_ref();
    let clip = clip_of(store, args.hits.model.as_deref())?;
    tell_of_default(clip.name(), !args.hits.json && !args.hits.paths0, INDEX);
    let request = Request {
        templates: args.templates,
        min_score: args.min_score,
        overflow: if args.truncate {
            Overflow::Truncate
        } else {
            Overflow::Refuse
        },
        ..Request::from(&args.hits)
    };
    let answer = request.search(store, &clip, &expression, |path| {
        embedding(store, &clip, path, &request.decode)
    });
    let answer = answer.map_err(|error| match error {
        Error::Model(error) => of_query(error, &expression),
        Error::NoThreshold => hinted(error, "`diptych index` finds it at the end of a run"),
        error => error.into(),
    })?;
    tell(&text, answer, &args.hits)
}

/// Says of texts that look like a picture's name that they are read as words: the name may be
/// mistyped.
fn tell_of_names<P>(query: &str, expression: &Expression<P>) {
    for term in &expression.terms {
        if let What::Text(text) = &term.what
            && is_picture_name(Path::new(text))
            && !query.contains(&verbatim(text))
        {
            message(format_args!(
                "note: `{}` is no file here, and is looked for as words; in quotes it is words without this note",
                shortened(text)
            ));
        }
    }
}

pub(crate) fn similar(args: SimilarArgs) -> Result<Status> {
    check_page(args.hits.html.as_deref())?;
    let store = Address::new(&args.hits.address)?.open()?;
    let store = store.as_ref();
    let named = args.hits.model.as_deref();
    // A model that is named is checked, though none may be needed.
    let mut opened = named.map(|_| clip_of(store, named)).transpose()?;
    let clip = || opened.take().map_or_else(|| clip_of(store, None), Ok);
    let answer = Request::from(&args.hits).similar(store, &args.file, clip)?;
    tell(&quoted(&args.file), answer, &args.hits)
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
            decode: args.limit.into(),
            ..Self::default()
        }
    }
}

/// The model's error, with the text of the query that it is about.
fn of_query<P>(error: diptych::Error, expression: &Expression<P>) -> anyhow::Error {
    let is_long = matches!(&error, diptych::Error::Text(TextError::InBatch { error, .. })
        if matches!(**error, TextError::TooLong { .. }));
    let error = inputs::in_text(error, |term| match &expression.terms[term].what {
        What::Text(text) => format!("query `{}`", shortened(text)),
        What::Picture(_) => "query".to_owned(),
    });
    if is_long {
        return hinted(error, "`--truncate` cuts it");
    }
    error
}
