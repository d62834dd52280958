//! Moves the pixels of a grey picture towards a text, by the gradient of their cosine.
//!
//! `cargo run --release -p diptych --example pixel_gradient -- "a red sunset"`

#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use anyhow::{Context, Result};
use diptych::burn::tensor::{Tensor, TensorData};
use diptych::layers::Phase;
use diptych::views::normalise;
use diptych::{Clip, Device};

fn main() -> Result<()> {
    let text = std::env::args().nth(1).unwrap_or("a red sunset".into());
    let device = Device::flex().autodiff();
    let clip = Clip::open_differentiable("default", &device)?;
    let towers = clip.towers().context("towers with gradients")?;
    let (side, dim) = (clip.preprocess().size, clip.config().embed_dim);

    let wanted = clip.encode_texts(&[&text])?.as_slice().to_vec();
    let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [1, dim]), &device);
    let mut picture = Tensor::<4>::full([1, 3, side, side], 0.5, &device);
    for step in 0..=50 {
        let x = picture.detach().require_grad();
        let features = towers.image_features(normalise(x.clone(), clip.preprocess()), Phase::Infer);
        let length = features.clone().square().sum().sqrt();
        let cosine = (features * wanted.clone()).sum() / length;
        if step % 10 == 0 {
            println!("step {step:2}: {:.3}", cosine.clone().into_scalar::<f32>());
        }
        let gradient = x.grad(&cosine.backward()).context("a gradient")?;
        let largest: f32 = gradient.clone().abs().max().into_scalar();
        let step: Tensor<4> = Tensor::from_inner(gradient) * (0.05 / largest);
        picture = (x.detach() + step).clamp(0.0, 1.0);
    }
    Ok(())
}
