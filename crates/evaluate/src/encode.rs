//! Embeddings of labelled pictures, as a stream, so that a set may be larger than memory.

use std::fmt::Display;

use diptych::image::Pixels;
use diptych::{Clip, Embeddings, Error, Result};

/// A picture and what is true of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelled<P, L> {
    /// Source that the picture is loaded from.
    pub picture: P,
    /// Its class, or its captions.
    pub label: L,
}

/// The pictures that can be measured on.
pub(crate) struct Encoded<L> {
    /// A row for each of `labels`.
    pub(crate) images: Embeddings,
    /// Class or captions of each picture.
    pub(crate) labels: Vec<L>,
    /// For each picture that was left out, the reason.
    pub(crate) skipped: Vec<String>,
}

/// Why a picture has no embedding.
enum Failure {
    /// It can't be loaded.
    Picture(String),
    Model(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Model(error)
    }
}

/// Encodes the pictures that can be loaded.
pub(crate) fn encode<P, L, E>(
    clip: &Clip,
    pictures: impl IntoIterator<Item = Labelled<P, L>>,
    load: impl Fn(P) -> Result<Pixels, E> + Sync,
) -> Result<Encoded<L>>
where
    P: Send,
    E: Display,
{
    let mut encoded = Encoded {
        images: Embeddings::empty(clip.config().embed_dim),
        labels: Vec::new(),
        skipped: Vec::new(),
    };
    // A stream reads ahead, so labels wait for their pictures.
    let waiting = std::cell::RefCell::new(std::collections::VecDeque::new());
    let sources = pictures.into_iter().map(|Labelled { picture, label }| {
        waiting.borrow_mut().push_back(label);
        picture
    });
    let load = |picture| load(picture).map_err(|e| Failure::Picture(e.to_string()));
    for features in clip.stream_images(sources, load) {
        let label = waiting.borrow_mut().pop_front();
        match features {
            Ok(features) => {
                encoded.images.push(&features)?;
                encoded.labels.extend(label);
            }
            Err(Failure::Picture(reason)) => encoded.skipped.push(reason),
            Err(Failure::Model(error)) => return Err(error),
        }
    }
    Ok(encoded)
}
