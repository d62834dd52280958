//! EXIF orientation: how a camera was held, and the picture turned upright.
//!
//! Source: CIPA DC-008 (EXIF 2.32), tag 0x0112; the EXIF block is a TIFF file of its own.

use super::ifd::Block;
use super::picture::Picture;

/// The tag of the orientation.
pub(super) const ORIENTATION: u16 = 0x0112;

/// The steps that turn a picture upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Rows and columns change places; done first.
    transpose: bool,
    /// Then left and right change places.
    mirror: bool,
    /// Then top and bottom change places.
    flip: bool,
}

impl Orientation {
    /// From the value of the tag, 1 to 8; anything else is upright.
    pub(super) fn from_tag(value: u32) -> Self {
        let (transpose, mirror, flip) = match value {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self {
            transpose,
            mirror,
            flip,
        }
    }

    /// Whether columns become rows.
    pub(super) fn transposes(self) -> bool {
        self.transpose
    }

    /// Turns the picture upright.
    pub(super) fn apply(self, picture: Picture) -> Picture {
        if self == Self::default() {
            return picture;
        }
        let (old_width, old_height) = (picture.width(), picture.height());
        let (width, height) = if self.transpose {
            (old_height, old_width)
        } else {
            (old_width, old_height)
        };
        picture.rearrange(width, height, |x, y| {
            let x = if self.mirror { width - 1 - x } else { x };
            let y = if self.flip { height - 1 - y } else { y };
            if self.transpose { (y, x) } else { (x, y) }
        })
    }
}

/// The first of a SHORT's or LONG's numbers in the first directory of a TIFF block, classic or
/// BigTIFF.
pub(super) fn find_number(tiff: &[u8], tag: u16) -> Option<u32> {
    let block = Block::new(tiff)?;
    if ![2, 3]
        .iter()
        .any(|&at| matches!(tiff.get(at), Some(42 | 43)))
    {
        return None;
    }
    let entry = block.first_entries().find(|entry| entry.tag == tag)?;
    block.field(entry)
}
