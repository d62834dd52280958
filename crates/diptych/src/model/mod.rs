//! The architecture: its configuration, the table of its parameters, what it costs; and, with the
//! feature `differentiable`, its towers.
//!
//! Invariant: no file, no string, no task. Parameters carry the names and shapes of an open_clip
//! state dict, so a checkpoint needs no translation.

mod config;
mod exits;
mod fixed;
mod freeze;
#[cfg(feature = "differentiable")]
mod fresh;
mod parameters;
mod positions;
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
pub(crate) use exits::RESNET_STRIDE;
pub use exits::{
    DenseAttention, DenseForm, FeatureMaps, Finish, Grid, ImageExit, TextExit, TokenFeatures,
};
pub use freeze::{Freeze, Frozen};
#[cfg(all(test, feature = "differentiable"))]
pub(crate) use fresh::Alive;
#[cfg(feature = "differentiable")]
pub use fresh::Fresh;
pub use parameters::{Source, parameters};
pub(crate) use positions::{Positions, resize_grid};
pub use profile::{Profile, TowerProfile};
pub(crate) use stages::{BATCH_NORM_EPSILON, BottleneckShape};
pub use table::{Init, Parameter, Table};
#[cfg(feature = "differentiable")]
pub use towers::{BuildOptions, ClipModel, named_tensors};
