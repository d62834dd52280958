//! AdamW, with decay only on weights of two or more dimensions.
//!
//! Source: Loshchilov & Hutter, arXiv 1711.05101, in the form of `torch.optim.AdamW`:
//! θ ← θ − η λ θ, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
//! θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
//! CLIP leaves gains and biases undecayed (paper, section 2.5).

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::Optimizer;
use super::gradients::NamedGradients;
use crate::model::{
    ClipConfig, ClipModel, Freeze, Parameter, ParameterPath, has_kernels, parameters, plain_values,
};
use crate::weights::TensorFile;
use crate::{Error, Result};

/// The optimiser and its state: two moments a parameter, by the parameter's name.
pub struct AdamW {
    config: Optimizer,
    moments: BTreeMap<String, Moments>,
}

/// Means of the gradient and of its square, and of the parameter itself if the run asks for it; flat.
struct Moments {
    mean: Tensor<1>,
    square: Tensor<1>,
    average: Option<Tensor<1>>,
}

/// What the state of one parameter is called: as PyTorch calls it, and our average.
const MEAN: &str = "exp_avg";
const SQUARE: &str = "exp_avg_sq";
const AVERAGE: &str = "average";

impl AdamW {
    /// A fresh optimiser.
    pub fn new(config: Optimizer) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &Optimizer {
        &self.config
    }

    /// The learning rate of `step`, from 0: linear warm-up, then a cosine to zero.
    ///
    /// Source: `cosine_lr` in open_clip's `scheduler.py`.
    pub fn learning_rate(&self, step: usize) -> f64 {
        let Optimizer {
            steps,
            warmup_steps,
            learning_rate,
            ..
        } = self.config;
        if step < warmup_steps {
            return learning_rate * (step + 1) as f64 / warmup_steps as f64;
        }
        let done = (step - warmup_steps) as f64 / steps.saturating_sub(warmup_steps).max(1) as f64;
        learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
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

    /// The state as named tensors: `NAME.exp_avg` and `NAME.exp_avg_sq`, as PyTorch calls them, and
    /// `NAME.average`.
    pub fn state(&self) -> Vec<(String, TensorData)> {
        let mut state = Vec::new();
        for (name, moments) in &self.moments {
            state.push((format!("{name}.{MEAN}"), moments.mean.to_data()));
            state.push((format!("{name}.{SQUARE}"), moments.square.to_data()));
            if let Some(average) = &moments.average {
                state.push((format!("{name}.{AVERAGE}"), average.to_data()));
            }
        }
        state
    }

    /// Takes a state that [`AdamW::state`] gave, for a model of `config` of which `freeze` was frozen.
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
            match data.num_elements() == want && data.rank() == 1 {
                true => Ok(Tensor::from_data(data, device)),
                false => Err(Error::Tensors {
                    path: file.path().to_owned(),
                    reason: format!("`{name}` is {:?}, wanted [{want}]", data.shape()),
                }),
            }
        };
        let trained = |p: &Parameter| !p.name.contains(".running_") && !freeze.holds(&p.name);
        for Parameter { name, shape, .. } in parameters(config).into_iter().filter(trained) {
            let count = shape.iter().product();
            let moments = Moments {
                mean: read(format!("{name}.{MEAN}"), count)?,
                square: read(format!("{name}.{SQUARE}"), count)?,
                average: match self.config.ema {
                    Some(_) => Some(read(format!("{name}.{AVERAGE}"), count)?),
                    None => None,
                },
            };
            self.moments.insert(name, moments);
        }
        Ok(())
    }
}

/// Puts averages in the place of parameters.
struct Averaged<'a> {
    optimizer: &'a AdamW,
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
    optimizer: &'a mut AdamW,
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
        let value: Tensor<1> = value.flatten(0, D - 1);
        let Moments {
            mean,
            square,
            average,
        } = match self.optimizer.moments.remove(&name) {
            Some(moments) => moments,
            None => Moments {
                mean: g.zeros_like(),
                square: g.zeros_like(),
                average: None,
            },
        };
        // An average begins where its parameter does.
        let ema = self.optimizer.config.ema;
        let average = ema.map(|decay| (decay, average.unwrap_or_else(|| value.clone())));
        let [value, mean, square] = self.moved([value, mean, square], g, D >= 2);
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
        let by = kernels::AdamW {
            beta1: o.beta1 as f32,
            beta2: o.beta2 as f32,
            rate: rate as f32,
            root_scale: root_scale as f32,
            epsilon: o.epsilon as f32,
            kept: kept as f32,
        };
        by.step(&mut value, [&mut mean, &mut square], &plain_values(g));
        [value, mean, square].map(|v| {
            let n = v.len();
            Tensor::from_data(TensorData::new(v, [n]), &device)
        })
    }
}
