//! The differentiable towers, as Burn modules.
//!
//! Flow: `Pixels`, `Tokens` → **towers** → features `[N, D]`, before normalisation; backward →
//! gradients. Invariant: no file, no string, no task. Parameters carry the names and shapes of an
//! open_clip state dict, so a checkpoint needs no translation.

mod block;
mod build;
mod clip;
mod positions;
mod resnet;
#[cfg(test)]
mod tests;
mod text;
mod vit;

pub use build::{BuildOptions, named_tensors};
pub use clip::ClipModel;
