//! Says which label fits a picture best: one that is given, or one that is drawn here.
//!
//! `cargo run --release -p diptych --example classify -- [PICTURE]`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use anyhow::Result;
use diptych::image::{DecodeOptions, Picture};
use diptych::{Clip, ZeroShot};

fn main() -> Result<()> {
    let picture = match std::env::args_os().nth(1) {
        Some(path) => Picture::open(path, &DecodeOptions::default())?,
        None => draw(256)?,
    };
    let clip = Clip::open("default")?;
    let labels = ["cat", "dog", "sailing ship", "sunflower", "green field"];
    let classifier = ZeroShot::new(&clip, &labels, &["a photo of a {}."])?;
    let embedding = clip.encode_images(&clip.preprocess().apply(&picture))?;
    for prediction in &classifier.classify(&embedding, labels.len())?[0] {
        let percent = 100.0 * prediction.probability;
        println!("{percent:5.1} %  {}", prediction.label);
    }
    Ok(())
}

/// A meadow below the sky.
fn draw(side: usize) -> Result<Picture> {
    let pixel = |i: usize| {
        let (x, y) = (i % side, i / side);
        // Blades of grass, one lighter, one darker.
        let blade = if (x * 7 + y * 3) % 11 < 5 { 40 } else { 0 };
        if y < side / 3 {
            [120, 180, 235]
        } else {
            [50 + blade / 2, 120 + blade, 40]
        }
    };
    let pixels = (0..side * side).flat_map(pixel).collect();
    Ok(Picture::from_rgb(side, side, pixels)?)
}
