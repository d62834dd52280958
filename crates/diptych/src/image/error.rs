//! Errors of the picture stage: what was being read, what was found, what was wanted.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decode::WANTED;
use super::{Format, Size};

/// Why a picture could not be turned into pixels.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file could not be read; the message of the system names the path.
    #[error(transparent)]
    Read(#[from] std::io::Error),

    /// A file was read, but its content is at fault.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The fault of its content.
        error: Box<ImageError>,
    },

    /// There is not a single byte.
    #[error("the picture has no bytes")]
    Empty,

    /// The first bytes belong to none of the known formats.
    #[error("not a picture: it begins with `{start}`, but {WANTED} is wanted")]
    UnknownFormat {
        /// Up to eight bytes from the start, other than printable ASCII escaped.
        start: String,
    },

    /// The file has more bytes than a picture could need.
    #[error("the file has more than {limit} bytes, which no picture needs")]
    FileTooLong {
        /// Bytes at the most.
        limit: u64,
    },

    /// The bytes break the rules of their format, or end too early.
    #[error("damaged {format}: {reason}")]
    Damaged {
        /// The format that the first bytes announce.
        format: Format,
        /// The fault that the decoder met.
        reason: String,
    },

    /// The bytes are in order, but use a part of the format that is not read here.
    #[error("{format} with {found} is not supported")]
    Unsupported {
        /// The format that the first bytes announce.
        format: Format,
        /// The feature that is missing.
        found: String,
    },

    /// The format is read only by builds with a feature that this one lacks.
    #[error(
        "{format} is not read by this build; `cargo build --release --features {feature}` makes one that does"
    )]
    NotBuilt {
        /// The format that the first bytes announce.
        format: Format,
        /// The feature of the crate.
        feature: &'static str,
    },

    /// The picture can't be written in a format.
    #[error("a picture of {width}×{height} does not become {format}: {reason}")]
    Encode {
        /// The format to be written.
        format: Format,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The reason that the encoder gave.
        reason: String,
    },

    /// More pixels would be decoded than the caller allows; none was.
    #[error("{format} of {width}×{height} has more than the {max_megapixels} megapixels allowed")]
    TooLarge {
        /// The format that the first bytes announce.
        format: Format,
        /// Columns announced.
        width: u64,
        /// Rows announced.
        height: u64,
        /// The limit of [`DecodeOptions`](super::DecodeOptions).
        max_megapixels: u32,
    },

    /// A buffer does not have the length that its shape asks for.
    #[error("{what} has {got} values, but {shape} needs {want}")]
    Length {
        /// The buffer.
        what: &'static str,
        /// The shape, in words.
        shape: String,
        /// Values given.
        got: usize,
        /// Values needed.
        want: usize,
    },

    /// Two sets of pixels that should become one have different sizes.
    #[error("pixels of {got} cannot follow pixels of {want}")]
    Size {
        /// Size of the pixels to be added.
        got: Size,
        /// Size of the pixels already there.
        want: Size,
    },

    /// A rectangle leaves the picture, or holds no pixel.
    #[error(
        "{what} of {width}×{height} at ({left}, {top}) does not lie in a picture of {in_width}×{in_height}"
    )]
    Outside {
        /// The use of the rectangle.
        what: &'static str,
        /// First column.
        left: usize,
        /// First row.
        top: usize,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Columns of the picture.
        in_width: usize,
        /// Rows of the picture.
        in_height: usize,
    },
}

impl ImageError {
    /// Adds the file that the error is about.
    pub(super) fn in_file(self, path: &Path) -> Self {
        Self::File {
            path: path.to_owned(),
            error: Box::new(self),
        }
    }

    /// A decoder's own error, told in words.
    pub(super) fn damaged(format: Format, reason: impl ToString) -> Self {
        Self::Damaged {
            format,
            reason: reason.to_string(),
        }
    }

    /// A feature that is not read here.
    pub(super) fn unsupported(format: Format, found: impl Into<String>) -> Self {
        Self::Unsupported {
            format,
            found: found.into(),
        }
    }
}
