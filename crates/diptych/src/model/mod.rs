//! The architecture and the differentiable towers.
//!
//! Flow: `Pixels`, `Tokens` → **model** → features `[N, D]`, before normalisation.
//! Invariant: no file, no string, no task. Parameters carry the names and shapes of an open_clip
//! state dict, so a checkpoint needs no translation.

mod block;
mod clip;
mod config;
mod fixed;
mod freeze;
mod ops;
mod parameters;
mod profile;
mod resnet;
#[cfg(test)]
mod tests;
mod text;
mod vit;

pub use clip::{ClipModel, Mode};
pub use config::{
    ActivationOptions, Approximation, ClipConfig, ImagePool, Layers, NormOptions, TextConfig,
    TextPool, VisionConfig,
};
pub(crate) use config::{BlockOptions, Reading};
pub use freeze::{Freeze, Frozen};
pub(crate) use ops::{has_kernels, plain_values};
pub(crate) use parameters::ParameterPath;
pub use parameters::{BuildOptions, Init, Parameter, Source, named_tensors, parameters};
pub use profile::{Profile, TowerProfile};
pub(crate) use resnet::{BATCH_NORM_EPSILON, BottleneckShape};
