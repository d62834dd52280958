//! Parsers that others wrote, called where a panic is an error that names the file.

use std::path::Path;

use diptych::{GaveUp, guarded};

use crate::{Error, Result};

/// Reads a table or a shard, where a panic of its parser is an error that names the file.
pub(crate) fn guarded_file<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(read).map_err(|GaveUp| parser_gave_up(path))?
}

/// An error that names the file whose parser panicked.
pub(super) fn parser_gave_up(path: &Path) -> Error {
    Error::Data {
        path: path.to_owned(),
        reason: "its parser gave up, so it is likely to be damaged".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_parser_panics_is_named() {
        let path = Path::new("a.csv");
        let read = guarded_file::<()>(path, || panic!("of the parser"));
        assert!(
            read.unwrap_err()
                .to_string()
                .starts_with("a.csv: its parser gave up")
        );
        assert_eq!(guarded_file(path, || Ok(7)).unwrap(), 7);
        let refused = guarded_file::<()>(path, || Err(std::io::Error::other("no disk").into()));
        assert!(refused.unwrap_err().to_string().contains("no disk"));
    }
}
