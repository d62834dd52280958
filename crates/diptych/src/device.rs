//! Where the towers run.

#[cfg(feature = "differentiable")]
use crate::{Device, Error, Result};

/// A kind of device, by the name that the command line uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor, through Burn's `flex`.
    #[default]
    Cpu,
    /// An NVIDIA GPU, through CUDA; needs the feature `cuda`.
    Cuda,
    /// A GPU through Vulkan, Metal or DirectX; needs the feature `wgpu`.
    Wgpu,
}

impl DeviceKind {
    /// All of them, by their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("cpu", Self::Cpu),
        ("cuda", Self::Cuda),
        ("wgpu", Self::Wgpu),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.into_iter().find(|(_, kind)| *kind == self);
        named.map_or("cpu", |(name, _)| name)
    }
}

#[cfg(feature = "differentiable")]
impl DeviceKind {
    /// The first device of this kind.
    ///
    /// # Errors
    /// [`Error::Device`] if this build has no such kind.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => Err(Error::Device { device: "cuda" }),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(not(feature = "wgpu"))]
            Self::Wgpu => Err(Error::Device { device: "wgpu" }),
        }
    }
}

/// Where tests of differentiable towers run: on the CPU, or on what `DIPTYCH_TEST_DEVICE` names.
#[cfg(test)]
pub(crate) fn tested() -> Device {
    let named = std::env::var("DIPTYCH_TEST_DEVICE").unwrap_or("cpu".into());
    let kind = DeviceKind::NAMES.iter().find(|(name, _)| *name == named);
    kind.unwrap().1.open().unwrap()
}
