//! An index and the model that it is asked with: vectors of two models have no similarity, and
//! nothing in the numbers says so.

use diptych::Clip;
use diptych_index::{Model, Store};

use crate::Result;

/// A model as an index knows it. One that is being trained has no fingerprint, and fits no index.
pub fn model_of(clip: &Clip, name: &str) -> Model {
    Model {
        name: name.to_owned(),
        fingerprint: clip.fingerprint().unwrap_or_default().to_owned(),
        dim: clip.config().embed_dim,
    }
}

/// Checks that an index's vectors are a model's, which is called `name`.
///
/// # Errors
/// [`diptych_index::Error::Model`] if they are another's.
pub fn check_model(store: &dyn Store, clip: &Clip, name: &str) -> Result<()> {
    let (has, wanted) = (store.model(), model_of(clip, name));
    if has.fingerprint == wanted.fingerprint && has.dim == wanted.dim {
        return Ok(());
    }
    Err(diptych_index::Error::Model {
        place: store.status()?.place,
        has: Box::new(has.clone()),
        wanted: Box::new(wanted),
    }
    .into())
}
