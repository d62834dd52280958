//! Embeddings that another program made → an index.

use diptych_files::{MAX_FILE_BYTES, spell, unspell};
use diptych_index::{Change, File, Item, Moment, Payload, Store};
use rayon::prelude::*;

use super::merge::keep_known;
use super::{canonical, read, run, walk};
use crate::Result;
use crate::source::told;

/// An embedding of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The picture's file, spelled as an index does; or its name in a set of pictures that is not
    /// on this machine.
    pub path: String,
    /// `[D]`, of length 1.
    pub vector: Vec<f32>,
    /// All else that is told of it.
    pub payload: Payload,
}

/// Adds embeddings to an index of the model that made them. A file that is there is read, so that
/// its content is known again and not encoded once more; what the picture tells of itself joins the
/// payload.
///
/// # Errors
/// [`crate::Error::Index`] if the index can't be written or a vector is not one of the model's.
pub fn adopt(store: &dyn Store, embeddings: Vec<Embedding>) -> Result<()> {
    let changes: Vec<[Change; 2]> = embeddings.into_par_iter().map(changes).collect();
    let mut changes = changes.concat();
    for change in &mut changes {
        if let Change::Put(item) = change {
            keep_known(store, item)?;
        }
    }
    Ok(store.apply(&changes)?)
}

fn changes(embedding: Embedding) -> [Change; 2] {
    let Embedding {
        path,
        vector,
        mut payload,
    } = embedding;
    let (file, id, taken) = match present(&path) {
        Ok((file, bytes)) => {
            let about = told(&bytes);
            payload.extend(about.payload);
            let taken = about.taken.or_else(|| run::saved(&file));
            (file, read::id(&bytes), taken)
        }
        Err(_) => {
            let id = read::id(format!("no file: {path}").as_bytes());
            let file = File {
                path,
                size: 0,
                modified: 0,
            };
            (file, id, None)
        }
    };
    let moments = vec![Moment {
        part: Default::default(),
        vector,
    }];
    let item = Item {
        id,
        taken,
        phash: None,
        payload,
        moments,
    };
    [Change::Put(item), Change::Link(file, id)]
}

/// A file that is on this machine, and its bytes; one that is too long is as if it were not.
fn present(path: &str) -> std::io::Result<(File, Vec<u8>)> {
    let named = unspell(path);
    if !diptych_files::metadata(&*named)?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    // Its state first: what changes later is found to have changed.
    let file = walk::state(&spell(&canonical(&named)?))?;
    if file.size > MAX_FILE_BYTES {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    let bytes = fs_err::read(named)?;
    Ok((file, bytes))
}
