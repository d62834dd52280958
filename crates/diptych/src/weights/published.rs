//! A published model's files, for whoever opens it by its name.

use std::path::PathBuf;

use super::names::Published;
#[cfg(not(feature = "hub"))]
use crate::Error;
use crate::Result;

/// What of a model is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Architecture, preprocessing, tokenizer: small files.
    Description,
    /// Its weights, too.
    All,
}

/// Where the model called `name` lies, once it is on this machine: downloading takes minutes, without a word.
#[cfg(feature = "hub")]
pub(super) fn obtained(name: &str, published: Option<&Published>, parts: Parts) -> Result<PathBuf> {
    use std::ops::ControlFlow;
    let download =
        |published| super::hub::download(published, parts, &mut |_| ControlFlow::Continue(()));
    let place = published.map(download).transpose()?.flatten();
    place.ok_or_else(|| super::resolve::no_weights(name.to_owned(), None))
}

/// Where the model called `name` lies.
#[cfg(not(feature = "hub"))]
pub(super) fn obtained(name: &str, _: Option<&Published>, _: Parts) -> Result<PathBuf> {
    Err(Error::Hub {
        name: name.to_owned(),
        reason: "this program was built without the feature `hub`, so it downloads nothing; wanted a checkpoint's \
                 directory or file"
            .into(),
    })
}
