//! Checksums of the database's pages, noted when a process that wrote ends.
//!
//! Rows have checksums of their own (`sums.rs`), which tell what is lost. Those of the pages tell
//! of all the rest, too: what SQLite keeps to find rows by, and room that is free. `NAME.seal` is
//! removed before anything is written, so it never speaks of another state; where it is missing, as
//! after a kill, rows alone are checked. It is of all pages as they are then, and so of damage that
//! was there before: of what is no row, only damage since the last change is told. To make it, the
//! whole file is read.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;

use super::{has_log, schema, sibling};
use crate::{Error, FileId, Result, file_id};

/// The first bytes of the file; the last digit is its version.
const MAGIC: [u8; 8] = *b"dptseal1";

/// The stamp of the last seal, among the index's own values: a database that was put back has
/// another.
const STAMP: &str = "seal";

/// Places of damaged pages that are named.
const NAMED: usize = 8;

/// The file of the seal.
fn file(index: &Path) -> PathBuf {
    sibling(index, "seal")
}

/// Takes the seal off before something is written.
pub(super) fn remove(index: &Path) -> std::io::Result<()> {
    let path = file(index);
    if !path.exists() {
        return Ok(());
    }
    // Emptied on the disk first, since a removal may be lost in a power failure.
    let emptied = fs_err::File::create(&path)?;
    emptied.sync_all()?;
    drop(emptied);
    super::remove(&path)
}

/// Seals the database as it is, if all of it is in one file: a reader may keep the log from being
/// emptied.
pub(super) fn set(index: &Path, db: &Connection) -> Result<()> {
    let at = |e| Error::database(index, e);
    let stamp = db.query_row("SELECT random()", [], |row| row.get(0));
    let stamp: i64 = stamp.map_err(at)?;
    schema::set_number(db, STAMP, stamp).map_err(at)?;
    super::upkeep::shorten_log(db).map_err(at)?;
    if has_log(index) {
        return Ok(());
    }
    let size = page_size(db).map_err(at)?;
    let sums = sums(index, size)?;
    let sums = sums.iter().flat_map(|sum| sum.to_le_bytes());
    let body: Vec<u8> = stamp.to_le_bytes().into_iter().chain(sums).collect();
    let written = diptych_files::replace_with(&file(index), |out| {
        out.write_all(&MAGIC)?;
        out.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        out.write_all(&body)
    });
    written.map_err(Error::Io)
}

/// A sentence, if the database is not as it was when it was sealed; `db` is in a transaction, in
/// which nothing is read yet.
pub(super) fn check(index: &Path, db: &Connection) -> Result<Option<String>> {
    let at = |e| Error::database(index, e);
    // Read first: from then on nobody writes to the file, if it has no log.
    let stamp = schema::number(db, STAMP).ok();
    let path = file(index);
    let (false, Ok(bytes)) = (has_log(index), fs_err::read(&path)) else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at_checked(12).unwrap_or((&bytes, &[]));
    let Some((sealed, sums_then)) = body.split_first_chunk::<8>() else {
        return Ok(damaged(&path));
    };
    if head != [&MAGIC[..], &crc32fast::hash(body).to_le_bytes()].concat() {
        return Ok(damaged(&path));
    }
    if stamp != Some(i64::from_le_bytes(*sealed)) {
        return Ok(None);
    }
    let size = page_size(db).map_err(at)?;
    let sums_now = sums(index, size)?;
    let sums_then = sums_then.as_chunks().0.iter();
    let sums_then: Vec<u32> = sums_then.map(|&sum| u32::from_le_bytes(sum)).collect();
    if sums_now.len() != sums_then.len() {
        return Ok(Some(format!(
            "it has {} pages of {size} bytes, wanted {}",
            sums_now.len(),
            sums_then.len()
        )));
    }
    let pairs = sums_now.iter().zip(&sums_then).enumerate();
    let other = pairs.filter(|(_, (now, then))| now != then);
    let places: Vec<String> = other.map(|(page, _)| (page * size).to_string()).collect();
    let more = match places.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Ok((!places.is_empty()).then(|| {
        let named = places[..places.len().min(NAMED)].join(", ");
        format!("pages of {size} bytes are not as they were written: at byte {named}{more}")
    }))
}

fn damaged(path: &Path) -> Option<String> {
    let path = path.display();
    Some(format!("{path} is damaged; the next change makes it anew"))
}

fn page_size(db: &Connection) -> rusqlite::Result<usize> {
    db.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))
        .map(|size| size.max(512) as usize)
}

/// A checksum for each page of a database's file.
fn sums(index: &Path, page: usize) -> std::io::Result<Vec<u32>> {
    let mut opened = OPENED.lock().unwrap_or_else(|e| e.into_inner());
    let file = opened_file(&mut opened, index)?;
    file.rewind()?;
    let mut sums = Vec::new();
    let mut pages = vec![0; page * 64];
    loop {
        let mut filled = 0;
        while filled < pages.len() {
            match file.read(&mut pages[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        sums.extend(pages[..filled].chunks(page).map(crc32fast::hash));
        if filled < pages.len() {
            return Ok(sums);
        }
    }
}

/// Databases' files that were read, each with what tells it from others at the same path. They stay
/// open while the process lives: on Unix, closing a file drops the locks that SQLite holds on it by
/// other handles (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
static OPENED: Mutex<Vec<(FileId, fs_err::File)>> = Mutex::new(Vec::new());

fn opened_file<'a>(
    opened: &'a mut Vec<(FileId, fs_err::File)>,
    path: &Path,
) -> std::io::Result<&'a mut fs_err::File> {
    let id = file_id(path)?;
    let at = match opened.iter().position(|(known, _)| *known == id) {
        Some(at) => at,
        None => {
            opened.push((id, fs_err::File::open(path)?));
            opened.len() - 1
        }
    };
    Ok(&mut opened[at].1)
}
