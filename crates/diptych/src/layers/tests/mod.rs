//! Each layer against its naive twin, forward and backward, by the kernels and by Burn's own
//! operations; and against PyTorch's numbers.

mod attention;
mod convolutions;
mod golden;
mod norms;

use std::cell::Cell;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};

use super::{Builder, ParameterPath, Source, naive, plain_values};
use crate::Error;
use crate::device::tested;
use crate::tensor_data::TensorData;

thread_local! {
    /// Whether this thread's tests compute by Burn's own operations instead of the kernels.
    pub(super) static PLAIN: Cell<bool> = const { Cell::new(false) };
}

/// Largest error of a result, relative to the largest value.
const BOUND: f64 = 1e-5;

/// Named tensors: the parameters of a layer, which is called `layer`, and what goes into it.
#[derive(Clone, Default)]
struct Named(BTreeMap<String, TensorData>);

impl Source for Named {
    fn read(&mut self, name: &str) -> Result<TensorData, Error> {
        let tensor = self.0.get(name).cloned();
        tensor.ok_or_else(|| panic!("no tensor `{name}`"))
    }
}

impl Named {
    /// Tensors of these names and shapes, with values of both signs in −1 … 1.
    fn drawn(shapes: &[(&str, &[usize])]) -> Self {
        let mut state = 12_345u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let tensors = shapes.iter().map(|(name, shape)| {
            let values = (0..shape.iter().product()).map(|_| next()).collect();
            ((*name).to_owned(), TensorData::new(values, shape.to_vec()))
        });
        Self(tensors.collect())
    }

    /// The values of each, in f64.
    fn values(&self) -> BTreeMap<String, Vec<f64>> {
        let widened = |data: &TensorData| data.values().iter().map(|v| f64::from(*v)).collect();
        let tensors = self.0.iter();
        tensors
            .map(|(name, data)| (name.clone(), widened(data)))
            .collect()
    }
}

/// A layer's inputs, which take part in the gradient.
struct Given {
    tensors: BTreeMap<String, (Tensor<1>, Vec<usize>)>,
}

impl Given {
    fn get<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (flat, shape) = &self.tensors[name];
        let shape: [usize; D] = shape.clone().try_into().expect("the tensor's dimensions");
        flat.clone().reshape(shape)
    }
}

/// A layer's output and the gradients by names, under an upstream gradient.
struct Run {
    output: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
}

/// Runs a layer forward and backward; `upstream` gives the gradient of so many output values.
fn run<M: Module>(
    named: &Named,
    build: impl Fn(&mut Builder) -> Result<M, Error>,
    forward: impl Fn(&M, &Given) -> Tensor<1>,
    upstream: impl Fn(usize) -> Vec<f32>,
    is_frozen: bool,
) -> Run {
    let device = tested().autodiff();
    let mut source = named.clone();
    let mut builder = Builder::new(&mut source, &device).freeze(|_| is_frozen);
    let layer = build(&mut builder).expect("a layer");
    let inputs = named
        .0
        .iter()
        .filter(|(name, _)| !name.starts_with("layer."));
    let given = Given {
        tensors: inputs
            .map(|(name, data)| {
                let flat = Tensor::<1>::from_floats(data.values(), &device).require_grad();
                (name.clone(), (flat, data.shape().to_vec()))
            })
            .collect(),
    };
    let output = forward(&layer, &given);
    let upstream = upstream(output.dims()[0]);
    let upstream = Tensor::<1>::from_floats(&upstream[..], &device);
    let grads = (output.clone() * upstream).sum().backward();
    let mut collected = Collected {
        path: ParameterPath::default(),
        grads: &grads,
        gradients: BTreeMap::new(),
    };
    layer.visit(&mut collected);
    let mut gradients = collected.gradients;
    for (name, (flat, _)) in &given.tensors {
        if let Some(gradient) = flat.grad(&grads) {
            gradients.insert(name.clone(), plain_values(gradient));
        }
    }
    Run {
        output: plain_values(output),
        gradients,
    }
}

/// The gradients of a layer's parameters, by `layer.` and their paths.
struct Collected<'a> {
    path: ParameterPath,
    grads: &'a Gradients,
    gradients: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Collected<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.grads) {
            let name = format!("layer.{}", self.path.name());
            self.gradients.insert(name, plain_values(gradient));
        }
    }
}

/// A gradient of the output, of both signs.
fn upstream(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| ((7 * i + 3) % 11) as f32 / 5.5 - 0.9)
        .collect()
}

#[track_caller]
fn close(what: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(
            off <= BOUND * scale,
            "{what} at {i}: {got}, wanted {want}, of {scale}"
        );
    }
}

/// Holds a layer to its naive twin, forward and backward for every tensor that is named, by the
/// kernels, by Burn's own operations, and with its parameters frozen.
fn hold<M: Module>(
    what: &str,
    shapes: &[(&str, &[usize])],
    build: impl Fn(&mut Builder) -> Result<M, Error>,
    forward: impl Fn(&M, &Given) -> Tensor<1>,
    naive: impl Fn(&BTreeMap<String, Vec<f64>>) -> Vec<f64>,
) {
    let named = Named::drawn(shapes);
    let mut values = named.values();
    let output = naive(&values);
    let by: Vec<f64> = upstream(output.len()).into_iter().map(f64::from).collect();
    let names: Vec<String> = values.keys().cloned().collect();
    let wanted: BTreeMap<String, Vec<f64>> = names
        .into_iter()
        .map(|name| {
            let of = values[&name].clone();
            let gradient = naive::gradient(&of, &by, |changed| {
                values
                    .get_mut(&name)
                    .expect("named")
                    .copy_from_slice(changed);
                naive(&values)
            });
            values.insert(name.clone(), of);
            (name, gradient)
        })
        .collect();
    for way in ["kernels", "Burn's", "kernels, frozen"] {
        let is_frozen = way == "kernels, frozen";
        // A frozen batch norm keeps its statistics, so it is another layer.
        if is_frozen && shapes.iter().any(|(name, _)| name.contains(".running_")) {
            continue;
        }
        PLAIN.set(way == "Burn's");
        let run = run(&named, &build, &forward, upstream, is_frozen);
        PLAIN.set(false);
        let what = format!("{what}, {way}");
        close(&what, &run.output, &output);
        for (name, want) in &wanted {
            // Statistics are no parameters.
            if name.contains(".running_") {
                continue;
            }
            let got = run.gradients.get(name);
            if is_frozen && name.starts_with("layer.") {
                assert!(got.is_none(), "{what}: a gradient of {name}");
                continue;
            }
            let got = got.unwrap_or_else(|| panic!("{what}: no gradient of {name}"));
            close(&format!("{what}: gradient of {name}"), got, want);
        }
    }
}

/// A tensor's values one after the other.
fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let len = x.shape().num_elements();
    x.reshape([len])
}

#[test]
fn a_tensor_of_other_dimensions_is_refused_by_name() {
    let mut source = Named::drawn(&[("layer.weight", &[3, 4]), ("layer.bias", &[3, 1])]);
    let device = Device::flex();
    let layer = super::Linear::build(&mut Builder::new(&mut source, &device), "layer");
    let message = layer.unwrap_err().to_string();
    assert_eq!(
        message,
        "tensor `layer.bias` has shape [3, 1], wanted 1 dimensions"
    );
}

#[test]
fn what_is_frozen_gets_no_gradient() {
    let named = Named::drawn(&[
        ("layer.weight", &[3, 4]),
        ("layer.bias", &[3]),
        ("x", &[2, 4]),
    ]);
    let device = Device::flex().autodiff();
    let mut source = named.clone();
    let mut b = Builder::new(&mut source, &device).freeze(|name| name.ends_with(".weight"));
    assert!(b.is_frozen("layer.weight"));
    let layer = super::Linear::build(&mut b, "layer").unwrap();
    let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0]], &device);
    let grads = layer.forward(x).sum().backward();
    let mut collected = Collected {
        path: ParameterPath::default(),
        grads: &grads,
        gradients: BTreeMap::new(),
    };
    layer.visit(&mut collected);
    let names: Vec<&String> = collected.gradients.keys().collect();
    assert_eq!(names, ["layer.bias"]);
}

/// Doubles every parameter.
struct Doubled;

impl ModuleMapper for Doubled {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|values| values * 2.0)
    }
}

#[test]
fn what_is_kept_of_a_weight_goes_with_it() {
    let named = Named::drawn(&[
        ("layer.weight", &[3, 5]),
        ("layer.bias", &[3]),
        ("x", &[2, 5]),
    ]);
    let device = tested().autodiff();
    let mut source = named.clone();
    let mut b = Builder::new(&mut source, &device).freeze(|_| true);
    let layer = super::Linear::build(&mut b, "layer").expect("a layer");
    let x = Tensor::<1>::from_floats(named.0["x"].values(), &device).reshape([2, 5]);
    let forward = |layer: &super::Linear| plain_values(layer.forward(x.clone()));
    let once: Vec<f64> = forward(&layer)
        .into_iter()
        .map(|y| 2.0 * f64::from(y))
        .collect();
    let doubled = layer.map(&mut Doubled);
    close("doubled", &forward(&doubled), &once);
}
