//! The headers of a Parquet file's pages, looked through before the crate `parquet` (60.1) reads
//! them.
//!
//! The crate takes memory for as many bytes as a page is said to unpack to, and for as many values
//! as a dictionary is said to have, whatever is there.
//! Source: `parquet.thrift` of Apache Parquet 2.11, `PageHeader`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::file::metadata::ParquetMetaData;

use super::thrift::{Compact, I32, Result, STRUCT};

/// Bytes of an unpacked page; writers aim at one mebibyte.
const MAX_PAGE: u64 = 1 << 28;

/// Most bytes of a header, which may hold the least and the greatest value of its page.
const MAX_HEADER: u64 = 1 << 20;

/// The numbers of a page's header that are checked.
#[derive(Default)]
struct Header {
    /// Bytes of the page as it is stored, and unpacked.
    stored: u64,
    unpacked: u64,
    /// Values of a dictionary.
    values: u64,
}

impl Header {
    fn check(&self) -> Result<()> {
        let Self {
            unpacked, values, ..
        } = self;
        // A value in a dictionary has a byte at the least.
        if *unpacked > MAX_PAGE || values > unpacked {
            Err(format!(
                "is said to unpack to {unpacked} bytes with {values} values of a dictionary, which is too much"
            ))
        } else {
            Ok(())
        }
    }
}

/// Refuses a file of which a page asks for more than it can hold.
pub(super) fn check(file: &mut File, metadata: &ParquetMetaData) -> Result<()> {
    for column in metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
    {
        let (start, length) = column.byte_range();
        let end = start.saturating_add(length);
        let mut at = start;
        while at < end {
            let (header, length) = header(file, at, end)?;
            header
                .check()
                .map_err(|reason| format!("a page at byte {at} {reason}"))?;
            at = at.saturating_add(length).saturating_add(header.stored);
        }
    }
    file.rewind().map_err(|error| error.to_string())
}

/// The header at a byte of the file, and its length.
fn header(file: &mut File, at: u64, end: u64) -> Result<(Header, u64)> {
    // Most are some dozen bytes long.
    let mut ended = Err("it ends early".into());
    for most in [1 << 10, MAX_HEADER] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))
            .map_err(|error| error.to_string())?;
        let mut part = file.take(most.min(end - at));
        part.read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        let mut compact = Compact(&bytes);
        ended = read(&mut compact).map(|header| (header, (bytes.len() - compact.0.len()) as u64));
        if ended.is_ok() {
            break;
        }
    }
    ended
}

fn read(compact: &mut Compact) -> Result<Header> {
    let mut header = Header::default();
    let mut last = 0;
    while let Some((id, kind)) = compact.field(&mut last)? {
        match (id, kind) {
            (2, I32) => header.unpacked = size(compact)?,
            (3, I32) => header.stored = size(compact)?,
            (7, STRUCT) => {
                let mut last = 0;
                while let Some((id, kind)) = compact.field(&mut last)? {
                    match (id, kind) {
                        (1, I32) => header.values = size(compact)?,
                        _ => compact.skip(kind, 0)?,
                    }
                }
            }
            _ => compact.skip(kind, 0)?,
        }
    }
    Ok(header)
}

/// A number that is none below zero.
fn size(compact: &mut Compact) -> Result<u64> {
    u64::try_from(compact.zigzag()?).map_err(|_| "a page has less than no bytes or values".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a dictionary's page: unpacked, stored, values, each as Thrift writes it.
    fn header(unpacked: &[u8], stored: &[u8], values: &[u8]) -> Vec<u8> {
        [
            &[0x15, 4, 0x15],
            unpacked,
            &[0x15],
            stored,
            &[0x4c, 0x15],
            values,
            &[0x15, 4, 0, 0],
        ]
        .concat()
    }

    fn checked(bytes: &[u8]) -> Result<()> {
        let mut compact = Compact(bytes);
        let header = read(&mut compact)?;
        assert!(compact.0.is_empty(), "all of it is read");
        header.check()
    }

    #[test]
    fn a_page_holds_no_more_than_it_says_itself() {
        // 100 bytes, stored in 50, with 25 values.
        checked(&header(&[0xc8, 1], &[100], &[50])).unwrap();
        let many =
            checked(&header(&[0xc8, 1], &[100], &[0xfe, 0xff, 0xff, 0xff, 0x0f])).unwrap_err();
        assert!(many.contains("100 bytes with 2147483647 values"), "{many}");
        let large = checked(&header(&[0xfe, 0xff, 0xff, 0xff, 0x0f], &[100], &[50])).unwrap_err();
        assert!(large.contains("2147483647 bytes"), "{large}");
        let less = checked(&header(&[1], &[100], &[50])).unwrap_err();
        assert!(less.contains("less than no"), "{less}");
        assert_eq!(checked(&[0x15, 4, 0x15]).unwrap_err(), "it ends early");
    }
}
