//! One process writes: a lock of the operating system's, which ends with the process whatever ends
//! it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::sibling;
use crate::{Error, Result};

/// Held until it is dropped.
pub(super) struct Lock(#[allow(dead_code, reason = "it is held, not used")] File);

impl Lock {
    /// Takes the lock of the index at `path`.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let name = sibling(path, "lock");
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (mut file, _) = options.open(&name)?.into_parts();
        match file.try_lock() {
            Ok(()) => {
                // Who has it, for messages alone.
                let _ = file.set_len(0);
                let _ = write!(file, "{}", std::process::id());
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                Err(Error::Locked {
                    path: path.to_owned(),
                    pid: pid.trim().parse().ok(),
                })
            }
            Err(TryLockError::Error(error)) => {
                let at = format!("cannot lock {}: {error}", name.display());
                Err(Error::Io(std::io::Error::new(error.kind(), at)))
            }
        }
    }
}
