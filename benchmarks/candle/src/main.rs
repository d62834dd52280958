//! candle's CLIP, for `benchmarks/opening.py`: opens a ViT-B/32 of transformers' layout and encodes one text.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::clip::{ClipConfig, ClipModel};

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let device = Device::Cpu;
    // SAFETY: the benchmark does not change the file while it is mapped.
    let weights = unsafe { VarBuilder::from_mmaped_safetensors(&[path], DType::F32, &device)? };
    let model = ClipModel::new(weights, &ClipConfig::vit_base_patch32())?;
    let ids: Vec<u32> = std::iter::once(49_406)
        .chain(std::iter::repeat_n(320, 6))
        .chain([49_407])
        .collect();
    let features = model.get_text_features(&Tensor::new(&ids[..], &device)?.unsqueeze(0)?)?;
    println!("{}", features.sqr()?.sum_all()?.to_scalar::<f32>()?);
    Ok(())
}
