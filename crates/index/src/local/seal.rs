//! Checksums of the database's pages, noted when a process that wrote ends.
//!
//! Rows have checksums of their own (`sums.rs`), which tell what is lost. Those of the pages tell of all the rest, too: what
//! SQLite keeps to find rows by, and room that is free. `NAME.seal` is removed before anything is written, so it never
//! speaks of another state; where it is missing, as after a kill, rows alone are checked.

use std::io::Read;
use std::path::Path;

use rusqlite::Connection;

use super::{replace, schema, sibling};
use crate::Result;

/// What the file begins with; the last digit is its version.
const MAGIC: [u8; 8] = *b"dptseal1";

/// The number of seals that an index has had, among its own values: a database that was put back has an older one.
const COUNT: &str = "seals";

/// The file of the seal.
fn file(index: &Path) -> std::path::PathBuf {
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

/// Seals the database as it is, if all of it is in one file: a reader may keep the log from being emptied.
pub(super) fn set(index: &Path, db: &Connection) -> Result<()> {
    let at = |e| crate::Error::database(index, e);
    let count = schema::number(db, COUNT).unwrap_or(0) + 1;
    schema::set_number(db, COUNT, count).map_err(at)?;
    super::upkeep::shorten_log(db).map_err(at)?;
    if has_log(index) {
        return Ok(());
    }
    let identity = schema::number(db, "identity").map_err(at)?;
    let size = page_size(db).map_err(at)?;
    let sums = sums(index, size)?;
    replace(&file(index), |out| {
        use std::io::Write;
        let numbers = [identity, count, size as i64].map(i64::to_le_bytes);
        let sums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let body = [numbers.as_flattened(), &sums].concat();
        out.write_all(&MAGIC)?;
        out.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        out.write_all(&body)
    })
}

/// A sentence, if the database is not as it was when it was sealed.
pub(super) fn check(index: &Path, db: &Connection) -> Result<Option<String>> {
    let path = file(index);
    let Ok(bytes) = fs_err::read(&path) else {
        return Ok(None);
    };
    let damaged = || {
        let path = path.display();
        Some(format!("{path} is damaged; `compact` makes it anew"))
    };
    let Some((head, body)) = bytes.split_at_checked(12) else {
        return Ok(damaged());
    };
    if head != [&MAGIC[..], &crc32fast::hash(body).to_le_bytes()].concat() || body.len() < 24 {
        return Ok(damaged());
    }
    let (numbers, sealed) = body.split_at(24);
    let [identity, count, size] = [0, 1, 2].map(|i| i64::from_le_bytes(numbers.as_chunks().0[i]));
    let at = |e| crate::Error::database(index, e);
    let own = |name| schema::number(db, name).unwrap_or(0);
    // A log has changes that the seal knows nothing of.
    if (identity, count) != (own("identity"), own(COUNT)) || has_log(index) {
        return Ok(None);
    }
    let found = sums(index, page_size(db).map_err(at)?)?;
    let sealed: Vec<u32> = sealed
        .as_chunks()
        .0
        .iter()
        .map(|&sum| u32::from_le_bytes(sum))
        .collect();
    let differ: Vec<String> = found
        .iter()
        .zip(&sealed)
        .enumerate()
        .filter(|(_, (found, sealed))| found != sealed)
        .map(|(page, _)| format!("{}", page as i64 * size))
        .collect();
    Ok(match (found.len() == sealed.len(), &differ[..]) {
        (true, []) => None,
        (true, _) => Some(format!(
            "pages of {size} bytes are not as they were written, at byte {}",
            differ.join(", ")
        )),
        (false, _) => Some(format!(
            "it has {} pages of {size} bytes, wanted {}",
            found.len(),
            sealed.len()
        )),
    })
}

/// Whether a part of the database is in a log beside it.
fn has_log(index: &Path) -> bool {
    let mut log = index.as_os_str().to_owned();
    log.push("-wal");
    fs_err::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn page_size(db: &Connection) -> rusqlite::Result<usize> {
    db.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))
        .map(|size| size.max(512) as usize)
}

/// A checksum for each page of a database's file.
fn sums(index: &Path, page: usize) -> std::io::Result<Vec<u32>> {
    let mut file = fs_err::File::open(index)?;
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
