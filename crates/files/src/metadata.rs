//! Metadata of a file, as the system keeps it.

use std::fs::Metadata;
use std::io::{Error, Result};
use std::path::Path;

/// Returns the metadata of a file; of a link, those of the file that it leads to.
/// (`fs_err::metadata` puts the path into the error, too, but says that it "failed to query
/// resolved metadata".)
///
/// # Errors
/// That of the system, after the path.
pub fn metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    let path = path.as_ref();
    path.metadata()
        .map_err(|error| Error::new(error.kind(), format!("{}: {error}", path.display())))
}
