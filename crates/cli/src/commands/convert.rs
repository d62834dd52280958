//! `diptych convert`: a checkpoint → the same in another layout or number format.

use anyhow::Result;
use diptych::image::Order;
use diptych::weights::{Checkpoint, LayoutKind, Parts, convert};

use super::local;
use crate::Status;
use crate::args::ConvertArgs;
use crate::output::{Data, message};

pub(crate) fn run(args: &ConvertArgs) -> Result<Status> {
    let mut checkpoint = Checkpoint::named(local(&args.model, Parts::All)?)?;
    checkpoint.description().notes.iter().for_each(message);
    let order = checkpoint.description().preprocess.order;
    convert(&mut checkpoint, &args.out, args.layout, args.dtype)?;
    // What the other layout has no word for.
    match (order, args.layout) {
        (Order::RgbFirst, LayoutKind::OpenClip) => message(
            "open_clip resizes pictures before they become RGB: palettes and alpha come out a little different",
        ),
        (Order::Native, LayoutKind::Hf) => message(
            "transformers resizes pictures once they are RGB: palettes and alpha come out a little different",
        ),
        _ => {}
    }
    let mut data = Data::new();
    data.named("", &args.out, "")?;
    data.flush()?;
    Ok(Status::Done)
}
