//! Flickr8k's and Flickr30k's token files: a line is `name.jpg#0`, a tab and a caption.

use std::path::Path;

use super::source::Captions;
use crate::samples::{Found, Reason};
use crate::{Error, Result};

/// Reads the pictures in the order of the file.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Data`] if nothing in it can be used.
pub(super) fn read(path: &Path, base: &Path) -> Result<Found> {
    let bytes = fs_err::read(path).map_err(Error::Io)?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut captions = Captions::new(path, base);
    for (line, i) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        match std::str::from_utf8(line) {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => match parse(line) {
                Some((name, caption)) => captions.add(name, caption),
                None => captions.pass_over(
                    Reason::Line,
                    format_args!("line {i} is not `NAME#NUMBER`, a tab and a caption"),
                ),
            },
            Err(e) => {
                captions.pass_over(Reason::NotUtf8, format_args!("line {i} is not UTF-8: {e}"))
            }
        }
    }
    captions.finish()
}

/// The picture and the caption of a line.
pub(super) fn parse(line: &str) -> Option<(&str, &str)> {
    let (name, caption) = line.split_once('\t')?;
    let (name, number) = name.rsplit_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((name, caption))
}
