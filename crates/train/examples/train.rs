//! Trains a tiny model on pictures that are drawn here, and asks it what it has learnt.
//!
//! `cargo run --release -p diptych-train --example train`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use std::ops::ControlFlow;

use anyhow::Result;
use diptych::image::{DecodeOptions, Encoding, Picture};
use diptych::{Clip, Device, ZeroShot};
use diptych_train::clip::{Event, Run, train};
use diptych_train::run::Outcome;

const COLOURS: [(&str, [u8; 3]); 2] = [("red", [180, 30, 30]), ("blue", [30, 30, 180])];

/// A ResNet of one block a stage beside a transformer of one, as `open_clip_config.json` has it.
const ARCHITECTURE: &str = r#"{"embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 600, "width": 32, "heads": 2, "layers": 1}}"#;

/// `docs/training.md` has all that it may say. Paths are relative to the file.
const RUN: &str = r#"
    out = "out"
    architecture = "architecture.json"
    data = [{ folder = "colours", texts = "classes", templates = ["a {} picture."] }]
    optimizer = { steps = 40, batch_size = 8, learning_rate = 3e-3, warmup_steps = 5 }
"#;

fn main() -> Result<()> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name);
    fs_err::write(at("architecture.json"), ARCHITECTURE)?;
    fs_err::write(at("run.toml"), RUN)?;
    for (name, colour) in COLOURS {
        fs_err::create_dir_all(at("colours").join(name))?;
        for shade in 0..16 {
            let pixels = colour.map(|c| c + 4 * shade).repeat(32 * 32);
            let png = Encoding::Png.encode(&Picture::from_rgb(32, 32, pixels)?)?;
            fs_err::write(at(&format!("colours/{name}/{shade}.png")), png)?;
        }
    }

    let run = Run::open(&at("run.toml"))?;
    let outcome = train(&run, Device::flex(), false, &mut |event| {
        if let Event::Step(step) = event {
            println!("step {:2}  loss {:.3}", step.step, step.loss);
        }
        ControlFlow::Continue(())
    })?;
    if let Outcome::Finished(model) = outcome {
        let clip = Clip::open(model)?;
        let classifier = ZeroShot::new(&clip, &["red", "blue"], &["a {} picture."])?;
        let picture = Picture::open(at("colours/blue/3.png"), &DecodeOptions::default())?;
        let embedding = clip.encode_images(&clip.preprocess().apply(&picture))?;
        println!("{:?}", classifier.classify(&embedding, 1)?[0]);
    }
    Ok(())
}
