//! The optimiser: AdamW, with decay only on weights of two or more dimensions, or Muon for
//! the matrices of residual stages and blocks and AdamW elsewhere.
//!
//! AdamW's source: Loshchilov & Hutter, arXiv 1711.05101, in the form of `torch.optim.AdamW`:
//! θ ← θ − η λ θ, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
//! θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
//! CLIP leaves gains and biases undecayed (paper, section 2.5). Muon's sources are in `muon`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{self, Device, Tensor};
use diptych_kernels::Rounding;

use super::config::{Algorithm, Optimization};
use super::gradients::NamedGradients;
use super::muon::{Matrices, Muon};
use crate::{Error, Result};
use diptych::Precision;
use diptych::model::{
    ClipConfig, ClipModel, Freeze, Parameter, ParameterPath, has_kernels, parameters, plain_values,
};
use diptych::weights::{TensorData, TensorFile};

/// The optimiser and its state: moments of every parameter, by the parameter's name.
pub struct Optimizer {
    config: Optimization,
    rounding: Rounding,
    moments: BTreeMap<String, Moments>,
}

/// Means of the gradient, of its square where AdamW moves the parameter, and of the parameter itself if
/// the run asks for it; flat. Muon's is not a mean but a decaying sum.
struct Moments {
    mean: Tensor<1>,
    square: Option<Tensor<1>>,
    average: Option<Tensor<1>>,
}

// The state's names for them: PyTorch's, of its AdamW and its Muon, and our average.
const MEAN: &str = "exp_avg";
const MOMENTUM_BUFFER: &str = "momentum_buffer";
const SQUARE: &str = "exp_avg_sq";
const AVERAGE: &str = "average";

/// What the state calls the first of a parameter's moments.
fn mean_name(by_adamw: bool) -> &'static str {
    match by_adamw {
        true => MEAN,
        false => MOMENTUM_BUFFER,
    }
}

impl Optimizer {
    /// A fresh optimiser.
    pub fn new(config: Optimization) -> Self {
        Self {
            config,
            rounding: Rounding::F32,
            moments: BTreeMap::new(),
        }
    }

    /// With the factors of Muon's products rounded: to bf16 by [`Precision::Bf16`], by all others not.
    pub fn with_precision(self, precision: Precision) -> Self {
        let rounding = if precision == Precision::Bf16 {
            Rounding::Bf16
        } else {
            Rounding::F32
        };
        Self { rounding, ..self }
    }

    /// What it was made with.
    pub fn config(&self) -> &Optimization {
        &self.config
    }

    /// The learning rate of `step`, from 0: linear warm-up, then a cosine to zero; or a plateau, and at
    /// its end a decay by 1 − √, if the run says how long that is to take.
    ///
    /// Sources: `cosine_lr` in open_clip's `scheduler.py`; Hägele et al., arXiv 2405.18392, section 3.
    pub fn learning_rate(&self, step: usize) -> f64 {
        let Optimization {
            steps,
            warmup_steps,
            decay_steps,
            learning_rate,
            ..
        } = self.config;
        if step < warmup_steps {
            return learning_rate * (step + 1) as f64 / warmup_steps as f64;
        }
        let first = match decay_steps {
            Some(decay) => steps.saturating_sub(decay),
            None => warmup_steps,
        };
        let steps = steps.saturating_sub(first).max(1);
        let done = step.saturating_sub(first) as f64 / steps as f64;
        learning_rate
            * match decay_steps {
                Some(_) => 1.0 - done.sqrt(),
                None => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            }
    }

    /// Moves `model` by the gradients of `step`, from 0.
    pub fn step(&mut self, model: ClipModel, gradients: NamedGradients, step: usize) -> ClipModel {
        let learning_rate = self.learning_rate(step);
        let mut update = Update {
            t: step as i32 + 1,
            learning_rate,
            optimizer: self,
            gradients,
            path: ParameterPath::default(),
        };
        model.map(&mut update)
    }

    /// `model` with the moving averages of its parameters, where the run asks for them; else itself.
    ///
    /// Batch norm's running statistics are averages already, and stay.
    pub fn averaged(&self, model: &ClipModel) -> ClipModel {
        match self.config.ema {
            Some(_) => model
                .clone()
                .map(&mut Averaged {
                    optimizer: self,
                    path: ParameterPath::default(),
                })
                .clamp_logit_scale(),
            None => model.clone(),
        }
    }

    /// The state as named tensors: `NAME.exp_avg` and `NAME.exp_avg_sq` of what AdamW moves,
    /// `NAME.momentum_buffer` of what Muon does, as PyTorch calls them, and `NAME.average`.
    pub fn state(&self) -> Vec<(String, TensorData)> {
        let mut state = Vec::new();
        for (name, moments) in &self.moments {
            let mean = mean_name(moments.square.is_some());
            state.push((format!("{name}.{mean}"), data_of(&moments.mean)));
            for (kind, moment) in [(SQUARE, &moments.square), (AVERAGE, &moments.average)] {
                if let Some(moment) = moment {
                    state.push((format!("{name}.{kind}"), data_of(moment)));
                }
            }
        }
        state
    }

    /// Takes a state that [`Optimizer::state`] gave, for a model of `config` of which `freeze` was frozen.
    ///
    /// # Errors
    /// [`Error::Tensors`] naming the first moment that is missing or of another size.
    pub fn load_state(
        &mut self,
        file: &TensorFile,
        config: &ClipConfig,
        freeze: Freeze,
        device: &Device,
    ) -> Result<(), Error> {
        let read = |name: String, want: usize| -> Result<Tensor<1>> {
            let data = file.read(&name)?;
            if data.shape() == [want] {
                return Ok(from_plain(data.into_values(), device));
            }
            Err(diptych::Error::Tensors {
                path: file.path().to_owned(),
                reason: format!("`{name}` is {:?}, wanted [{want}]", data.shape()),
            }
            .into())
        };
        let trained = |p: &Parameter| !p.name.contains(".running_") && !freeze.holds(&p.name);
        for Parameter { name, shape, .. } in parameters(config).into_iter().filter(trained) {
            let count = shape.iter().product();
            let read_if = |wanted: bool, kind: &str| match wanted {
                true => read(format!("{name}.{kind}"), count).map(Some),
                false => Ok(None),
            };
            let by_adamw = self.matrices(&name, &shape).is_none();
            let moments = Moments {
                mean: read(format!("{name}.{}", mean_name(by_adamw)), count)?,
                square: read_if(by_adamw, SQUARE)?,
                average: read_if(self.config.ema.is_some(), AVERAGE)?,
            };
            self.moments.insert(name, moments);
        }
        Ok(())
    }

    /// The matrices of a parameter that Muon moves.
    fn matrices(&self, name: &str, shape: &[usize]) -> Option<Matrices> {
        match self.config.algorithm {
            Algorithm::AdamW => None,
            Algorithm::Muon => Matrices::of(name, shape),
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

fn from_plain(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let n = values.len();
    Tensor::from_data(tensor::TensorData::new(values, [n]), device)
}

fn data_of(moment: &Tensor<1>) -> TensorData {
    let shape = moment.shape().to_vec();
    TensorData::new(plain_values(moment.clone()), shape)
}
