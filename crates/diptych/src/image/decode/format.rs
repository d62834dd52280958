//! `Format`: what a file is, by its bytes.

use std::fmt;
use std::path::Path;

use super::{bmp, raw};

/// The formats that can be read, for messages.
pub(in crate::image) const WANTED: &str = if cfg!(feature = "heif") {
    "AVIF, BMP, GIF, HEIC, JPEG, PNG, a camera's RAW, TIFF or WebP"
} else {
    "BMP, GIF, JPEG, PNG, a camera's RAW, TIFF or WebP"
};

/// A picture file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// AV1 in HEIF; read by builds with the feature `heif`.
    Avif,
    /// Windows bitmap, as a file or without a file's header.
    Bmp,
    /// Graphics Interchange Format.
    Gif,
    /// HEIC, which phones write, and HEIF of other codings; read by builds with the feature `heif`.
    Heif,
    /// JPEG, in any of its colour spaces.
    Jpeg,
    /// Portable Network Graphics, animated or not.
    Png,
    /// A camera's RAW, of which the preview is read: DNG, CR2, CR3, NEF, ARW, RAF, ORF, RW2, PEF
    /// and what is made like them.
    Raw,
    /// Tagged Image File Format.
    Tiff,
    /// WebP, lossy, lossless or animated.
    WebP,
}

/// How the names of pictures end, whether this build reads them or says why not; `raw` is what
/// packed sets call a RAW.
const EXTENSIONS: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff",
    "heic", "heif", "avif", "raw", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2", "pef",
];

/// Whether a name ends as those of pictures do, in capitals or not.
#[must_use]
pub fn is_picture_name(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(is_picture_extension)
}

/// Whether pictures' names have this extension, in capitals or not.
#[must_use]
pub fn is_picture_extension(extension: &str) -> bool {
    EXTENSIONS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(extension))
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
            // The number is in the other order in some files.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'I', b'I', 0, 42, ..] | [b'M', b'M', 42, 0, ..] => Some(Self::Tiff),
            [b'B', b'M', ..] => Some(Self::Bmp),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => of_brands(bytes),
            _ if bmp::is_bare(bytes) => Some(Self::Bmp),
            _ => None,
        }
    }
}

/// HEIF or AVIF by the brands in its first box: the file's own, and those that it is compatible
/// with.
fn of_brands(bytes: &[u8]) -> Option<Format> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let brands = bytes.get(8..size.min(bytes.len()))?.as_chunks::<4>().0;
    // Between the two stands a number of the version.
    let brands = || {
        let others = brands.iter().skip(2);
        brands.iter().take(1).chain(others)
    };
    // The general brands stand in files of all codings, so the special ones are looked for first.
    let special = brands().find_map(|brand| match brand {
        b"avif" | b"avis" => Some(Format::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => {
            Some(Format::Heif)
        }
        _ => None,
    });
    let mut general =
        brands().filter(|brand| matches!(*brand, b"mif1" | b"mif2" | b"msf1" | b"miaf"));
    special.or_else(|| general.next().map(|_| Format::Heif))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avif => "AVIF",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Heif => "HEIC",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Raw => "RAW",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        })
    }
}
