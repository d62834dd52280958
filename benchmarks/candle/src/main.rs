//! candle's CLIP as a rival, for `benchmarks/opening.py` and `benchmarks/inference`. Weights are in
//! transformers' layout.
//!
//! ```text
//! candle-rival WEIGHTS                                                  opens a ViT-B/32, encodes one text
//! candle-rival WEIGHTS ViT-B-32|ViT-L-14 images|texts SECONDS OUT.npy X.npy…     times a pass over batches
//! ```
//!
//! The second prints the median seconds of a pass as JSON, and writes the unit-norm embeddings of
//! the last one.

use std::time::Instant;

use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::clip::{
    ClipConfig, ClipModel, div_l2_norm,
    text_model::{Activation, ClipTextConfig},
    vision_model::ClipVisionConfig,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [weights] => first_text(weights),
        [weights, name, tower, seconds, out, ref batches @ ..] if !batches.is_empty() => {
            let seconds = seconds.parse().map_err(Error::wrap)?;
            measure(weights, name, tower, seconds, out, batches)
        }
        _ => Err(Error::msg("see the head of src/main.rs")),
    }
}

fn open(path: &str, config: &ClipConfig) -> Result<ClipModel> {
    // SAFETY: the benchmark does not change the file while it is mapped.
    let weights =
        unsafe { VarBuilder::from_mmaped_safetensors(&[path], DType::F32, &Device::Cpu)? };
    ClipModel::new(weights, config)
}

fn first_text(weights: &str) -> Result<()> {
    let model = open(weights, &ClipConfig::vit_base_patch32())?;
    let ids: Vec<u32> = std::iter::once(49_406)
        .chain(std::iter::repeat_n(320, 6))
        .chain([49_407])
        .collect();
    let features = model.get_text_features(&Tensor::new(&ids[..], &Device::Cpu)?.unsqueeze(0)?)?;
    println!("{}", features.sqr()?.sum_all()?.to_scalar::<f32>()?);
    Ok(())
}

fn measure(
    weights: &str,
    name: &str,
    tower: &str,
    seconds: f64,
    out: &str,
    batches: &[&str],
) -> Result<()> {
    let model = open(weights, &config(name)?)?;
    let batches: Vec<Tensor> = batches
        .iter()
        .map(Tensor::read_npy)
        .collect::<Result<_>>()?;
    let encode = |batch: &Tensor| {
        let features = match tower {
            "images" => model.get_image_features(batch)?,
            "texts" => model.get_text_features(batch)?,
            _ => return Err(Error::msg(format!("{tower} is neither images nor texts"))),
        };
        div_l2_norm(&features)
    };
    for (i, batch) in batches.iter().enumerate() {
        if !batches[..i]
            .iter()
            .any(|before| before.shape() == batch.shape())
        {
            encode(batch)?;
        }
    }
    let mut passes = Vec::new();
    let embeddings = loop {
        let started = Instant::now();
        let embeddings: Vec<Tensor> = batches.iter().map(encode).collect::<Result<_>>()?;
        passes.push(started.elapsed().as_secs_f64());
        if passes.iter().sum::<f64>() >= seconds {
            break embeddings;
        }
    };
    Tensor::cat(&embeddings, 0)?.write_npy(out)?;
    passes.sort_by(f64::total_cmp);
    let (lower, upper) = (passes[(passes.len() - 1) / 2], passes[passes.len() / 2]);
    println!(
        "{{\"seconds\": {}, \"passes\": {}}}",
        (lower + upper) / 2.,
        passes.len()
    );
    Ok(())
}

fn config(name: &str) -> Result<ClipConfig> {
    match name {
        "ViT-B-32" => Ok(ClipConfig::vit_base_patch32()),
        "ViT-L-14" => Ok(ClipConfig {
            text_config: ClipTextConfig {
                vocab_size: 49_408,
                embed_dim: 768,
                activation: Activation::QuickGelu,
                intermediate_size: 3072,
                max_position_embeddings: 77,
                pad_with: None,
                num_hidden_layers: 12,
                num_attention_heads: 12,
                projection_dim: 768,
            },
            vision_config: ClipVisionConfig {
                projection_dim: 768,
                image_size: 224,
                ..ClipVisionConfig::clip_vit_large_patch14_336()
            },
            logit_scale_init_value: 2.6592,
            image_size: 224,
        }),
        _ => Err(Error::msg(format!("candle has no {name}"))),
    }
}
