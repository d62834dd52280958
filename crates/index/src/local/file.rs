//! The columns' file: numbers one after the other, least byte first.
//!
//! It is thrown away where it is not this index's, not whole, or of another version. A checksum at
//! its end is not looked at by searches, which would have to read all of it, but by
//! [`verify`](super::verify).

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use super::cells::Partition;
use super::columns::{Codes, Columns, When};
use crate::{Error, Result};

/// The first bytes of the file; the last digit is its version.
const MAGIC: [u8; 8] = *b"dptscan2";

/// Numbers in the header: magic, identity, generation, the highest number of a vector (which nobody
/// reads; its place is kept), `D`, `N`, further folders, cells.
const HEADER: usize = 8;

/// Bytes of the checksum at the end.
const SUM: u64 = 4;

/// Numbers of a file's header.
pub(super) struct Head {
    pub(super) generation: i64,
    rows: usize,
    others: usize,
    pub(super) cells: usize,
}

/// Reads the header alone. None as of [`read`].
pub(super) fn head(path: &Path, identity: i64, dim: usize) -> Option<Head> {
    read_head(&mut fs_err::File::open(path).ok()?, identity, dim)
}

fn read_head(file: &mut fs_err::File, identity: i64, dim: usize) -> Option<Head> {
    let len = file.metadata().ok()?.len();
    let header = longs(file, HEADER).ok()?;
    let [magic, of, generation, _, width, rows, others, cells] = header[..] else {
        return None;
    };
    let count = |n: i64| usize::try_from(n).ok().filter(|&n| n as u64 <= len);
    let (rows, others, cells) = (count(rows)?, count(others)?, count(cells)?);
    let in_codes = (dim as u64)
        .checked_add(8)?
        .checked_mul((rows + cells) as u64)?;
    let elsewhere = 20 * rows as u64 + 12 * others as u64 + 8 * (starts(cells) + HEADER) as u64;
    let is_ours = magic == i64::from_le_bytes(MAGIC) && of == identity && width == dim as i64;
    if !is_ours || in_codes.checked_add(elsewhere)?.checked_add(SUM)? != len {
        return None;
    }
    Some(Head {
        generation,
        rows,
        others,
        cells,
    })
}

/// Numbers that say where cells begin and end.
fn starts(cells: usize) -> usize {
    if cells > 0 { cells + 1 } else { 0 }
}

/// Reads columns and their generation. None if there is no such file, or none that can be used.
pub(super) fn read(path: &Path, identity: i64, dim: usize) -> Option<(i64, Columns)> {
    let mut file = fs_err::File::open(path).ok()?;
    let Head {
        generation,
        rows,
        others,
        cells,
    } = read_head(&mut file, identity, dim)?;
    let vectors = longs(&mut file, rows).ok()?;
    let taken = get(&mut file, rows, |bytes| When(i64::from_le_bytes(bytes))).ok()?;
    let folders = ints(&mut file, rows).ok()?;
    let more_vectors = longs(&mut file, others).ok()?;
    let more_folders = ints(&mut file, others).ok()?;
    let starts: Vec<usize> = longs(&mut file, starts(cells))
        .ok()?
        .into_iter()
        .map(|n| n as usize)
        .collect();
    let centres = codes(&mut file, cells, dim).ok()?;
    let codes = codes(&mut file, rows, dim).ok()?;
    let cells = Partition { centres, starts };
    let is_sound = more_vectors.is_sorted() && cells.starts.is_sorted() && cells.end() <= rows;
    is_sound.then(|| {
        let columns = Columns {
            vectors,
            taken,
            folders,
            more: more_vectors.into_iter().zip(more_folders).collect(),
            codes,
            cells,
        };
        (generation, columns)
    })
}

/// Writes columns in the place of an older file.
pub(super) fn write(
    path: &Path,
    identity: i64,
    dim: usize,
    generation: i64,
    columns: &Columns,
) -> Result<()> {
    let newest = columns.vectors.iter().max().copied().unwrap_or(0);
    diptych_files::replace_with(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, Summed::new(file));
        let numbers = [
            i64::from_le_bytes(MAGIC),
            identity,
            generation,
            newest,
            dim as i64,
            columns.len() as i64,
            columns.more.len() as i64,
            columns.cells.len() as i64,
        ];
        let starts: Vec<i64> = columns.cells.starts.iter().map(|&n| n as i64).collect();
        let more = &columns.more;
        put(&mut out, &numbers, i64::to_le_bytes)?;
        put(&mut out, &columns.vectors, i64::to_le_bytes)?;
        put(&mut out, &columns.taken, |When(taken)| taken.to_le_bytes())?;
        put(&mut out, &columns.folders, u32::to_le_bytes)?;
        put(&mut out, more, |(vector, _)| vector.to_le_bytes())?;
        put(&mut out, more, |(_, folder)| folder.to_le_bytes())?;
        put(&mut out, &starts, i64::to_le_bytes)?;
        for codes in [&columns.cells.centres, &columns.codes] {
            put(&mut out, &codes.scales, f32::to_le_bytes)?;
            put(&mut out, &codes.errors, f32::to_le_bytes)?;
            put(&mut out, &codes.codes, i8::to_le_bytes)?;
        }
        out.flush()?;
        let Summed { file, sum } = out.get_mut();
        file.write_all(&sum.clone().finalize().to_le_bytes())
    })
    .map_err(Error::Io)
}

/// Whether a file is as it was written, to the byte.
pub(super) fn is_whole(path: &Path) -> std::io::Result<bool> {
    let mut file = fs_err::File::open(path)?;
    let mut left = file.metadata()?.len().saturating_sub(SUM);
    let mut sum = crc32fast::Hasher::new();
    while left > 0 {
        let piece = bytes(&mut file, left.min(1 << 20) as usize)?;
        sum.update(&piece);
        left -= piece.len() as u64;
    }
    let wanted = get(&mut file, 1, u32::from_le_bytes);
    Ok(wanted.is_ok_and(|wanted| wanted == [sum.finalize()]))
}

/// A file, and the checksum of what was written to it.
struct Summed<W> {
    file: W,
    sum: crc32fast::Hasher,
}

impl<W> Summed<W> {
    fn new(file: W) -> Self {
        let sum = crc32fast::Hasher::new();
        Self { file, sum }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.sum.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes values, a piece at a time: all of them may be large.
fn put<T: Copy, const B: usize>(
    out: &mut impl Write,
    values: &[T],
    bytes: impl Fn(T) -> [u8; B],
) -> std::io::Result<()> {
    let mut piece = Vec::new();
    for values in values.chunks(1 << 16) {
        piece.clear();
        piece.extend(values.iter().flat_map(|&value| bytes(value)));
        out.write_all(&piece)?;
    }
    Ok(())
}

fn codes(file: &mut impl Read, rows: usize, dim: usize) -> std::io::Result<Codes> {
    let scales = get(file, rows, f32::from_le_bytes)?;
    let errors = get(file, rows, f32::from_le_bytes)?;
    let codes = bytes(file, rows * dim)?
        .into_iter()
        .map(|code| code as i8)
        .collect();
    Ok(Codes {
        codes,
        scales,
        errors,
    })
}

fn longs(file: &mut impl Read, n: usize) -> std::io::Result<Vec<i64>> {
    get(file, n, i64::from_le_bytes)
}

fn ints(file: &mut impl Read, n: usize) -> std::io::Result<Vec<u32>> {
    get(file, n, u32::from_le_bytes)
}

fn get<T, const B: usize>(
    file: &mut impl Read,
    n: usize,
    value: impl Fn([u8; B]) -> T,
) -> std::io::Result<Vec<T>> {
    let bytes = bytes(file, B * n)?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| value(bytes))
        .collect())
}

fn bytes(file: &mut impl Read, n: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(n);
    file.take(n as u64).read_to_end(&mut bytes)?;
    if bytes.len() == n {
        Ok(bytes)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
