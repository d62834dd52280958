//! Writing files so that one appears under its name when it is whole, or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// A temporary file in the directory of `path`, with the permissions of any new file.
pub(crate) fn temporary_beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".diptych-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// What a message about a file that can't be written begins with.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Writes a whole file, in the place of an older one if there is one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = temporary_beside(path).with_context(|| cannot_write(path))?;
    write_into(file, path, bytes)
}

/// Writes a whole file into a temporary one that was made before, and gives it its name.
pub(crate) fn write_into(mut file: NamedTempFile, path: &Path, bytes: &[u8]) -> Result<()> {
    let at = || cannot_write(path);
    file.write_all(bytes).with_context(at)?;
    file.as_file().sync_all().with_context(at)?;
    let persisted = file.persist(path).map_err(|e| e.error);
    persisted.with_context(at)?;
    Ok(())
}
