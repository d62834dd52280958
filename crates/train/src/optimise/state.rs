//! The optimiser's moments as named tensors, and back.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use diptych::layers::{ParameterPath, plain_values};
use diptych::weights::{TensorData, Tensors};

use super::optimizer::{Moments, Optimizer, from_plain};
use crate::Result;

// PyTorch's names of the state of its AdamW and its Muon, and ours of the average.
const MEAN: &str = "exp_avg";
const MOMENTUM_BUFFER: &str = "momentum_buffer";
const SQUARE: &str = "exp_avg_sq";
const AVERAGE: &str = "average";

/// The name of the first of a parameter's moments.
fn mean_name(by_adamw: bool) -> &'static str {
    if by_adamw { MEAN } else { MOMENTUM_BUFFER }
}

impl Optimizer {
    /// The state as named tensors, flat: `NAME.exp_avg` and `NAME.exp_avg_sq` of what AdamW moves,
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

    /// Takes a state that [`Optimizer::state`] gave, for `model`'s trained parameters. One that had
    /// no gradient before the state was taken has no moments in it, and begins as in a fresh
    /// optimiser.
    ///
    /// # Errors
    /// [`crate::Error::Model`] naming the first moment that is missing beside others of its
    /// parameter, or is of another size.
    pub fn load_state<M: Module>(&mut self, file: &Tensors, model: &M) -> Result<()> {
        let mut trained = Trained::default();
        model.visit(&mut trained);
        for TrainedParameter {
            name,
            shape,
            device,
        } in trained.parameters
        {
            let kinds = [MEAN, MOMENTUM_BUFFER, SQUARE, AVERAGE];
            if !kinds
                .iter()
                .any(|kind| file.shape(&format!("{name}.{kind}")).is_some())
            {
                continue;
            }
            let want: usize = shape.iter().product();
            let read = |kind: &str| -> Result<Tensor<1>> {
                let name = format!("{name}.{kind}");
                let data = file.read(&name)?;
                if data.shape() == [want] {
                    return Ok(from_plain(data.into_values(), &device));
                }
                Err(diptych::Error::Tensors {
                    path: file.path().to_owned(),
                    reason: format!("`{name}` is {:?}, wanted [{want}]", data.shape()),
                }
                .into())
            };
            let read_if = |wanted: bool, kind| wanted.then(|| read(kind)).transpose();
            let by_adamw = self.matrices(&name, &shape).is_none();
            let moments = Moments {
                mean: read(mean_name(by_adamw))?,
                square: read_if(by_adamw, SQUARE)?,
                average: read_if(self.config().ema.is_some(), AVERAGE)?,
            };
            self.moments.insert(name, moments);
        }
        Ok(())
    }
}

fn data_of(moment: &Tensor<1>) -> TensorData {
    let shape = moment.shape().to_vec();
    TensorData::new(plain_values(moment.clone()), shape)
}

/// Parameters of a module that require a gradient.
#[derive(Default)]
struct Trained {
    path: ParameterPath,
    parameters: Vec<TrainedParameter>,
}

struct TrainedParameter {
    name: String,
    shape: Vec<usize>,
    /// Where it lies, without autodiff.
    device: Device,
}

impl ModuleVisitor for Trained {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if tensor.is_require_grad() {
            self.parameters.push(TrainedParameter {
                name: self.path.name(),
                shape: tensor.shape().to_vec(),
                device: tensor.device().inner(),
            });
        }
    }
}
