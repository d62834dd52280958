//! A file read at any place by any thread: no cursor, so no turn to wait for.
//!
//! Weights and plain shards are read this way; neither is mapped, because a mapped file that
//! shrinks ends the program.

use std::io::Result;
use std::path::Path;

/// An open file without a cursor.
#[derive(Debug)]
pub struct PositionedFile {
    file: std::fs::File,
    len: u64,
    /// Elsewhere a read moves the cursor, so one thread at a time may.
    #[cfg(not(unix))]
    turn: std::sync::Mutex<()>,
}

impl PositionedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it can't be.
    pub fn open(path: &Path) -> Result<Self> {
        let file = fs_err::File::open(path)?;
        let len = file.metadata()?.len();
        let file = file.into_parts().0;
        Ok(Self {
            file,
            len,
            #[cfg(not(unix))]
            turn: std::sync::Mutex::default(),
        })
    }

    /// Bytes that it had when it was opened.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a length in bytes, not of a list"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from byte `offset` on.
    ///
    /// # Errors
    /// If it can't be read, or ends before; the file is not named.
    #[cfg(unix)]
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    /// Fills `buffer` from byte `offset` on.
    ///
    /// # Errors
    /// If it can't be read, or ends before; the file is not named.
    #[cfg(not(unix))]
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let _turn = self.turn.lock();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_from_where_they_were_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("digits");
        fs_err::write(&path, "0123456789").unwrap();
        let file = PositionedFile::open(&path).unwrap();
        assert_eq!(file.len(), 10);
        let mut buffer = [0; 3];
        for (offset, want) in [(7, "789"), (0, "012"), (4, "456")] {
            file.read_exact_at(&mut buffer, offset).unwrap();
            assert_eq!(buffer, want.as_bytes());
        }
        assert!(file.read_exact_at(&mut buffer, 8).is_err());
        assert!(PositionedFile::open(&dir.path().join("none")).is_err());
    }
}
