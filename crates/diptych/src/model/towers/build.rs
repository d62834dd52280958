//! Named tensors → the modules' parameters; and back.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use diptych_kernels::Rounding;

use super::clip::ClipModel;
use super::ops::plain_values;
use crate::model::freeze::Freeze;
use crate::model::parameters::Source;
use crate::weights::TensorData;
use crate::{Error, Precision};

/// Hands a source's tensors to the modules, on one device.
pub(super) struct Builder<'a> {
    source: &'a mut dyn Source,
    device: &'a Device,
    rounding: Rounding,
    freeze: Freeze,
}

/// How a model is to be built.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions {
    /// What the factors of products are rounded to on the CPU; sums, norms and parameters stay f32. Other devices compute in
    /// f32.
    pub precision: Precision,
    /// What is not to be trained.
    pub freeze: Freeze,
}

impl Default for BuildOptions {
    /// f32, and nothing frozen.
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            freeze: Freeze::default(),
        }
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        source: &'a mut dyn Source,
        device: &'a Device,
        options: BuildOptions,
    ) -> Result<Self, Error> {
        Ok(Self {
            source,
            device,
            rounding: options.precision.rounding()?,
            freeze: options.freeze,
        })
    }

    /// What the factors of the modules' products are rounded to.
    pub(super) fn rounding(&self) -> Rounding {
        self.rounding
    }

    /// Whether the parameter `name` is not to be trained.
    pub(super) fn is_frozen(&self, name: &str) -> bool {
        self.freeze.holds(name)
    }

    /// The tensor `name`; a scalar becomes `[1]`.
    pub(super) fn tensor<const D: usize>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<Tensor<D>, Error> {
        let data = self.source.read(&name.into())?;
        let shape = if data.shape().is_empty() {
            vec![1]
        } else {
            data.shape().to_vec()
        };
        let data = burn::tensor::TensorData::new(data.into_values(), shape);
        Ok(Tensor::from_data(data, self.device))
    }

    /// The tensor `name` as a parameter, trainable where the device has autodiff and nothing freezes it.
    pub(super) fn param<const D: usize>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<Param<Tensor<D>>, Error> {
        let name = name.into();
        let trainable = self.device.is_autodiff() && !self.is_frozen(&name);
        let tensor = self.tensor(name)?;
        let tensor = if trainable {
            tensor.require_grad()
        } else {
            tensor
        };
        Ok(Param::initialized(ParamId::new(), tensor))
    }
}

/// Where a visitor is in the module tree; the path is the parameter's name.
#[derive(Clone, Debug, Default)]
pub struct ParameterPath(Vec<String>);

impl ParameterPath {
    /// Enters a field; an enum's variant is no part of a name.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum") {
            self.0.push(name.to_owned());
        }
    }

    /// Leaves a field.
    pub fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum") {
            self.0.pop();
        }
    }

    /// The name of the parameter at this place.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

/// The named tensors of `model`, as a checkpoint stores them.
pub fn named_tensors(model: &ClipModel) -> Vec<(String, TensorData)> {
    let mut tensors = named_parameters(model);
    for (name, data) in &mut tensors {
        // The temperature and bias are scalars in a state dict and `[1]` here.
        if name.starts_with("logit_") {
            *data = TensorData::new(std::mem::take(data).into_values(), []);
        }
    }
    tensors
}

/// All floating-point parameters of a module, by their paths in its tree, in f32.
pub fn named_parameters<M: Module>(module: &M) -> Vec<(String, TensorData)> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

#[derive(Default)]
struct Collector {
    path: ParameterPath,
    tensors: Vec<(String, TensorData)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.shape().to_vec();
        let data = TensorData::new(plain_values(tensor), shape);
        self.tensors.push((self.path.name(), data));
    }
}
