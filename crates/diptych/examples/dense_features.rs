//! Says for each part of a picture which label fits it best.
//!
//! `cargo run --release -p diptych --example dense_features -- PICTURE LABEL LABEL…`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use anyhow::{Context, Result};
use diptych::image::{DecodeOptions, Picture, Preprocess};
use diptych::model::{DenseForm, ImageExit, Layers};
use diptych::{Clip, Embeddings};

const USAGE: &str = "usage: dense_features PICTURE LABEL LABEL…";

fn main() -> Result<()> {
    let mut args = std::env::args();
    let path = args.nth(1).context(USAGE)?;
    let labels: Vec<String> = args.collect();
    anyhow::ensure!(!labels.is_empty(), USAGE);
    let clip = Clip::open("default")?;
    // Larger than the model was trained with, so that the parts are smaller.
    let preprocess = Preprocess {
        size: 4 * clip.preprocess().size,
        ..clip.preprocess().clone()
    };
    let pixels = preprocess.apply(&Picture::open(path, &DecodeOptions::default())?);
    let exit = match clip.config().vision_cfg.layers {
        Layers::Vit(_) => ImageExit::Dense(DenseForm::CLEAR_CLIP),
        Layers::ResNet(_) => ImageExit::PoolValues,
    };
    let maps = clip.image_exits(&pixels, &[exit])?;
    let parts: Vec<f32> = maps[0].grids().flatten().copied().collect();
    let parts = Embeddings::from_features(maps[0].channels, parts)?;
    let cosines = parts.cosines(&clip.encode_texts(&labels)?)?;
    let best = cosines.chunks(labels.len()).map(|row| {
        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        best.map_or("", |best| &labels[best])
    });
    let best: Vec<&str> = best.collect();
    for row in best.chunks(maps[0].grid.columns) {
        println!("{}", row.join(" "));
    }
    Ok(())
}
