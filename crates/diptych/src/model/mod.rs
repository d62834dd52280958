//! The architecture: its configuration, the table of its parameters, what it costs; and, with the feature
//! `differentiable`, its towers.
//!
//! Invariant: no file, no string, no task. Parameters carry the names and shapes of an open_clip
//! state dict, so a checkpoint needs no translation.

mod config;
mod fixed;
mod freeze;
#[cfg(feature = "differentiable")]
mod fresh;
mod parameters;
mod profile;
mod stages;
mod table;
#[cfg(feature = "differentiable")]
mod towers;

pub use config::{
    ActivationOptions, Approximation, ClipConfig, ImagePool, Layers, NormOptions, TextConfig,
    TextPool, VisionConfig,
};
pub(crate) use config::{BlockOptions, Reading};
pub use freeze::{Freeze, Frozen};
#[cfg(feature = "differentiable")]
pub use fresh::Fresh;
pub use parameters::{Source, parameters};
pub use profile::{Profile, TowerProfile};
pub(crate) use stages::{BATCH_NORM_EPSILON, BottleneckShape};
pub use table::{Init, Parameter, Table};
#[cfg(feature = "differentiable")]
pub use towers::{
    BuildOptions, ClipModel, ParameterPath, Phase, has_kernels, named_parameters, named_tensors,
    plain_values,
};
