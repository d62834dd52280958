//! `Format`: what a file is, by its bytes.

use std::fmt;

use super::raw;

/// What can be read, for messages.
pub(in crate::image) const WANTED: &str = "BMP, GIF, JPEG, PNG, a camera's RAW, TIFF or WebP";

/// A picture file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Windows bitmap.
    Bmp,
    /// Graphics Interchange Format.
    Gif,
    /// JPEG, in any of its colour spaces.
    Jpeg,
    /// Portable Network Graphics, animated or not.
    Png,
    /// A camera's RAW, of which the preview is read: DNG, CR2, CR3, NEF, ARW, RAF, ORF, RW2, PEF and what is
    /// made like them.
    Raw,
    /// Tagged Image File Format.
    Tiff,
    /// WebP, lossy, lossless or animated.
    WebP,
}

impl Format {
    /// The format that a file's bytes announce; names and extensions are not asked.
    ///
    /// The first hundred bytes will do, but for a RAW in the shape of a TIFF, which is told by its
    /// directories, wherever they lie.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some(Self::Png),
            _ if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") => Some(Self::Gif),
            _ if raw::is_raw(bytes) => Some(Self::Raw),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'B', b'M', ..] => Some(Self::Bmp),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Raw => "RAW",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        })
    }
}
