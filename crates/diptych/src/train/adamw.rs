//! AdamW, with decay only on weights of two or more dimensions.
//!
//! Source: Loshchilov & Hutter, arXiv 1711.05101, in the form of `torch.optim.AdamW`:
//! θ ← θ − η λ θ, m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
//! θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
//! CLIP leaves gains and biases undecayed (paper, section 2.5).

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::config::Optimizer;
use crate::model::{ClipConfig, ClipModel, Parameter, ParameterPath, parameters};
use crate::weights::TensorFile;
use crate::{Error, Result};

/// The optimiser and its state: two moments a parameter, by the parameter's name.
pub struct AdamW {
    config: Optimizer,
    moments: BTreeMap<String, Moments>,
}

/// Means of the gradient and of its square, flat.
struct Moments {
    mean: Tensor<1>,
    square: Tensor<1>,
}

impl AdamW {
    /// A fresh optimiser.
    pub fn new(config: Optimizer) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
        }
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
    pub fn step(&mut self, model: ClipModel, gradients: Gradients, step: usize) -> ClipModel {
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

    /// The state as named tensors: `NAME.exp_avg` and `NAME.exp_avg_sq`, as PyTorch calls them.
    pub fn state(&self) -> Vec<(String, TensorData)> {
        let moments = self.moments.iter().flat_map(|(name, moments)| {
            [
                (format!("{name}.exp_avg"), moments.mean.to_data()),
                (format!("{name}.exp_avg_sq"), moments.square.to_data()),
            ]
        });
        moments.collect()
    }

    /// Takes a state that [`AdamW::state`] gave, for a model of `config`.
    ///
    /// # Errors
    /// [`Error::Tensors`] naming the first moment that is missing or of another size.
    pub fn load_state(
        &mut self,
        file: &TensorFile,
        config: &ClipConfig,
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
        let trained = |p: &Parameter| !p.name.contains(".running_");
        for Parameter { name, shape, .. } in parameters(config).into_iter().filter(trained) {
            let count = shape.iter().product();
            let moments = Moments {
                mean: read(format!("{name}.exp_avg"), count)?,
                square: read(format!("{name}.exp_avg_sq"), count)?,
            };
            self.moments.insert(name, moments);
        }
        Ok(())
    }
}

/// One step over the module tree.
struct Update<'a> {
    t: i32,
    learning_rate: f64,
    optimizer: &'a mut AdamW,
    gradients: Gradients,
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
        let Some(gradient) = tensor.grad_remove(&mut self.gradients) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let Optimizer {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            ..
        } = self.optimizer.config;
        let value = tensor.inner();
        let shape = value.shape();
        let g: Tensor<1> = gradient.flatten(0, D - 1);
        let (mean, square) = match self.optimizer.moments.remove(&self.path.name()) {
            Some(Moments { mean, square }) => (mean, square),
            None => (g.zeros_like(), g.zeros_like()),
        };
        let mean = mean.mul_scalar(beta1) + g.clone().mul_scalar(1.0 - beta1);
        let square = square.mul_scalar(beta2) + g.square().mul_scalar(1.0 - beta2);

        let rate = self.learning_rate / (1.0 - beta1.powi(self.t));
        let root = square
            .clone()
            .sqrt()
            .div_scalar((1.0 - beta2.powi(self.t)).sqrt());
        let change = mean.clone().mul_scalar(rate) / root.add_scalar(epsilon);
        let decay = if D >= 2 {
            self.learning_rate * weight_decay
        } else {
            0.0
        };
        let value = value.mul_scalar(1.0 - decay) - change.reshape(shape);

        self.optimizer
            .moments
            .insert(self.path.name(), Moments { mean, square });
        let value = Tensor::from_inner(value).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}
