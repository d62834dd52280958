//! The commands, a file each: options from what was typed, then the work.

pub(crate) mod classify;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod demo;
pub(crate) mod embed;
pub(crate) mod models;
pub(crate) mod pack;
pub(crate) mod preprocess;
pub(crate) mod show;
pub(crate) mod similarity;
pub(crate) mod tokenize;
pub(crate) mod train;

use anyhow::Result;
use diptych::Clip;

use crate::args::ModelArgs;

/// Opens a model on the device asked for.
fn open(args: &ModelArgs) -> Result<Clip> {
    Ok(Clip::open_on(&args.model, &args.device.open()?)?)
}
