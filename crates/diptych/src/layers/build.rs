//! Named tensors → the modules' parameters; and back.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use diptych_kernels::Rounding;

use super::Source;
use super::ops::{Products, plain_values};
use crate::tensor_data::TensorData;
use crate::{Error, Precision};

/// Hands a source's tensors to layers, on one device.
pub struct Builder<'a> {
    source: &'a mut dyn Source,
    device: &'a Device,
    rounding: Rounding,
    frozen: Box<dyn Fn(&str) -> bool + 'a>,
}

impl<'a> Builder<'a> {
    /// A builder of layers that compute in f32, with nothing frozen.
    pub fn new(source: &'a mut dyn Source, device: &'a Device) -> Self {
        Self {
            source,
            device,
            rounding: Rounding::F32,
            frozen: Box::new(|_| false),
        }
    }

    /// Sets what the factors of products are rounded to on the CPU; sums, norms and parameters stay
    /// f32. Other devices compute in f32.
    ///
    /// # Errors
    /// [`Error::Precision`] for one that no gradient is computed in.
    pub fn precision(mut self, precision: Precision) -> Result<Self, Error> {
        self.rounding = precision.rounding()?;
        Ok(self)
    }

    /// Sets which parameters, by their names, are not to be trained.
    pub fn freeze(mut self, frozen: impl Fn(&str) -> bool + 'a) -> Self {
        self.frozen = Box::new(frozen);
        self
    }

    /// The rounding and kept layouts for products with the parameter `name`.
    pub(crate) fn products(&self, name: &str) -> Products {
        if self.trains(name) {
            Products::of_trained(self.rounding)
        } else {
            Products::of_constant(self.rounding)
        }
    }

    /// Whether the parameter `name` is not to be trained.
    pub fn is_frozen(&self, name: &str) -> bool {
        (self.frozen)(name)
    }

    fn trains(&self, name: &str) -> bool {
        self.device.is_autodiff() && !self.is_frozen(name)
    }

    /// The tensor `name`; a scalar becomes `[1]`.
    ///
    /// # Errors
    /// The source's error; [`Error::Dimensions`] if the tensor has another number of dimensions
    /// than `D`.
    pub fn tensor<const D: usize>(&mut self, name: impl Into<String>) -> Result<Tensor<D>, Error> {
        let name = name.into();
        let data = self.source.read(&name)?;
        let shape = if data.shape().is_empty() {
            vec![1]
        } else {
            data.shape().to_vec()
        };
        if shape.len() != D {
            return Err(Error::Dimensions {
                name,
                got: shape,
                want: D,
            });
        }
        let data = burn::tensor::TensorData::new(data.into_values(), shape);
        Ok(Tensor::from_data(data, self.device))
    }

    /// The tensor `name` as a parameter, trainable where the device has autodiff and nothing
    /// freezes it.
    ///
    /// # Errors
    /// As [`Builder::tensor`].
    pub fn param<const D: usize>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<Param<Tensor<D>>, Error> {
        let name = name.into();
        let trains = self.trains(&name);
        let tensor = self.tensor(name)?;
        let tensor = if trains {
            tensor.require_grad()
        } else {
            tensor
        };
        Ok(Param::initialized(ParamId::new(), tensor))
    }
}

/// A visitor's place in the module tree; joined by dots, the path is the parameter's name.
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
