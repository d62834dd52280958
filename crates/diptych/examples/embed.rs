//! Embeds pictures into a NumPy array, a row each, and prints the cosine of each with every other.
//!
//! `cargo run --release -p diptych --example embed -- OUT.npy PICTURE…`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use diptych::image::DecodeOptions;
use diptych::{Clip, Embeddings};
use diptych_files::npy::NpyWriter;

const USAGE: &str = "usage: embed OUT.npy PICTURE…";

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let out = args.next().context(USAGE)?;
    let pictures: Vec<PathBuf> = args.collect();
    anyhow::ensure!(!pictures.is_empty(), USAGE);

    let clip = Clip::open("default")?;
    let options = DecodeOptions::default();
    let load = |picture| -> Result<_> { Ok(clip.preprocess().load(picture, &options)?) };
    // Pictures are decoded beside each other, and encoded some at a time.
    let mut embeddings = Embeddings::empty(clip.config().embed_dim);
    for (features, picture) in clip.stream_images(&pictures, load).zip(&pictures) {
        let features = features.with_context(|| picture.display().to_string())?;
        embeddings.push(&features)?;
    }

    let mut array = NpyWriter::create(&out, &[embeddings.len(), embeddings.dim()])?;
    array.write(embeddings.as_slice())?;
    array.finish()?;

    let cosines = embeddings.cosines(&embeddings)?;
    for (picture, row) in pictures.iter().zip(cosines.chunks(embeddings.len())) {
        for cosine in row {
            print!("{cosine:6.3} ");
        }
        println!(" {}", picture.display());
    }
    Ok(())
}
