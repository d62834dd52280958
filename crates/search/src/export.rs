//! An index → its vectors as a NumPy file, and what belongs to each row beside it.

use std::ops::ControlFlow;
use std::path::Path;

use diptych_files::npy::NpyWriter;
use diptych_index::{File, Item, Moment, Store};
use serde_json::json;

use crate::query::wall_clock;
use crate::{Error, Result};

/// The array that [`export`] writes.
pub const EMBEDDINGS: &str = "embeddings.npy";

/// The list that [`export`] writes beside the array: a line of JSON for each row.
pub const METADATA: &str = "metadata.jsonl";

/// Writes all vectors of an index into a folder: `embeddings.npy`, f32 `[N, D]`, and
/// `metadata.jsonl`, a line a row, with paths as [`diptych_files::spell`] spells them. Returns `N`.
///
/// # Errors
/// [`Error::Index`] if the index can't be read or has a vector of another width than its own, and
/// what keeps the files from being written.
pub fn export(store: &dyn Store, folder: &Path) -> Result<usize> {
    let dim = store.model().dim;
    // Of one reading, so that rows and lines belong together though another process writes
    // meanwhile.
    let (mut rows, mut lines, mut odd) = (Vec::<f32>::new(), String::new(), None);
    store.each(&mut |item, of_item| {
        for moment in &item.moments {
            odd = odd.or((moment.vector.len() != dim).then_some(moment.vector.len()));
            rows.extend(&moment.vector);
            lines.push_str(&line(&item, moment, &of_item));
            lines.push('\n');
        }
        ControlFlow::Continue(())
    })?;
    if let Some(got) = odd {
        return Err(Error::width(got, dim));
    }
    fs_err::create_dir_all(folder)?;
    let n = rows.len() / dim;
    let mut file = NpyWriter::create(&folder.join(EMBEDDINGS), &[n, dim])?;
    file.write(&rows)?;
    file.finish()?;
    diptych_files::replace(&folder.join(METADATA), lines.as_bytes())?;
    Ok(n)
}

/// Line of a row.
fn line(item: &Item, moment: &Moment, files: &[File]) -> String {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let line = json!({
        "id": item.id.to_string(),
        "paths": paths,
        "start": moment.part.span.map(|span| span.start),
        "end": moment.part.span.map(|span| span.end),
        "region": moment.part.region,
        "taken": item.taken.and_then(|taken| wall_clock(taken.at)),
        "taken_from": item.taken.map(|taken| taken.from),
        "payload": item.payload,
    });
    line.to_string()
}
