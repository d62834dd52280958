//! Files that a command is to write: which of those that are there may be replaced.
//!
//! Invariant: a file that is replaced is empty or of the kind that is written, and none of the
//! inputs. What may not be is told before the work.

use std::io::Read;
use std::path::Path;

use anyhow::{Result, anyhow, bail};

use crate::output::{hinted, quoted};

/// Kind of file that a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    /// A NumPy array.
    Array,
    /// A page of pictures.
    Page,
    /// A list of what the rows of this array are. It begins like no other file, so it is known by
    /// the array beside it.
    ListOf(&'a Path),
}

/// Refuses to write `out` where something is that would be lost: one of the `inputs`, or a file of
/// another kind. A device or a pipe loses nothing.
pub(crate) fn check<'a>(
    out: &Path,
    kind: Kind,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    // What can't be looked at is told by whoever writes it.
    let Ok(there) = out.metadata() else {
        return Ok(());
    };
    if there.is_dir() {
        bail!("cannot write {}: it is a directory", quoted(out));
    }
    if !there.is_file() {
        return Ok(());
    }
    let place = fs_err::canonicalize(out)?;
    let is_input = |input: &Path| input.canonicalize().is_ok_and(|input| input == place);
    let what = if inputs.into_iter().any(is_input) {
        "it is one of the inputs".to_owned()
    } else if there.len() == 0 {
        return Ok(());
    } else {
        match kind {
            Kind::Array if !begins_with(out, MAGIC)? => {
                "there is a file here that is no NumPy array".to_owned()
            }
            Kind::Page if !begins_with(out, diptych_search::sheet::BEGINNING.as_bytes())? => {
                "there is a file here that is no page that Diptych wrote".to_owned()
            }
            Kind::ListOf(array) if !array.is_file() || !begins_with(array, MAGIC)? => format!(
                "there is a file here that is no array's list, for there is no {}",
                quoted(array)
            ),
            _ => return Ok(()),
        }
    };
    Err(hinted(
        anyhow!("{}: {what}; it stays as it is", quoted(out)),
        match kind {
            Kind::ListOf(_) => {
                "the list stands beside the array and is named after it: give the array another name, or move this file"
            }
            _ => "name another file to write, or move this one",
        },
    ))
}

/// First bytes of a NumPy array.
const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether a file begins with these bytes.
pub(crate) fn begins_with(path: &Path, beginning: &[u8]) -> Result<bool> {
    let mut bytes = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(beginning.len() as u64).read_to_end(&mut bytes)?;
    Ok(bytes == beginning)
}
