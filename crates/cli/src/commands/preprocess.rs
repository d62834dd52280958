//! `diptych preprocess`: pictures → the pixels that the image tower reads.

use anyhow::Result;
use diptych::image::{DecodeOptions, Pixels, Preprocess};
use diptych::weights::{Parts, describe};
use rayon::prelude::*;

use super::local;
use crate::args::PreprocessArgs;
use crate::arrays::Array;
use crate::inputs::Given;
use crate::{Status, output, progress};

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
    Array::check(&args.out, given.inputs())?;
    let Given { files, errors, .. } = given;
    let preprocess = options(args)?;
    let decode = DecodeOptions::from(&args.decode);
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
    }
    bar.finish_and_clear();
    if !is_whole {
        return Ok(Status::SomeFailed); // and nothing is written
    }
    array.finish()?;
    Ok(Status::Done)
}
