//! The parts of a file, in each form that is read: where its numbers are, and what follows from its
//! content.
//!
//! Nothing is checked here: what can't be taken apart is one part.

use std::ops::Range;

/// Format of a file, as far as it is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything: its first bytes are taken for numbers.
    Bytes,
    /// Boxes within each other: HEIC, AVIF, CR3.
    Boxes,
    Gif,
    Jpeg,
    /// Protocol buffers.
    Messages,
    Parquet,
    /// Pickles, and PyTorch's files of several.
    Pickle,
    Png,
    /// WebP.
    Riff,
    Safetensors,
    /// An index's file of columns, with a checksum at its end.
    Scan,
    Tar,
    /// Lines.
    Text,
    /// Directories of numbers: TIFF, and most RAW files.
    Tiff,
    /// PyTorch's archives.
    Zip,
}

/// A number in a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) at: usize,
    /// Bytes.
    pub(super) width: usize,
    pub(super) big: bool,
    /// Whether it is the part's own length.
    pub(super) is_length: bool,
}

/// Length, checksum or both that are put right when a file is put together.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    None,
    /// The part's length, and so much more, is one of its numbers.
    Length(isize),
    /// The same, and the checksum of a PNG's chunk.
    Chunk,
    /// The checksum of a header in a tar.
    Header,
    /// A message's key, whose length follows it.
    Message,
}

/// A part of a file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) body: Vec<u8>,
    pub(super) numbers: Vec<Number>,
    /// Whether its length is put right.
    pub(super) is_honest: bool,
    check: Check,
    /// Bytes that are written before the body and its length.
    key: Vec<u8>,
}

impl Part {
    fn new(bytes: &[u8]) -> Self {
        Self {
            body: bytes.to_vec(),
            numbers: Vec::new(),
            is_honest: true,
            check: Check::None,
            key: Vec::new(),
        }
    }

    /// With its own length in a number, so much more than it has bytes.
    fn long(mut self, at: usize, width: usize, big: bool, more: isize) -> Self {
        self.numbers.push(Number {
            at,
            width,
            big,
            is_length: true,
        });
        self.check = Check::Length(more);
        self
    }

    /// With numbers of a width, one after the other, in a range.
    fn with(mut self, range: Range<usize>, width: usize, big: bool) -> Self {
        let end = range.end.min(self.body.len());
        let numbers = range.step_by(width).filter(|at| at + width <= end);
        self.numbers.extend(numbers.map(|at| Number {
            at,
            width,
            big,
            is_length: false,
        }));
        self
    }
}

fn be(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
}

fn le(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | usize::from(*byte)),
    )
}

/// Takes a file apart.
pub(super) fn parts(form: Form, file: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = file;
    // The parts that are understood, then the rest as one.
    while !rest.is_empty() {
        let next = match form {
            Form::Bytes | Form::Text | Form::Tiff => None,
            Form::Boxes => a_box(rest),
            Form::Gif => gif(rest, parts.is_empty()),
            Form::Jpeg => jpeg(rest),
            Form::Messages => message(rest),
            Form::Parquet => parquet(rest),
            Form::Pickle => pickle(rest),
            Form::Png => png(rest),
            Form::Riff => riff(rest),
            Form::Safetensors => safetensors(rest, parts.len()),
            Form::Scan => None,
            Form::Tar => tar(rest),
            Form::Zip => zip(rest),
        };
        let Some((part, len)) = next.filter(|(_, len)| (1..=rest.len()).contains(len)) else {
            break;
        };
        parts.push(part);
        rest = &rest[len..];
    }
    if !rest.is_empty() {
        parts.push(match form {
            Form::Tiff => tiff(rest),
            Form::Scan => Part::new(rest).with(0..64, 8, false),
            Form::Text => Part::new(rest),
            _ => Part::new(rest)
                .with(0..64, 4, false)
                .with(0..64, 2, true)
                .with(0..64, 1, true),
        });
    }
    parts
}

/// Puts a file together; lengths and checksums are right if they are to be.
pub(super) fn join(form: Form, parts: Vec<Part>, is_checked: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut lengths = Vec::new();
    for mut part in parts {
        let length = part.numbers.iter().copied().find(|n| n.is_length);
        let len = part.body.len() as isize;
        let more = match part.check {
            Check::Length(more) => Some(more),
            Check::Chunk => Some(-12),
            _ => None,
        };
        if let (true, Some(number), Some(more)) = (part.is_honest, length, more) {
            part.set(number, (len + more).max(0) as u64);
        }
        if is_checked && part.check == Check::Chunk && part.body.len() >= 12 {
            let end = part.body.len() - 4;
            let sum = crc32fast::hash(&part.body[4..end]);
            part.body[end..].copy_from_slice(&sum.to_be_bytes());
        }
        if is_checked && part.check == Check::Header && part.body.len() >= 512 {
            part.body[148..156].fill(b' ');
            let sum: u32 = part.body[..512].iter().map(|&byte| u32::from(byte)).sum();
            part.body[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        lengths.push(part.body.len());
        file.extend(part.key);
        if part.check == Check::Message {
            let mut len = part.body.len();
            while len >= 0x80 {
                file.push(len as u8 | 0x80);
                len >>= 7;
            }
            file.push(len as u8);
        }
        file.extend(part.body);
    }
    if !is_checked {
        return file;
    }
    match (form, &lengths[..]) {
        (Form::Riff, _) if file.len() >= 8 => {
            let len = file.len() as u32 - 8;
            file[4..8].copy_from_slice(&len.to_le_bytes());
        }
        (Form::Safetensors, [8, header, ..]) => {
            file[..8].copy_from_slice(&(*header as u64).to_le_bytes());
        }
        (Form::Parquet, [.., footer, 8]) => {
            let at = file.len() - 8;
            file[at..at + 4].copy_from_slice(&(*footer as u32).to_le_bytes());
        }
        (Form::Scan, _) if file.len() > 4 => {
            let at = file.len() - 4;
            let sum = crc32fast::hash(&file[..at]);
            file[at..].copy_from_slice(&sum.to_le_bytes());
        }
        _ => {}
    }
    file
}

type Taken = Option<(Part, usize)>;

/// A part of so many bytes at the beginning.
fn taken(rest: &[u8], len: usize, make: impl FnOnce(Part) -> Part) -> Taken {
    Some((make(Part::new(rest.get(..len)?)), len))
}

fn png(rest: &[u8]) -> Taken {
    if rest.starts_with(b"\x89PNG") {
        return taken(rest, 8, |part| part);
    }
    taken(rest, be(rest, 0, 4)?.checked_add(12)?, |part| {
        let mut part = part
            .long(0, 4, true, -12)
            .with(8..40, 4, true)
            .with(16..24, 1, true);
        part.check = Check::Chunk;
        part
    })
}

fn jpeg(rest: &[u8]) -> Taken {
    match rest {
        // Start, end and restarts stand alone.
        [0xff, 0xd0..=0xd9, ..] => taken(rest, 2, |part| part),
        [0xff, 1..=0xfe, ..] => taken(rest, be(rest, 2, 2)?.checked_add(2)?, |part| {
            part.long(2, 2, true, -2)
                .with(4..40, 1, true)
                .with(5..9, 2, true)
        }),
        // What is coded, up to the next marker.
        _ => {
            let is_marker = |pair: &[u8]| pair[0] == 0xff && pair[1] != 0;
            let end = rest.windows(2).position(is_marker);
            taken(rest, end.unwrap_or(rest.len()), |part| part)
        }
    }
}

fn riff(rest: &[u8]) -> Taken {
    if rest.starts_with(b"RIFF") {
        return taken(rest, 12, |part| part.with(4..8, 4, false));
    }
    let len = le(rest, 4, 4)?;
    if rest.starts_with(b"ANMF") {
        // Its chunks follow as parts of their own.
        return taken(rest, 24, |part| {
            part.with(4..8, 4, false).with(8..24, 1, false)
        });
    }
    let padded = len.checked_add(len % 2)?.checked_add(8)?;
    taken(rest, padded, |part| {
        let part = part.with(8..24, 1, false).with(8..24, 2, false);
        part.long(4, 4, false, len as isize - padded as isize)
    })
}

/// Bytes of a GIF's blocks, up to the empty one that ends them.
fn blocks(rest: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let len = usize::from(*rest.get(at)?);
        at += 1 + len;
        if len == 0 {
            return Some(at);
        }
    }
}

fn gif(rest: &[u8], is_first: bool) -> Taken {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    match *rest.first()? {
        _ if is_first => taken(rest, 13 + table(*rest.get(10)?), |part| {
            part.with(6..10, 2, false).with(10..13, 1, false)
        }),
        0x21 => taken(rest, blocks(rest, 2)?, |part| part.with(1..16, 1, false)),
        0x2c => {
            let data = 10 + table(*rest.get(9)?);
            taken(rest, blocks(rest, data + 1)?, |part| {
                part.with(1..9, 2, false)
                    .with(9..10, 1, false)
                    .with(data..data + 2, 1, false)
            })
        }
        _ => None,
    }
}

/// A box, of which those that hold others end where these begin.
fn a_box(rest: &[u8]) -> Taken {
    let inner = match rest.get(4..8)? {
        b"meta" => 12,
        b"moov" | b"trak" | b"iprp" | b"ipco" | b"mdia" | b"minf" | b"stbl" => 8,
        _ => {
            return taken(rest, be(rest, 0, 4)?, |part| {
                part.long(0, 4, true, 0)
                    .with(8..72, 4, true)
                    .with(8..72, 2, true)
            });
        }
    };
    taken(rest, inner, |part| part.with(0..inner, 4, true))
}

fn message(rest: &[u8]) -> Taken {
    if rest.first()? & 7 != 2 {
        return None;
    }
    let mut len = 0;
    let mut at = 1;
    loop {
        let byte = *rest.get(at)?;
        len |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte < 0x80 {
            break;
        }
        if at > 5 {
            return None;
        }
    }
    let end = at.checked_add(len)?;
    let mut part = Part::new(rest.get(at..end)?).with(0..16, 1, false);
    part.key = rest[..1].to_vec();
    part.check = Check::Message;
    Some((part, end))
}

/// An opcode and what follows it; of numbers that stand behind a pickle, whatever they look like.
fn pickle(rest: &[u8]) -> Taken {
    let number = |width: usize| {
        taken(rest, 1 + width, |part| {
            part.with(1..1 + width, width, false)
        })
    };
    let long = |width: usize| {
        let before = 1 + width;
        taken(rest, le(rest, 1, width)?.checked_add(before)?, |part| {
            part.long(1, width, false, -(before as isize))
        })
    };
    let known = match *rest.first()? {
        b'X' | b'T' | b'B' => long(4),
        0x8a | 0x8c | b'U' | b'C' => long(1),
        0x8d | 0x8e | 0x96 => long(8),
        0x80 | b'K' | b'q' | b'h' => number(1),
        b'M' => number(2),
        b'J' | b'r' | b'j' => number(4),
        0x95 | b'G' => number(8),
        b'c' => {
            let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let end = ends.map(|(at, _)| at + 1).nth(1)?;
            taken(rest, end, |part| part)
        }
        _ => None,
    };
    known.or_else(|| taken(rest, 1, |part| part))
}

/// Takes the next part: the data before the footer, the footer, or the last eight bytes.
fn parquet(rest: &[u8]) -> Taken {
    let body = rest.len().checked_sub(8)?;
    if body == 0 {
        return taken(rest, 8, |part| part.with(0..4, 4, false));
    }
    let footer = le(rest, body, 4)?.min(body);
    let len = if footer == body {
        footer
    } else {
        body - footer
    };
    taken(rest, len, |part| part.with(0..len, 1, false))
}

/// The length of the header, the header, the numbers.
fn safetensors(rest: &[u8], n: usize) -> Taken {
    match n {
        0 => taken(rest, 8, |part| part.with(0..8, 8, false)),
        // The header ends where the brackets do, whatever its length says.
        1 => {
            let mut depth = 0;
            let end = rest.iter().position(|byte| {
                depth += i32::from(*byte == b'{') - i32::from(*byte == b'}');
                depth == 0
            })?;
            let spaces = rest[end + 1..].iter().take_while(|&&byte| byte == b' ');
            taken(rest, end + 1 + spaces.count(), |part| part)
        }
        _ => None,
    }
}

/// A header and what it holds.
fn tar(rest: &[u8]) -> Taken {
    let size = std::str::from_utf8(rest.get(124..135)?).ok()?;
    let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
    let len = 512 + size.next_multiple_of(512);
    taken(rest, len.min(rest.len()), |mut part| {
        part.check = Check::Header;
        part.with(156..157, 1, true).with(124..136, 1, true)
    })
}

/// A file in an archive, an entry of its directory, or its end.
fn zip(rest: &[u8]) -> Taken {
    let len = match rest.get(..4)? {
        b"PK\x03\x04" => {
            let (name, extra) = (le(rest, 26, 2)?, le(rest, 28, 2)?);
            let len = 30usize.checked_add(name + extra)?;
            // The size may stand behind the file alone.
            let next = rest[4..]
                .windows(4)
                .position(|w| matches!(w, b"PK\x03\x04" | b"PK\x01\x02"));
            len.max(4 + next?)
        }
        b"PK\x01\x02" => 46 + le(rest, 28, 2)? + le(rest, 30, 2)? + le(rest, 32, 2)?,
        _ => rest.len(),
    };
    taken(rest, len, |part| {
        part.with(4..16, 2, false)
            .with(16..28, 4, false)
            .with(28..46, 2, false)
    })
}

/// A file whose directories' entries are its numbers.
fn tiff(rest: &[u8]) -> Part {
    let big = rest.starts_with(b"MM");
    let read = |at: usize, width: usize| {
        if big {
            be(rest, at, width)
        } else {
            le(rest, at, width)
        }
    };
    let mut part = Part::new(rest).with(0..8, 2, big).with(4..8, 4, big);
    let mut directory = read(4, 4).unwrap_or(0);
    for _ in 0..8 {
        let Some(entries) = read(directory, 2) else {
            break;
        };
        part = part.with(directory..directory + 2, 2, big);
        for i in 0..entries.min(64) {
            let at = directory + 2 + 12 * i;
            part = part.with(at..at + 4, 2, big).with(at + 4..at + 12, 4, big);
        }
        let end = directory + 2 + 12 * entries;
        part = part.with(end..end + 4, 4, big);
        match read(end, 4) {
            Some(next) if next > 0 => directory = next,
            _ => break,
        }
    }
    part
}
