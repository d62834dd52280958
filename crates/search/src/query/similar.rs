//! The vector that an index has of a file.

use std::path::Path;

use diptych_index::{Part, Store};

use crate::index::{names, state};
use crate::{Error, Result};

/// The vector `[D]` of a file that the index has and that is as it was: its content's only one, or
/// the one that stands for all of it. None where there is none, so that the file is to be read.
///
/// # Errors
/// If the index can't be read, or has a vector of another width.
pub(super) fn known_vector(store: &dyn Store, path: &Path) -> Result<Option<Vec<f32>>> {
    let names = names(path).map_err(|e| Error::file(path, e))?;
    // Its place, where it has one on this machine; the error of one that has none is that of
    // reading it.
    let Ok(now) = state(&names[0]) else {
        return Ok(None);
    };
    let mut known = None;
    store.files(&names, &mut |file, id| {
        if names.contains(&file.path) && (file.size, file.modified) == (now.size, now.modified) {
            known = known.or(id);
        }
    })?;
    let Some(id) = known else {
        return Ok(None);
    };
    let Some(mut item) = store.item(id)? else {
        return Ok(None); // it has gone since
    };
    if item.moments.len() > 1 {
        item.moments.retain(|moment| moment.part == Part::default());
    }
    let vector = item.moments.pop().map(|moment| moment.vector);
    let dim = store.model().dim;
    match vector {
        Some(vector) if vector.len() != dim => Err(Error::width(vector.len(), dim)),
        vector => Ok(vector),
    }
}
