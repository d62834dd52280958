//! Fujifilm's RAF: a header that says where a whole JPEG lies, EXIF included.
//!
//! Source: ExifTool's `FujiFilm.pm`, `ProcessRAF`.

use super::Found;
use crate::image::ifd::Block;

/// Where the JPEG's start and length stand.
const START: usize = 84;
const LENGTH: usize = 88;

pub(super) fn is_raf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FUJIFILMCCD-RAW")
}

pub(super) fn previews(bytes: &[u8]) -> Found {
    let header = Block {
        bytes,
        big_endian: true,
    };
    let place = header.long(START).zip(header.long(LENGTH));
    Found {
        places: place
            .map(|(at, n)| (at.into(), n.into()))
            .into_iter()
            .collect(),
        orientation: None,
    }
}
