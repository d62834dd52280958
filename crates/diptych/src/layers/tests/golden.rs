//! Each layer against PyTorch's numbers (`parity/layers.py`; versions beside them), by the kernels
//! and by Burn's own operations.

use burn::module::Module;
use burn::tensor::Tensor;
use diptych_testing::{Golden, folder};
use serde_json::Value;

use super::super::{
    Attention, BatchNorm, Builder, Convolution, ConvolutionOptions, CrossAttention, Fir,
    FirOptions, GroupNorm, Mask, ModulatedConvolution, ModulationOptions, Phase,
    TransposedConvolution,
};
use super::{Given, Named, PLAIN, close, flat, run};
use crate::Error;
use crate::tensor_data::TensorData;

/// One case: what was recorded of it, and what goes in.
struct Case<'a> {
    name: &'a str,
    golden: &'a Golden,
    named: Named,
}

impl Case<'_> {
    /// Holds a layer to the record by both ways.
    fn hold<M: Module>(
        &self,
        build: impl Fn(&mut Builder) -> Result<M, Error>,
        forward: impl Fn(&M, &Given) -> Tensor<1>,
    ) {
        let recorded = |name: &str| self.golden.tensor(&format!("{}/{name}", self.name)).1;
        let upstream: Vec<f32> = recorded("upstream").iter().map(|v| *v as f32).collect();
        for is_plain in [false, true] {
            PLAIN.set(is_plain);
            let run = run(&self.named, &build, &forward, |_| upstream.clone(), false);
            PLAIN.set(false);
            let what = format!(
                "{}, {}",
                self.name,
                if is_plain { "Burn's" } else { "kernels" }
            );
            close(&what, &run.output, &recorded("output"));
            for name in self
                .named
                .0
                .keys()
                .filter(|name| !name.contains(".running_"))
            {
                let got = run.gradients.get(name);
                let got = got.unwrap_or_else(|| panic!("{what}: no gradient of {name}"));
                let want = recorded(&format!("gradient/{name}"));
                close(&format!("{what}: gradient of {name}"), got, &want);
            }
        }
    }
}

#[test]
fn layers_are_pytorchs() {
    let cases = fs_err::read_to_string(folder("layers").join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() > 20);
    let golden = Golden::open("layers", "layers.safetensors");
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut named = Named::default();
        for key in golden.names() {
            let of_case = key.strip_prefix(name).and_then(|key| key.strip_prefix('/'));
            let Some(tensor) = of_case.filter(|tensor| {
                !tensor.starts_with("gradient/") && !["output", "upstream"].contains(tensor)
            }) else {
                continue;
            };
            let (shape, values) = golden.tensor(&key);
            let values = values.into_iter().map(|v| v as f32).collect();
            named
                .0
                .insert(tensor.to_owned(), TensorData::new(values, shape));
        }
        let golden = &golden;
        check(
            case,
            Case {
                name,
                golden,
                named,
            },
        );
    }
}

fn check(options: &Value, mut case: Case) {
    let number = |name: &str| options[name].as_u64().unwrap() as usize;
    let float = |name: &str| options[name].as_f64().unwrap();
    let pair = |name: &str| [0, 1].map(|i| options[name][i].as_i64().unwrap());
    let of_x = |given: &Given| given.get::<4>("x");
    match options["kind"].as_str().unwrap() {
        "convolution" => {
            let slide = slide(options);
            case.hold(
                |b| Convolution::build(b, "layer", slide),
                |layer, given| flat(layer.forward(of_x(given))),
            );
        }
        "transposed" => {
            let (slide, more) = (slide(options), number("output_padding"));
            case.hold(
                |b| {
                    let layer = TransposedConvolution::build(b, "layer", slide)?;
                    Ok(layer.with_output_padding(more))
                },
                |layer, given| flat(layer.forward(of_x(given))),
            );
        }
        "modulated" => {
            let options = ModulationOptions {
                padding: number("padding"),
                up: options["up"].as_bool().unwrap(),
                demodulation: options["demodulation"].as_f64().map(|e| e as f32),
            };
            case.hold(
                |b| ModulatedConvolution::build(b, "layer", options),
                |layer, given| flat(layer.forward(of_x(given), given.get("style"))),
            );
        }
        "fir" => {
            let taps = options["taps"].as_array().unwrap().iter();
            let taps: Vec<f32> = taps.map(|t| t.as_f64().unwrap() as f32).collect();
            let options = FirOptions {
                up: number("up"),
                down: number("down"),
                padding: pair("padding").map(|p| p as isize),
                gain: float("gain") as f32,
            };
            case.hold(
                |_| Ok(Fir::new(&taps, options)),
                |layer, given| flat(layer.forward(of_x(given))),
            );
        }
        "group_norm" => {
            let (groups, epsilon) = (number("groups"), float("epsilon"));
            case.hold(
                |b| GroupNorm::build(b, "layer", groups, epsilon),
                |layer, given| flat(layer.forward(of_x(given))),
            );
        }
        "batch_norm" => {
            let epsilon = float("epsilon");
            let channels = case.named.0["layer.weight"].shape().to_vec();
            for name in ["layer.running_mean", "layer.running_var"] {
                let data = TensorData::new(vec![0.5; channels[0]], channels.clone());
                case.named.0.insert(name.to_owned(), data);
            }
            case.hold(
                |b| BatchNorm::build(b, "layer", epsilon),
                |layer, given| flat(layer.forward(of_x(given), Phase::Train)),
            );
        }
        "attention" => {
            let heads = number("heads");
            let is_causal = options["causal"].as_bool().unwrap();
            let mask = if is_causal { Mask::Causal } else { Mask::None };
            let has_memory = case.named.0.contains_key("memory");
            if case.named.0.contains_key("layer.q_proj_weight") {
                case.hold(
                    |b| CrossAttention::build(b, "layer", heads),
                    |layer, given| {
                        let keys_values = layer.keys_values(given.get("memory"));
                        flat(layer.find(given.get("x"), keys_values))
                    },
                );
            } else {
                case.hold(
                    |b| Attention::build(b, "layer", heads),
                    |layer, given| {
                        if has_memory {
                            let keys_values = layer.keys_values(given.get("memory"));
                            flat(layer.find(given.get("x"), keys_values))
                        } else {
                            flat(layer.forward(given.get("x"), mask))
                        }
                    },
                );
            }
        }
        kind => panic!("a case of kind {kind}"),
    }
}

/// The convolution's options in a case; all have a bias.
fn slide(options: &Value) -> ConvolutionOptions {
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    ConvolutionOptions {
        stride: number(&options["stride"]),
        padding: [0, 1].map(|i| number(&options["padding"][i])),
        groups: number(&options["groups"]),
        bias: true,
    }
}
