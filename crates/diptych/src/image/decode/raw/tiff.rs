//! RAW in the shape of a TIFF: DNG, NEF, CR2, ARW, PEF, SRW; ORF and RW2, which bear another
//! number.
//!
//! Previews lie in the chain of directories, in the ones below them, and in Olympus' notes.
//! A TIFF that is a RAW has a DNG's version, a sensor's pixels or a camera's mark; any other is
//! left to the TIFF decoder.

use super::Found;
use crate::image::ifd::{Block, Entry};

/// More directories than any camera writes.
const MAX_DIRECTORIES: usize = 64;
/// More entries in one of them than any camera writes.
const MAX_ENTRIES: usize = 1000;

const COMPRESSION: u16 = 0x0103;
const PHOTOMETRIC: u16 = 0x0106;
const STRIP_OFFSETS: u16 = 0x0111;
const ORIENTATION: u16 = 0x0112;
const STRIP_BYTE_COUNTS: u16 = 0x0117;
const SUB_DIRECTORIES: u16 = 0x014a;
const JPEG_START: u16 = 0x0201;
const JPEG_LENGTH: u16 = 0x0202;
const EXIF: u16 = 0x8769;
const MAKER_NOTE: u16 = 0x927c;
const DNG_VERSION: u16 = 0xc612;

/// Panasonic's and Leica's `JpgFromRaw`, in place of its bytes.
const PANASONIC_JPEG: u16 = 0x002e;
/// Olympus' `CameraSettings`, in its notes, and the start and length of a preview in them.
const OLYMPUS_SETTINGS: u16 = 0x2020;
const OLYMPUS_START: u16 = 0x0101;
const OLYMPUS_LENGTH: u16 = 0x0102;

/// Photometric values of a sensor's pixels: behind a mosaic of colours, and as they are.
const COLOUR_FILTER_ARRAY: u32 = 32803;
const LINEAR_RAW: u32 = 34892;

/// Photometric values of pictures for the eye: grey, RGB, YCbCr.
const DEVELOPED: [u32; 3] = [1, 2, 6];

/// `Compression` values of JPEG, in TIFF's sixth edition and after.
const JPEG: [u32; 2] = [6, 7];

/// The files whose magic number is not TIFF's 42, so that no one else claims them.
fn has_own_number(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"IIRO" | b"IIRS" | b"MMOR" | b"IIU\0"))
}

fn is_classic(bytes: &[u8]) -> bool {
    matches!(bytes.get(..4), Some(b"II*\0" | b"MM\0*"))
}

pub(super) fn is_raw(bytes: &[u8]) -> bool {
    let is_canon = || bytes.get(8..10) == Some(b"CR");
    has_own_number(bytes) || is_classic(bytes) && (is_canon() || walk(bytes).is_sensors)
}

pub(super) fn previews(bytes: &[u8]) -> Found {
    walk(bytes).found
}

/// The purpose of a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The first; its orientation is the file's.
    First,
    /// Another of the chain, or below one of it.
    Picture,
    /// Facts of the exposure, and the maker's notes.
    Exif,
    /// Olympus' notes, whose positions count from their own start.
    Notes,
    /// The part of them that has the preview.
    Settings,
}

/// Results of a walk through all directories.
#[derive(Default)]
struct Walk {
    found: Found,
    /// Of the file.
    length: usize,
    /// A DNG's version or a sensor's pixels were seen.
    is_sensors: bool,
}

fn walk(bytes: &[u8]) -> Walk {
    let mut walk = Walk {
        length: bytes.len(),
        ..Walk::default()
    };
    let Some(block) = Block::new(bytes) else {
        return walk;
    };
    let mut open: Vec<(Role, Block, usize)> = Vec::new();
    open.extend(block.first().map(|at| (Role::First, block, at)));
    // Directories may point at each other; each is read once, whatever it is called the second
    // time.
    let mut seen: Vec<(usize, usize)> = Vec::new();
    while let Some((role, block, at)) = open.pop() {
        let place = (block.bytes.len(), at);
        if seen.len() < MAX_DIRECTORIES && !seen.contains(&place) {
            seen.push(place);
            let below = walk.directory(role, block, at);
            open.extend(below);
        }
    }
    walk
}

impl Walk {
    /// Notes what a directory says, and returns the ones that it points to.
    fn directory<'a>(
        &mut self,
        role: Role,
        block: Block<'a>,
        at: usize,
    ) -> Vec<(Role, Block<'a>, usize)> {
        let mut below = Vec::new();
        let [mut compression, mut photometric] = [None; 2];
        let [mut jpeg, mut strip] = [[None; 2]; 2];
        let mut panasonic = None;
        let is_picture = matches!(role, Role::First | Role::Picture);
        if is_picture {
            below.extend(block.next(at).map(|next| (Role::Picture, block, next)));
        }
        // As many entries as any camera writes, since a tag may be repeated.
        for entry in block.entries(at).take(MAX_ENTRIES) {
            let field = || block.field(entry);
            match (entry.tag, role) {
                (JPEG_START, _) | (OLYMPUS_START, Role::Settings) => jpeg[0] = field(),
                (JPEG_LENGTH, _) | (OLYMPUS_LENGTH, Role::Settings) => jpeg[1] = field(),
                (MAKER_NOTE, Role::Exif) => below.extend(olympus_notes(block, entry)),
                (OLYMPUS_SETTINGS, Role::Notes) => {
                    below.extend(field().map(|at| (Role::Settings, block, at as usize)));
                }
                _ if !is_picture => {}
                (COMPRESSION, _) => compression = field(),
                (PHOTOMETRIC, _) => photometric = field(),
                // A JPEG in several strips is none that could be taken out whole.
                (STRIP_OFFSETS, _) if entry.count == 1 => strip[0] = field(),
                (STRIP_BYTE_COUNTS, _) if entry.count == 1 => strip[1] = field(),
                (SUB_DIRECTORIES, _) if below.len() < MAX_DIRECTORIES => {
                    let places = block.numbers(entry).take(MAX_DIRECTORIES);
                    below.extend(places.map(|at| (Role::Picture, block, at as usize)));
                }
                (EXIF, Role::First) => {
                    below.extend(field().map(|at| (Role::Exif, block, at as usize)))
                }
                (ORIENTATION, Role::First) => self.found.orientation = field(),
                (DNG_VERSION, Role::First) => self.is_sensors = true,
                (PANASONIC_JPEG, Role::First) if has_own_number(block.bytes) => {
                    panasonic = block.range(entry);
                }
                _ => {}
            }
        }
        self.is_sensors |= matches!(photometric, Some(COLOUR_FILTER_ARRAY | LINEAR_RAW));
        let is_jpeg = compression.is_some_and(|c| JPEG.contains(&c));
        if !is_jpeg || photometric.is_some_and(|p| !DEVELOPED.contains(&p)) {
            strip = [None; 2];
        }
        let base = (self.length - block.bytes.len()) as u64;
        for place in [jpeg, strip] {
            if let [Some(start), Some(length)] = place {
                let place = (base + u64::from(start), u64::from(length));
                self.found.places.push(place);
            }
        }
        self.found.places.extend(panasonic);
        below
    }
}

/// Olympus' notes in an ORF; older cameras' have another shape.
fn olympus_notes<'a>(block: Block<'a>, entry: Entry) -> Option<(Role, Block<'a>, usize)> {
    let (start, _) = block.range(entry).filter(|_| has_own_number(block.bytes))?;
    let notes = block.bytes.get(usize::try_from(start).ok()?..)?;
    let order = if notes.starts_with(b"OLYMPUS\0") {
        8
    } else if notes.starts_with(b"OM SYSTEM\0\0\0") {
        12
    } else {
        return None;
    };
    let big_endian = Block::new(&notes[order..])?.big_endian;
    let notes = Block {
        bytes: notes,
        big_endian,
    };
    Some((Role::Notes, notes, order + 4))
}
