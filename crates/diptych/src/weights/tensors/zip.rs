//! Where the files of a zip archive lie, for those that are stored as they are.
//!
//! Other readers of archives load all of a directory before they tell how large it is, and read
//! through a cursor. This one checks sizes first, and returns places to read from.
//!
//! Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 to 4.3.16 and 4.5.3 (zip64).

use std::collections::HashMap;

use super::bytes::{Bytes, Place};

/// Bytes that an archive's directory may have: some 100,000 files.
const MAX_DIRECTORY_BYTES: u64 = 8 << 20;

const END: u32 = 0x0605_4b50;
const END_LEN: usize = 22;
const END_64: u32 = 0x0606_4b50;
const END_64_LEN: usize = 56;
const LOCATOR: u32 = 0x0706_4b50;
const LOCATOR_LEN: usize = 20;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_LEN: usize = 46;
const LOCAL: u32 = 0x0403_4b50;
const LOCAL_LEN: usize = 30;

/// The files of an archive that are neither compressed nor encrypted, by name.
///
/// # Errors
/// In words, if it is no whole archive.
pub(super) fn places(file: &Bytes) -> Result<HashMap<String, Place>, String> {
    let directory = file.read(directory(file)?)?;
    let mut places = HashMap::new();
    let mut rest = &directory[..];
    while !rest.is_empty() {
        let entry = rest.get(..ENTRY_LEN).filter(|e| u32_at(e, 0) == ENTRY);
        let entry = entry.ok_or("its directory is damaged")?;
        let [name_len, extra_len, comment_len] =
            [28, 30, 32].map(|i| usize::from(u16_at(entry, i)));
        let end = ENTRY_LEN + name_len + extra_len + comment_len;
        let variable = rest.get(ENTRY_LEN..end).ok_or("its directory is cut off")?;
        rest = &rest[end..];
        let (name, variable) = variable.split_at(name_len);
        let name = std::str::from_utf8(name).map_err(|_| "a file's name is not UTF-8")?;
        let (is_encrypted, method) = (u16_at(entry, 8) & 1 == 1, u16_at(entry, 10));
        if is_encrypted || method != 0 {
            continue; // what is compressed is no tensor
        }
        let [_, len, header] = sizes(entry, &variable[..extra_len])?;
        let place = Place {
            offset: data_start(file, header).ok_or_else(|| lost(name))?,
            len,
        };
        if place.end().is_none_or(|end| end > file.len()) {
            return Err(lost(name));
        }
        if places.insert(name.to_owned(), place).is_some() {
            return Err(format!("it has two files `{name}`"));
        }
    }
    Ok(places)
}

fn lost(name: &str) -> String {
    format!("its `{name}` does not lie within the file")
}

/// Where the directory lies.
fn directory(file: &Bytes) -> Result<Place, String> {
    // The end record is the last, but for a comment of up to 65,535 bytes.
    let tail_len = file.len().min((END_LEN + LOCATOR_LEN + 0xffff) as u64);
    let tail_start = file.len() - tail_len;
    let tail = file.read(Place {
        offset: tail_start,
        len: tail_len,
    })?;
    let end = (0..=tail.len().saturating_sub(END_LEN))
        .rev()
        .find(|&i| tail.len() >= i + END_LEN && u32_at(&tail, i) == END);
    let end =
        end.ok_or("not a zip archive, as PyTorch's files are, or cut off: it has no directory")?;
    let mut place = Place {
        offset: u32_at(&tail, end + 16).into(),
        len: u32_at(&tail, end + 12).into(),
    };
    let locator = end
        .checked_sub(LOCATOR_LEN)
        .filter(|&i| u32_at(&tail, i) == LOCATOR);
    if let Some(locator) = locator {
        let record = Place {
            offset: u64_at(&tail, locator + 8),
            len: END_64_LEN as u64,
        };
        let record = file.read(record)?;
        if u32_at(&record, 0) != END_64 {
            return Err("its zip64 record is not where it should be".into());
        }
        place = Place {
            offset: u64_at(&record, 48),
            len: u64_at(&record, 40),
        };
    }
    if place.len > MAX_DIRECTORY_BYTES {
        return Err(format!(
            "its directory has {} bytes, wanted at most {MAX_DIRECTORY_BYTES}",
            place.len
        ));
    }
    Ok(place)
}

/// An entry's size, size as stored, and the place of its local header.
fn sizes(entry: &[u8], mut extra: &[u8]) -> Result<[u64; 3], String> {
    let mut values = [24, 20, 42].map(|i| u64::from(u32_at(entry, i)));
    // Values that do not fit into 32 bits stand in the zip64 field, in this order.
    while let Some((header, rest)) = extra.split_at_checked(4) {
        let len = usize::from(u16_at(header, 2));
        let Some((field, rest)) = rest.split_at_checked(len) else {
            return Err("an extra field is cut off".into());
        };
        if u16_at(header, 0) == 1 {
            let mut words = field.as_chunks::<8>().0.iter();
            for value in values.iter_mut().filter(|v| **v == u64::from(u32::MAX)) {
                let word = words.next().ok_or("a zip64 field is cut off")?;
                *value = u64::from_le_bytes(*word);
            }
        }
        extra = rest;
    }
    if values[0] != values[1] {
        return Err("a stored file has two sizes".into());
    }
    Ok(values)
}

/// Where the bytes of the file with such a local header begin.
fn data_start(file: &Bytes, header: u64) -> Option<u64> {
    let mut local = [0; LOCAL_LEN];
    file.read_exact_at(&mut local, header).ok()?;
    let [name, extra] = [26, 28].map(|i| u64::from(u16_at(&local, i)));
    let start = header.checked_add(LOCAL_LEN as u64 + name + extra)?;
    (u32_at(&local, 0) == LOCAL).then_some(start)
}

/// Little-endian numbers at a place that is known to be there.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
