//! The optimiser: AdamW, with decay only on weights of two or more dimensions, or Muon for
//! the matrices that a task names and AdamW elsewhere.
//!
//! AdamW's source: Loshchilov & Hutter, arXiv 1711.05101, in the form of `torch.optim.AdamW`:
//! θ ← θ − η λ θ, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
//! θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
//! CLIP leaves gains and biases undecayed (paper, section 2.5). Muon's sources are in `muon`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{self, Device, Tensor};
use diptych_kernels::Rounding;

use super::gradients::NamedGradients;
use super::muon::{Matrices, Muon};
use super::settings::{Algorithm, Optimization};
use crate::{Error, Result};
use diptych::Precision;
use diptych::layers::{ParameterPath, has_kernels, plain_values};

/// The optimiser and its state: moments of every parameter, by the parameter's name.
pub struct Optimizer {
    config: Optimization,
    /// Gives the matrices that Muon moves of a parameter, by its name and shape.
    matrices: fn(&str, &[usize]) -> Option<Matrices>,
    rounding: Rounding,
    pub(super) moments: BTreeMap<String, Moments>,
}

/// Means of the gradient, of its square where AdamW moves the parameter, and of the parameter
/// itself if the run asks for it; flat. Muon's is not a mean but a decaying sum.
pub(super) struct Moments {
    pub(super) mean: Tensor<1>,
    pub(super) square: Option<Tensor<1>>,
    pub(super) average: Option<Tensor<1>>,
}

impl Optimizer {
    /// A fresh optimiser. Muon, if `config` asks for it, moves the parameters that `matrices` gives
    /// matrices for, by their names and shapes.
    pub fn new(config: Optimization, matrices: fn(&str, &[usize]) -> Option<Matrices>) -> Self {
        Self {
            config,
            matrices,
            rounding: Rounding::F32,
            moments: BTreeMap::new(),
        }
    }

    /// With the factors of Muon's products rounded: to bf16 by [`Precision::Bf16`], by all others
    /// not.
    pub fn with_precision(self, precision: Precision) -> Self {
        let rounding = if precision == Precision::Bf16 {
            Rounding::Bf16
        } else {
            Rounding::F32
        };
        Self { rounding, ..self }
    }

    /// The options that it was made with.
    pub fn config(&self) -> &Optimization {
        &self.config
    }

    /// Moves `model` by the gradients of `step`, from 0. Parameters without one stay, and so do
    /// their moments.
    ///
    /// # Errors
    /// [`Error::Parameter`] if a gradient or Muon's matrices are of another size than their
    /// parameter.
    pub fn step<M: Module>(
        &mut self,
        model: M,
        gradients: NamedGradients,
        step: usize,
    ) -> Result<M> {
        let learning_rate = self.config.rate(step);
        let mut update = Update {
            t: step as i32 + 1,
            learning_rate,
            optimizer: self,
            gradients,
            path: ParameterPath::default(),
            refused: None,
        };
        let model = model.map(&mut update);
        match update.refused {
            Some(error) => Err(error),
            None => Ok(model),
        }
    }

    /// `model` with the moving averages of its parameters, where the run asks for them; else
    /// itself.
    ///
    /// Batch norm's running statistics are averages already, and stay.
    pub fn averaged<M: Module>(&self, model: &M) -> M {
        match self.config.ema {
            Some(_) => model.clone().map(&mut Averaged {
                optimizer: self,
                path: ParameterPath::default(),
            }),
            None => model.clone(),
        }
    }

    /// The matrices of a parameter that Muon moves.
    pub(super) fn matrices(&self, name: &str, shape: &[usize]) -> Option<Matrices> {
        match self.config.algorithm {
            Algorithm::AdamW => None,
            Algorithm::Muon => (self.matrices)(name, shape),
        }
    }
}

/// Puts averages in the place of parameters.
struct Averaged<'a> {
    optimizer: &'a Optimizer,
    path: ParameterPath,
}

impl ModuleMapper for Averaged<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let moments = self.optimizer.moments.get(&self.path.name());
        let Some(average) = moments.and_then(|m| m.average.clone()) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let average = average.reshape(tensor.shape());
        let value = Tensor::from_inner(average).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

/// One step over the module tree.
struct Update<'a> {
    t: i32,
    learning_rate: f64,
    optimizer: &'a mut Optimizer,
    gradients: NamedGradients,
    path: ParameterPath,
    /// The first gradient that does not fit.
    refused: Option<Error>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let name = self.path.name();
        let Some(g) = self.gradients.remove(&name) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let value = tensor.inner();
        let shape = value.shape();
        let matrices = self.optimizer.matrices(&name, shape.as_slice());
        if let Some(reason) = misfit(shape.num_elements(), g.dims()[0], matrices) {
            self.refused
                .get_or_insert(Error::Parameter { name, reason });
            return Param::from_mapped_value(id, Tensor::from_inner(value).require_grad(), mapper);
        }
        let value: Tensor<1> = value.flatten(0, D - 1);
        let (mean, square, average) = match self.optimizer.moments.remove(&name) {
            Some(moments) => (moments.mean, moments.square, moments.average),
            None => (g.zeros_like(), None, None),
        };
        // An average begins where its parameter does.
        let ema = self.optimizer.config.ema;
        let average = ema.map(|decay| (decay, average.unwrap_or_else(|| value.clone())));
        let (value, mean, square) = match matrices {
            Some(matrices) => {
                let [value, mean] = self.moved_by_muon([value, mean], g, matrices);
                (value, mean, None)
            }
            None => {
                let square = square.unwrap_or_else(|| g.zeros_like());
                let [value, mean, square] = self.moved([value, mean, square], g, D >= 2);
                (value, mean, Some(square))
            }
        };
        let average = average.map(|(decay, average)| {
            average.mul_scalar(decay) + value.clone().mul_scalar(1.0 - decay)
        });
        let moments = Moments {
            mean,
            square,
            average,
        };
        self.optimizer.moments.insert(name, moments);
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

impl Update<'_> {
    /// A parameter of matrices and its momentum after this step of Muon.
    fn moved_by_muon(
        &self,
        [value, momentum]: [Tensor<1>; 2],
        g: Tensor<1>,
        matrices: Matrices,
    ) -> [Tensor<1>; 2] {
        let device = value.device();
        let [mut value, mut momentum] = [value, momentum].map(plain_values);
        let muon = Muon {
            learning_rate: self.learning_rate as f32,
            weight_decay: self.optimizer.config.weight_decay as f32,
            rounding: self.optimizer.rounding,
        };
        muon.step(matrices, [&mut value, &mut momentum], &plain_values(g));
        [value, momentum].map(|values| from_plain(values, &device))
    }

    /// A parameter and its two means after this step.
    fn moved(
        &self,
        [value, mean, square]: [Tensor<1>; 3],
        g: Tensor<1>,
        decays: bool,
    ) -> [Tensor<1>; 3] {
        let o = &self.optimizer.config;
        let decay = if decays { o.weight_decay } else { 0.0 };
        let rate = self.learning_rate / (1.0 - o.beta1.powi(self.t));
        let root_scale = 1.0 / (1.0 - o.beta2.powi(self.t)).sqrt();
        let kept = 1.0 - self.learning_rate * decay;
        if !has_kernels(&value) {
            let mean = mean.mul_scalar(o.beta1) + g.clone().mul_scalar(1.0 - o.beta1);
            let square = square.mul_scalar(o.beta2) + g.square().mul_scalar(1.0 - o.beta2);
            let root = square.clone().sqrt().mul_scalar(root_scale);
            let change = mean.clone().mul_scalar(rate) / root.add_scalar(o.epsilon);
            return [value.mul_scalar(kept) - change, mean, square];
        }
        let device = value.device();
        let [mut value, mut mean, mut square] = [value, mean, square].map(plain_values);
        let by = diptych_kernels::AdamW {
            beta1: o.beta1 as f32,
            beta2: o.beta2 as f32,
            rate: rate as f32,
            root_scale: root_scale as f32,
            epsilon: o.epsilon as f32,
            kept: kept as f32,
        };
        by.step(&mut value, [&mut mean, &mut square], &plain_values(g));
        [value, mean, square].map(|values| from_plain(values, &device))
    }
}

/// Why a gradient of `got` values or Muon's `matrices` can't move a parameter of `want` values.
fn misfit(want: usize, got: usize, matrices: Option<Matrices>) -> Option<String> {
    if got != want {
        return Some(format!("its gradient has {got} values, wanted {want}"));
    }
    let Matrices {
        count,
        rows,
        columns,
    } = matrices?;
    let seen = count * rows * columns;
    (seen != want).then(|| {
        format!("it is seen as {count} matrices of {rows} × {columns}, and has {want} values")
    })
}

pub(super) fn from_plain(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let n = values.len();
    Tensor::from_data(tensor::TensorData::new(values, [n]), device)
}
