//! COCO's captions: JSON with a list of `images` and a list of `annotations`, joined by numbers.
//!
//! Source: the "Image Captioning" part of the format at cocodataset.org.

use std::path::Path;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::Value;

use super::source::Captions;
use crate::samples::{Found, Reason};
use crate::{Error, Result};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    /// Missing from annotations that are no captions.
    #[serde(default)]
    caption: Value,
}

/// Reads the pictures in the order of the file.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Data`] if it is no such file or nothing in it can be
/// used.
pub(super) fn read(path: &Path, base: &Path) -> Result<Found> {
    let bytes = fs_err::read(path).map_err(Error::Io)?;
    let file: File = serde_json::from_slice(&bytes).map_err(|e| Error::Data {
        path: path.to_owned(),
        reason: format!("not COCO's captions: {e}"),
    })?;
    let mut captions_of = FxHashMap::<i64, Vec<String>>::default();
    let mut captions = Captions::new(path, base);
    let known: rustc_hash::FxHashSet<i64> = file.images.iter().map(|image| image.id).collect();
    for Annotation { image_id, caption } in file.annotations {
        match caption {
            _ if !known.contains(&image_id) => captions.pass_over(
                Reason::NoPicture,
                format_args!("an annotation is of image {image_id}, which is not listed"),
            ),
            Value::String(caption) => captions_of.entry(image_id).or_default().push(caption),
            _ => captions.pass_over(
                Reason::EmptyCaption,
                format_args!("an annotation of image {image_id} has no caption"),
            ),
        }
    }
    for Image { id, file_name } in file.images {
        match captions_of.remove(&id) {
            Some(all) => all
                .iter()
                .for_each(|caption| captions.add(&file_name, caption)),
            None => captions.pass_over(
                Reason::NoCaption,
                format_args!("picture {file_name}: it has no caption"),
            ),
        }
    }
    captions.finish()
}
