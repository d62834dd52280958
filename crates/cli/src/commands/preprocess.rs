//! `diptych preprocess`: a picture → the pixels that the image tower reads.

use anyhow::Result;
use diptych::image::Preprocess;
use diptych::weights::{Parts, describe};

use super::local;
use crate::Status;
use crate::args::PreprocessArgs;
use crate::inputs;
use diptych_files::npy::NpyWriter;

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
    let preprocess = options(args)?;
    let pixels = preprocess.load(&args.image, &(&args.decode).into());
    let pixels = pixels.map_err(|error| inputs::explain(error, &args.image))?;

    let mut file = NpyWriter::create(&args.out, &[3, pixels.side(), pixels.side()])?;
    file.write(pixels.as_slice())?;
    file.finish()?;
    Ok(Status::Done)
}
