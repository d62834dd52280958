//! Sets of every kind, whole and damaged, and the batches that are made of them.

mod archives;
mod batches;
mod sources;

use std::path::Path;

use super::*;
use diptych::image::{Encoding, Picture};

/// The bytes of a small picture that no other number has.
pub(super) fn png(number: u8) -> Vec<u8> {
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
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A shard of `n` pictures with a caption each.
fn shard(n: u8) -> Vec<u8> {
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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes files below `dir`, and the folders they need.
pub(super) fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

/// Reads a set of the run file's `keys`, whose files lie in `dir`.
fn set(dir: &Path, keys: &str) -> Result<Found, String> {
    let keys = format!("texts = \"classes\"\ntemplates = [\"a {{}}.\"]\n{keys}");
    let mut data: Data = toml::from_str(&keys).map_err(|e| e.to_string())?;
    data.check()?;
    data.resolve(dir)?;
    read(&data).map_err(|e| e.to_string())
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
fn says(message: &str, words: &[&str]) {
    words
        .iter()
        .for_each(|word| assert!(message.contains(word), "no `{word}` in {message}"));
}
