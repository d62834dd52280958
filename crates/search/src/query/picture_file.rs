//! Words of a query that name a picture's file, for those who may name any file of this machine.

use std::path::{Path, PathBuf};

use diptych::text::shortened;

/// The picture that words stand for, if they begin like a path or name a file with an extension:
/// what [`Expression::parse`](diptych::Expression::parse) asks. Not for queries that others send.
///
/// # Errors
/// In words, if they begin like a path and no file is there.
pub fn picture_file(words: &str) -> Result<Option<PathBuf>, String> {
    let path = Path::new(words);
    let begins = ["/", "./", "../"]
        .iter()
        .any(|start| words.starts_with(start));
    if !begins && !path.is_absolute() && path.extension().is_none() {
        return Ok(None);
    }
    if path.is_file() {
        return Ok(Some(path.to_owned()));
    }
    if begins || path.is_absolute() {
        return Err(format!(
            "{} is no file; a text that begins like a path is quoted",
            shortened(words)
        ));
    }
    Ok(None)
}
