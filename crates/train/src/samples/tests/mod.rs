//! Sets of every kind, whole and damaged.

mod archives;
mod sources;

use super::*;
use diptych::image::{DecodeOptions, Encoding, Picture};

/// The bytes of a small picture that no other number has.
pub(crate) fn png(number: u8) -> Vec<u8> {
    let (width, height) = (24 + usize::from(number % 5), 20);
    let pixel = |i: usize| {
        [
            number.wrapping_mul(37),
            (i % width * 9) as u8,
            (i / width * 12) as u8,
        ]
    };
    let rgb = (0..width * height).flat_map(pixel).collect();
    Encoding::Png
        .encode(&Picture::from_rgb(width, height, rgb).unwrap())
        .unwrap()
}

/// A tar file of these members.
pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A shard of `n` pictures with a caption each.
pub(crate) fn shard(n: u8) -> Vec<u8> {
    let names: Vec<_> = (0..n)
        .map(|i| (format!("{i:03}.png"), format!("{i:03}.txt")))
        .collect();
    let members: Vec<_> = (0..n)
        .map(|i| (png(i), format!("caption {i}\nimage {i}")))
        .collect();
    let members: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&members)
        .flat_map(|(name, (image, text))| {
            [(&*name.0, image.as_slice()), (&*name.1, text.as_bytes())]
        })
        .collect();
    tar(&members)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes files below `dir`, and the folders they need.
pub(crate) fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

/// Reads a set of the run file's `keys`, whose files lie in `dir`.
fn set(dir: &Path, keys: &str) -> Result<Found, String> {
    let keys: Keys = toml::from_str(keys).map_err(|e| e.to_string())?;
    let damage = if keys.skip_damaged {
        Damage::Skip
    } else {
        Damage::Refuse
    };
    let set = match (keys.table, keys.folder) {
        (Some(table), _) => {
            let path = dir.join(table);
            Set::Table(Table {
                base: path.parent().unwrap().to_owned(),
                path,
                image_column: keys.image_column,
                text_column: keys.text_column,
            })
        }
        (None, Some(folder)) => Set::Folder(dir.join(folder)),
        (None, None) => Set::Shards {
            paths: expand(dir, &keys.shards).map_err(|e| e.to_string())?,
            damage,
            labels: if keys.boxes {
                Labels::Boxes
            } else {
                Labels::Texts
            },
        },
    };
    set.read().map_err(|e| e.to_string())
}

/// A set's files, as a run file names them.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    shards: Vec<PathBuf>,
    skip_damaged: bool,
    boxes: bool,
    table: Option<PathBuf>,
    image_column: Option<String>,
    text_column: Option<String>,
    folder: Option<PathBuf>,
}

fn names(found: &Found) -> Vec<String> {
    let name = |s: &Sample| format!("{}: {}", s.key, s.texts.join("|"));
    found.samples.iter().map(name).collect()
}

/// A line for each reason that something was passed over.
fn told(found: &Found) -> String {
    let told = found.passed_over.reasons().iter().map(|p| p.to_string());
    told.collect::<Vec<_>>().join("\n")
}

/// Number, reason and example of all that was passed over, in order.
fn passed_over(found: &Found) -> Vec<(usize, &'static str, &str)> {
    let passed = found.passed_over.reasons().iter();
    passed
        .map(|p| (p.count, p.reason.as_str(), p.example.as_str()))
        .collect()
}

/// Asserts a message's words.
pub(crate) fn says(message: &str, words: &[&str]) {
    words
        .iter()
        .for_each(|word| assert!(message.contains(word), "no `{word}` in {message}"));
}
