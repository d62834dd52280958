//! Lines of a file, plain or gzipped.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::samples::compression;
use crate::{Error, Result};

/// Bytes that a file may have, unpacked: a line is held in memory.
const MAX_BYTES: u64 = 1 << 30;

/// Hands each line of a file on, plain or gzipped, that is not empty.
pub(super) fn for_lines(path: &Path, mut f: impl FnMut(&str) -> Result<(), String>) -> Result<()> {
    let refuse = |reason: String| Error::RunFile {
        origin: path.display().to_string(),
        reason,
    };
    let mut file = BufReader::new(fs_err::File::open(path).map_err(Error::Io)?);
    let reader: Box<dyn Read> = match compression(file.fill_buf().map_err(|e| Error::io(path, e))?)
    {
        None => Box::new(file),
        Some("gzip") => Box::new(MultiGzDecoder::new(file)),
        Some(other) => {
            return Err(refuse(format!(
                "compressed by {other}, wanted a plain or gzipped file"
            )));
        }
    };
    let mut reader = BufReader::new(reader.take(MAX_BYTES));
    let mut line = String::new();
    for number in 1.. {
        let refuse = |reason| refuse(format!("line {number}: {reason}"));
        line.clear();
        let read = reader.read_line(&mut line);
        if read.map_err(|error| refuse(error.to_string()))? == 0 {
            break;
        }
        // As Excel and others begin a table.
        let text = line.strip_prefix('\u{feff}').filter(|_| number == 1);
        let text = text.unwrap_or(&line).trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            f(text).map_err(refuse)?;
        }
    }
    match reader.get_ref().limit() {
        0 => Err(refuse(format!("more than {MAX_BYTES} bytes"))),
        _ => Ok(()),
    }
}
