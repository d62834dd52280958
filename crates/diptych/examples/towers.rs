//! Computes the numbers that `parity/exits.py` and `benchmarks/gradients.py` compare with PyTorch.
//!
//! `towers exits MODEL FOLDER` reads `pixels.npy`, `wide.npy` (`[N, 3, H, W]`) and `direction.npy`
//! (`[N, D]`) in FOLDER and writes `NAME.out.npy` for every exit of the image tower, and
//! `gradient.out.npy`. `towers speed MODEL BATCH ROUNDS` prints the seconds of one forward and
//! backward to pixels, a line a round.

#![allow(clippy::print_stdout, reason = "the scripts read it")]

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use diptych::burn::tensor::{Tensor, TensorData};
use diptych::image::{Pixels, Size};
use diptych::layers::{Phase, plain_values};
use diptych::model::{ClipModel, ImageExit};
use diptych::{Clip, Device, Precision};
use diptych_files::npy::{NpyWriter, read};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["exits", model, folder] => exits(model, Path::new(folder)),
        ["speed", model, batch, rounds] => speed(model, batch.parse()?, rounds.parse()?),
        _ => bail!("wanted: exits MODEL FOLDER, or speed MODEL BATCH ROUNDS"),
    }
}

fn exits(model: &str, folder: &Path) -> Result<()> {
    let clip = Clip::open_in(model, Precision::F32)?;
    for (name, prefix) in [("pixels", ""), ("wide", "wide.")] {
        let (shape, values) = read(&folder.join(format!("{name}.npy")))?;
        let size = Size {
            height: shape[2],
            width: shape[3],
        };
        let pixels = Pixels::of_size(size, values)?;
        let exits = ImageExit::all(clip.config(), size);
        for (exit, maps) in exits.iter().zip(clip.image_exits(&pixels, &exits)?) {
            write(
                &folder.join(format!("{prefix}{exit}.out.npy")),
                &maps.values,
            )?;
        }
    }
    let device = Device::flex().autodiff();
    let clip = Clip::open_differentiable(model, &device)?;
    let towers = clip.towers().context("towers with gradients")?;
    let [pixels, direction] =
        ["pixels", "direction"].map(|name| read(&folder.join(format!("{name}.npy"))));
    let gradient = gradient(towers, pixels?, direction?)?;
    write(&folder.join("gradient.out.npy"), &plain_values(gradient))
}

fn write(path: &Path, values: &[f32]) -> Result<()> {
    let mut array = NpyWriter::create(path, &[1, values.len()])?;
    array.write(values)?;
    Ok(array.finish()?)
}

/// The gradient of `Σ direction · features` to pixels.
fn gradient(
    towers: &ClipModel,
    (shape, pixels): (Vec<usize>, Vec<f32>),
    (dims, direction): (Vec<usize>, Vec<f32>),
) -> Result<Tensor<4>> {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::from_data(TensorData::new(pixels, shape), &device).require_grad();
    let direction = Tensor::<2>::from_data(TensorData::new(direction, dims), &device);
    let features = towers.image_features(x.clone(), Phase::Infer);
    let gradient = x.grad(&(features * direction).sum().backward());
    gradient.context("a gradient")
}

fn speed(model: &str, batch: usize, rounds: usize) -> Result<()> {
    let clip = Clip::open_differentiable(model, &Device::flex().autodiff())?;
    let towers = clip.towers().context("towers with gradients")?;
    let (side, dim) = (clip.preprocess().size, clip.config().embed_dim);
    let count = batch * 3 * side * side;
    for _ in 0..rounds {
        let pixels = (0..count).map(|i| (i % 255) as f32 / 127.0 - 1.0).collect();
        let begun = Instant::now();
        let shape = vec![batch, 3, side, side];
        let direction = (vec![batch, dim], vec![1.0; batch * dim]);
        plain_values(gradient(towers, (shape, pixels), direction)?);
        println!("{:.6}", begun.elapsed().as_secs_f64());
    }
    Ok(())
}
