//! The first page of a TIFF: what its directory says, with the defaults of TIFF 6.0, and checked.

use super::unpack::predicts;
use super::unsupported;
use crate::image::error::ImageError;
use crate::image::ifd::{Block, Entry};

use super::Format;

/// Most samples of a pixel that may be more than the colours.
const MAX_SAMPLES: u64 = 8;

/// Most entries of a directory; each is looked for among them.
const MAX_ENTRIES: usize = 4096;

/// How the samples of a page are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// The transformation of samples before they were compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    /// Each is the difference to that of the pixel before.
    Horizontal,
    /// Bytes of one significance lie together, as differences.
    FloatingPoint,
}

/// The directory of a page, its values checked.
pub(super) struct Page<'a> {
    block: Block<'a>,
    entries: Vec<Entry>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) compression: u64,
    pub(super) photometric: u64,
    /// Samples of a pixel, the bits of each, and what they are.
    pub(super) samples: usize,
    pub(super) bits: usize,
    pub(super) kind: Kind,
    /// Whether each sample has a plane of its own.
    pub(super) is_planar: bool,
    /// Whether bits are stored least significant first.
    pub(super) is_reversed: bool,
    pub(super) predictor: Predictor,
    pub(super) extra: Vec<u64>,
    /// Columns and rows of a tile, or of a strip.
    pub(super) chunk: (usize, usize),
    pub(super) is_tiled: bool,
}

impl<'a> Page<'a> {
    /// Reads the first directory; others, wherever they are, are not looked at.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let damaged = |reason: &str| ImageError::damaged(Format::Tiff, reason);
        let block = Block::new(bytes).ok_or_else(|| damaged("there is no directory"))?;
        let entries: Vec<Entry> = block.first_entries().take(MAX_ENTRIES).collect();
        let mut page = Self {
            block,
            entries,
            width: 0,
            height: 0,
            compression: 1,
            photometric: 0,
            samples: 1,
            bits: 1,
            kind: Kind::Unsigned,
            is_planar: false,
            is_reversed: false,
            predictor: Predictor::None,
            extra: Vec::new(),
            chunk: (0, 0),
            is_tiled: false,
        };
        let side = |tag| page.number(tag).and_then(|side| usize::try_from(side).ok());
        let (Some(width), Some(height)) = (side(256), side(257)) else {
            return Err(damaged("it says no width or no height"));
        };
        (page.width, page.height) = (width, height);
        let number = |tag, default| page.number(tag).unwrap_or(default);
        let (compression, mut photometric) = (number(259, 1), number(262, 0));
        let (is_planar, is_reversed) = (number(284, 1) == 2, number(266, 1) == 2);
        let predictor = number(317, 1);
        let mut extra = page.numbers(338);
        let mut bits = page.numbers(258);
        let mut samples = page.number(277);
        if compression == super::unpack::OLD_JPEG {
            photometric = 6;
            samples = samples.or(Some(3));
        }
        let samples = samples.unwrap_or(1);
        if !(1..=MAX_SAMPLES).contains(&samples) {
            return Err(unsupported(format!("{samples} samples a pixel")));
        }
        // Excess ones say nothing; one for all is common.
        bits.truncate(samples as usize);
        let all = *bits.first().unwrap_or(&1);
        if bits.iter().any(|&bits| bits != all) {
            return Err(unsupported(format!("samples of {bits:?} bits")));
        }
        if !matches!(all, 1 | 2 | 4 | 8 | 12 | 16 | 32) {
            return Err(unsupported(format!("samples of {all} bits")));
        }
        extra.truncate(samples as usize);
        let kind = match page.numbers(339).first() {
            None | Some(1) => Kind::Unsigned,
            Some(2) => Kind::Signed,
            Some(3) => Kind::Float,
            Some(other) => return Err(unsupported(format!("sample format {other}"))),
        };
        let predictor = match (predictor, kind, all) {
            _ if !predicts(compression) => Predictor::None,
            (1, ..) => Predictor::None,
            (2, _, 8 | 16 | 32) => Predictor::Horizontal,
            (3, Kind::Float, 32) => Predictor::FloatingPoint,
            _ => {
                let found = format!("predictor {predictor} of samples of {all} bits");
                return Err(unsupported(found));
            }
        };
        let tile = side_of(page.number(322)).zip(side_of(page.number(323)));
        let is_tiled = tile.is_some();
        let rows = page.number(278).and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.filter(|&rows| rows > 0).unwrap_or(height).min(height);
        page.chunk = tile.unwrap_or((width, rows));
        Ok(Self {
            compression,
            photometric,
            samples: samples as usize,
            bits: all as usize,
            kind,
            is_planar: is_planar && samples > 1,
            is_reversed,
            predictor,
            extra,
            is_tiled,
            ..page
        })
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.block.bytes
    }

    pub(super) fn is_big_endian(&self) -> bool {
        self.block.big_endian
    }

    fn entry(&self, tag: u16) -> Option<Entry> {
        self.entries.iter().copied().find(|entry| entry.tag == tag)
    }

    /// The whole numbers of a tag; none, if it is not there.
    pub(super) fn numbers(&self, tag: u16) -> Vec<u64> {
        let entry = self.entry(tag);
        entry.map_or_else(Vec::new, |entry| self.block.numbers(entry).collect())
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.block.numbers(self.entry(tag)?).next()
    }

    /// The fractions of a tag.
    pub(super) fn fractions(&self, tag: u16) -> Vec<f32> {
        let entry = self.entry(tag);
        entry.map_or_else(Vec::new, |entry| self.block.fractions(entry).collect())
    }

    /// The bytes of a tag.
    pub(super) fn blob(&self, tag: u16) -> Option<&'a [u8]> {
        self.block.values(self.entry(tag)?)
    }
}

/// A side of a tile; one that no memory holds is none.
fn side_of(number: Option<u64>) -> Option<usize> {
    let side = i32::try_from(number?).ok().filter(|&side| side > 0)?;
    usize::try_from(side).ok()
}
