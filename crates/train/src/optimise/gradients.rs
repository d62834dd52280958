//! Gradients by parameter name, so that they can be added up, measured and scaled.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::{Error, Result};
use diptych::layers::{ParameterPath, has_kernels, plain_values};

/// The gradients of a model's trained parameters, flat.
#[derive(Default)]
pub struct NamedGradients(BTreeMap<String, Tensor<1>>);

impl NamedGradients {
    /// Takes `model`'s gradients out of what a backward gave; parameters without one are left out.
    pub fn take<M: Module>(model: &M, gradients: Gradients) -> Self {
        let mut taker = Taker {
            gradients,
            path: ParameterPath::default(),
            named: BTreeMap::new(),
        };
        model.visit(&mut taker);
        Self(taker.named)
    }

    /// Adds those of another part of the batch, or of another loss.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a parameter's have different numbers of values; those before it are
    /// added then.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for (name, gradient) in other.0 {
            let sum = match self.0.remove(&name) {
                Some(sum) if sum.dims() != gradient.dims() => {
                    let [[want], [got]] = [&sum, &gradient].map(Tensor::dims);
                    return Err(Error::Parameter {
                        name,
                        reason: format!("its gradient has {got} values, wanted {want}"),
                    });
                }
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
        Ok(())
    }

    /// The Euclidean norm of all of them together.
    pub fn norm(&self) -> f32 {
        let squares = |g: &Tensor<1>| {
            if has_kernels(g) {
                diptych_kernels::sum_of_squares(&plain_values(g.clone()))
            } else {
                f64::from(g.clone().square().sum().into_scalar::<f32>())
            }
        };
        self.0.values().map(squares).sum::<f64>().sqrt() as f32
    }

    /// Scales them down to a norm of `limit`, if theirs, `norm`, is above it.
    ///
    /// Source: `torch.nn.utils.clip_grad_norm_`.
    pub fn clip(&mut self, norm: f32, limit: f64) {
        let factor = limit / (f64::from(norm) + 1e-6);
        if factor < 1.0 {
            for gradient in self.0.values_mut() {
                *gradient = gradient.clone().mul_scalar(factor);
            }
        }
    }

    /// Takes out the gradient of the parameter `name`.
    pub(super) fn remove(&mut self, name: &str) -> Option<Tensor<1>> {
        self.0.remove(name)
    }

    /// Every gradient as plain values.
    pub fn values(&self) -> BTreeMap<String, Vec<f32>> {
        let values = |g: &Tensor<1>| g.to_data().iter::<f32>().collect();
        let named = self.0.iter();
        named.map(|(name, g)| (name.clone(), values(g))).collect()
    }
}

struct Taker {
    gradients: Gradients,
    path: ParameterPath,
    named: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Taker {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.gradients) {
            let gradient = gradient.flatten(0, D - 1);
            self.named.insert(self.path.name(), gradient);
        }
    }
}
