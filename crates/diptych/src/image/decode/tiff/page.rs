//! The first page of a TIFF: its directory, with the defaults of TIFF 6.0, checked.

use super::subsampled::YCC;
use super::unpack::{OLD_JPEG, predicts};
use super::{Format, unsupported};
use crate::image::error::ImageError;
use crate::image::ifd::{Block, Entry};

/// Most samples of a pixel that may be more than the colours.
const MAX_SAMPLES: u64 = 8;

/// Most entries of a directory; each is looked for among them.
const MAX_ENTRIES: usize = 4096;

/// The kind of number that samples are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleFormat {
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

/// A directory as it is stored.
pub(super) struct Directory<'a> {
    block: Block<'a>,
    entries: Vec<Entry>,
}

/// A page as its directory has it, checked.
pub(super) struct Page<'a> {
    pub(super) tags: Directory<'a>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) compression: u64,
    pub(super) photometric: u64,
    /// Samples of a pixel, the bits of each, and their format.
    pub(super) samples: usize,
    pub(super) bits: usize,
    pub(super) format: SampleFormat,
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
        let tags = Directory {
            block,
            entries: block.first_entries().take(MAX_ENTRIES).collect(),
        };
        let number = |tag, default| tags.number(tag).unwrap_or(default);
        let side = |tag| tags.number(tag).and_then(|side| usize::try_from(side).ok());
        let (Some(width), Some(height)) = (side(256), side(257)) else {
            return Err(damaged("it says no width or no height"));
        };
        let compression = number(259, 1);
        // The first kind of JPEG is luma and chroma, whatever else is said.
        let (photometric, samples) = match compression {
            OLD_JPEG => (YCC, number(277, 3)),
            _ => (number(262, 0), number(277, 1)),
        };
        if !(1..=MAX_SAMPLES).contains(&samples) {
            return Err(unsupported(format!("{samples} samples a pixel")));
        }
        let samples = samples as usize;
        // Excess ones say nothing; one for all is common.
        let mut bits = tags.numbers(258);
        bits.truncate(samples);
        let all = *bits.first().unwrap_or(&1);
        if bits.iter().any(|&bits| bits != all) {
            return Err(unsupported(format!("samples of {bits:?} bits")));
        }
        if !matches!(all, 1 | 2 | 4 | 8 | 12 | 16 | 32) {
            return Err(unsupported(format!("samples of {all} bits")));
        }
        let mut extra = tags.numbers(338);
        extra.truncate(samples);
        let format = match number(339, 1) {
            1 => SampleFormat::Unsigned,
            2 => SampleFormat::Signed,
            3 => SampleFormat::Float,
            other => return Err(unsupported(format!("sample format {other}"))),
        };
        let predictor = match (number(317, 1), format, all) {
            _ if !predicts(compression) => Predictor::None,
            (1, ..) => Predictor::None,
            (2, _, 8 | 16 | 32) => Predictor::Horizontal,
            (3, SampleFormat::Float, 32) => Predictor::FloatingPoint,
            (other, ..) => {
                let found = format!("predictor {other} of samples of {all} bits");
                return Err(unsupported(found));
            }
        };
        let tile = side_of(tags.number(322)).zip(side_of(tags.number(323)));
        let rows = side(278).filter(|&rows| rows > 0).unwrap_or(height);
        Ok(Self {
            width,
            height,
            compression,
            photometric,
            samples,
            bits: all as usize,
            format,
            is_planar: number(284, 1) == 2 && samples > 1,
            is_reversed: number(266, 1) == 2,
            predictor,
            extra,
            chunk: tile.unwrap_or((width, rows.min(height))),
            is_tiled: tile.is_some(),
            tags,
        })
    }
}

impl<'a> Directory<'a> {
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
