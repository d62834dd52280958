//! `diptych preprocess`: pictures → the pixels that the image tower reads.

use anyhow::Result;
use diptych::image::{DecodeOptions, Pixels, Preprocess};
use diptych::weights::{Parts, describe};
use diptych_files::{replace_named, to_line};
use rayon::prelude::*;

use super::local;
use crate::args::PreprocessArgs;
use crate::arrays::{Array, PATHS, is_plain, list_of};
use crate::inputs::Given;
use crate::{Status, interrupt, output, progress};

/// Pictures in memory at a time.
const BATCH: usize = 64;

/// The model's preprocessing, but for what was asked otherwise.
fn options(args: &PreprocessArgs) -> Result<Preprocess> {
    let model = describe(&local(&args.model.model, Parts::Description)?)?.preprocess;
    Ok(Preprocess {
        order: args.order.unwrap_or(model.order),
        interpolation: args.interpolation.unwrap_or(model.interpolation),
        resize_mode: args.resize_mode.unwrap_or(model.resize_mode),
        size: args.size.unwrap_or(model.size),
        ..model
    })
}

pub(crate) fn run(args: &PreprocessArgs) -> Result<Status> {
    let given = Given::new(&args.images, None)?;
    let is_listed = given.is_gathered && is_plain(&args.out);
    let list = is_listed.then(|| list_of(&args.out, PATHS));
    Array::check(&args.out, list.as_deref(), || given.inputs())?;
    let Given { files, errors, .. } = given;
    let preprocess = options(args)?;
    let decode = DecodeOptions::from(&args.decode);
    interrupt::watch("stopping, nothing is written")?;
    let side = preprocess.size;
    let mut array = Array::create(&args.out, &[files.len(), 3, side, side])?;
    errors.iter().for_each(output::error);
    let mut is_whole = errors.is_empty();
    let bar = progress::inputs(files.len());
    for files in files.chunks(BATCH) {
        let loaded: Vec<_> = files
            .par_iter()
            .map(|file| preprocess.load(file, &decode))
            .collect();
        for pixels in loaded {
            match pixels.map(Pixels::into_vec) {
                Ok(values) => array.write(&values)?,
                Err(error) => {
                    is_whole = false;
                    bar.suspend(|| output::error(&error.into()));
                }
            }
            bar.inc(1);
        }
        if interrupt::asked() {
            return Ok(Status::Interrupted);
        }
    }
    bar.finish_and_clear();
    if !is_whole {
        return Ok(Status::SomeFailed); // and nothing is written
    }
    array.finish()?;
    if let Some(list) = list {
        let lines = files.iter().map(|file| file.as_os_str().as_encoded_bytes());
        let lines = lines.flat_map(|file| [&to_line(file), b"\n".as_slice()].concat());
        replace_named(&list, &lines.collect::<Vec<u8>>())?;
    }
    Ok(Status::Done)
}
