//! WebDataset shards: tar files of `KEY.EXT` pictures and `KEY.txt` texts, plain or gzipped.
//!
//! Invariant: samples stay compressed in memory and are decoded when a batch needs them. The next
//! step is a stream through a shuffle buffer, for data that does not fit.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::image::{DecodeOptions, Picture};
use crate::{Error, Result};

/// No picture or text of a training set has more bytes; a header that says so is damaged.
const MAX_MEMBER_BYTES: u64 = 1 << 28;

/// No shard has more bytes once unpacked; one that has is a bomb, and reads as cut off.
const MAX_SHARD_BYTES: u64 = 1 << 36;

/// Extensions of pictures.
const IMAGES: &[&str] = &["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

impl Sample {
    /// Decodes the picture, upright.
    ///
    /// # Errors
    /// [`Error::Shard`] naming shard and sample.
    pub fn picture(&self) -> Result<Picture> {
        Picture::decode(&self.image, &DecodeOptions::default()).map_err(|e| Error::Shard {
            path: self.shard.to_path_buf(),
            reason: format!("picture {}: {e}", self.key),
        })
    }
}

/// An image-text pair, as stored.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The shard it lies in, for messages.
    pub shard: Arc<Path>,
    /// Its key in the shard, for messages.
    pub key: String,
    /// The encoded picture.
    pub image: Vec<u8>,
    /// Its texts, one a line, none empty.
    pub texts: Vec<String>,
}

/// Reads every sample of a shard, in order.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Shard`] if it is damaged, empty, or a picture or
/// text is alone.
pub fn read_shard(path: &Path) -> Result<Vec<Sample>> {
    let file = BufReader::new(fs_err::File::open(path).map_err(Error::Io)?);
    let gzip = path.extension().is_some_and(|e| e == "gz" || e == "tgz");
    let reader: Box<dyn Read> = if gzip {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let broken = |reason: String| Error::Shard {
        path: path.to_owned(),
        reason,
    };
    let damaged = |e: std::io::Error| broken(format!("not a whole tar file: {e}"));

    let mut samples = Vec::new();
    let mut open = Partial::default();
    let shard: Arc<Path> = path.into();
    let mut archive = tar::Archive::new(reader.take(MAX_SHARD_BYTES));
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(damaged)?.into_owned();
        let size = entry.size();
        if size > MAX_MEMBER_BYTES {
            return Err(broken(format!("{} has {size} bytes", name.display())));
        }
        // A key is the path up to the first dot of the file's name, as WebDataset has it.
        let file_name = name
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (stem, extension) = file_name.split_once('.').unwrap_or((&file_name, ""));
        let extension = extension.to_ascii_lowercase();
        let is_image = IMAGES.contains(&extension.as_str());
        if !is_image && extension != "txt" {
            continue; // other members (`json`, `cls`, …) are none of ours
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let key = name.with_file_name(stem).display().to_string();
        if open.key != key {
            samples.extend(open.finish(&shard).map_err(broken)?);
            open = Partial {
                key,
                ..Partial::default()
            };
        }
        match is_image {
            true => open.image = Some(bytes),
            false => open.text = Some(bytes),
        }
    }
    samples.extend(open.finish(&shard).map_err(broken)?);
    if samples.is_empty() {
        return Err(broken("there is no image-text pair in it".into()));
    }
    Ok(samples)
}

/// Reads the samples of several shards.
///
/// # Errors
/// As [`read_shard`], for the first shard that fails.
pub fn read_shards(paths: &[PathBuf]) -> Result<Vec<Sample>> {
    use rayon::prelude::*;
    let shards: Result<Vec<_>> = paths.par_iter().map(|path| read_shard(path)).collect();
    Ok(shards?.into_iter().flatten().collect())
}

/// A sample of which some members have been read.
#[derive(Default)]
struct Partial {
    key: String,
    image: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
}

impl Partial {
    fn finish(self, shard: &Arc<Path>) -> Result<Option<Sample>, String> {
        let key = self.key;
        let (image, text) = match (self.image, self.text) {
            (None, None) => return Ok(None),
            (Some(image), Some(text)) => (image, text),
            (Some(_), None) => return Err(format!("picture {key} has no .txt beside it")),
            (None, Some(_)) => return Err(format!("text {key}.txt has no picture beside it")),
        };
        let text = String::from_utf8(text).map_err(|e| format!("{key}.txt is not UTF-8: {e}"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let texts: Vec<String> = lines.map(str::to_owned).collect();
        match texts.is_empty() {
            true => Err(format!("{key}.txt is empty")),
            false => Ok(Some(Sample {
                shard: shard.clone(),
                key,
                image,
                texts,
            })),
        }
    }
}
