//! The commands, a file each: options from what was typed, then the work.

mod address;
pub(crate) mod bench;
pub(crate) mod classify;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod demo;
pub(crate) mod duplicates;
pub(crate) mod embed;
mod hits;
pub(crate) mod index;
pub(crate) mod models;
pub(crate) mod pack;
pub(crate) mod preprocess;
mod published;
pub(crate) mod search;
pub(crate) mod show;
pub(crate) mod similarity;
pub(crate) mod tokenize;
pub(crate) mod train;

use std::ops::ControlFlow;

use anyhow::Result;
use diptych::Clip;
use diptych::weights::{self, DEFAULT_MODEL, Parts};

use crate::args::ModelArgs;
use crate::output::message;
use crate::progress::Downloads;

/// Opens a model on the device asked for.
fn open(args: &ModelArgs) -> Result<Clip> {
    let model = local(&args.model, Parts::All)?;
    Ok(told(Clip::open_on(model, args.device, args.precision)?))
}

/// A model, once what was guessed of it is said.
fn told(clip: Clip) -> Clip {
    clip.notes().iter().for_each(message);
    clip
}

/// Tells people, once a run, that it is the default model that answers: it is there for the first
/// command, not for the best answer. `better` is how to have one.
fn tell_of_default(model: &str, is_for_people: bool, better: &str) {
    if is_for_people && model == DEFAULT_MODEL {
        message(format_args!(
            "note: the default model is small and errs often; {better} knows far more (338 MB, fetched once)"
        ));
    }
}

/// Advice for messages: how to use another model, and another index.
const MODEL: &str = "`--model ViT-B/32`";
const INDEX: &str = "an index made by `diptych index --model ViT-B/32 --index FILE DIR`";

/// Returns the path of a published model, which is downloaded first if it is not on this machine;
/// any other `name` as it is.
fn local(name: &str, parts: Parts) -> Result<String> {
    let mut downloads = Downloads::default();
    // Ctrl-C may end the program: the next call goes on from what has come.
    let place = weights::fetch(name, parts, &mut |download| {
        downloads.tell(&download);
        ControlFlow::Continue(())
    })?;
    downloads.finish();
    Ok(place.map_or_else(|| name.to_owned(), |place| place.display().to_string()))
}
