//! The loop with a second task: a perceptron of two layers, fitted to a drawn function.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::optimise::NamedGradients;
use crate::samples::{PassedOver, Reason};
use crate::{Error, Result};
use diptych::weights::Tensors;

/// `x` `[N, 1]` to `tanh(x A + b) C`: `[N, 1]`.
#[derive(Module, Debug)]
struct Perceptron {
    hidden: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    out: Param<Tensor<2>>,
}

impl Perceptron {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = x.matmul(self.hidden.val()) + self.bias.val().unsqueeze();
        hidden.tanh().matmul(self.out.val())
    }
}

/// Half a wave of `sin(amplitude x)`, of which points are drawn.
struct Fit {
    settings: Settings,
    amplitude: f32,
    /// One layer is trained in even steps, the other in odd ones, as a GAN's two networks are.
    takes_turns: bool,
    /// The step whose batch can't be made.
    panics_at: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct Numbers {
    /// The largest error of the batch.
    worst: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Measured {
    error: f64,
}

const HIDDEN: usize = 8;
const POINTS: usize = 16;

impl Fit {
    fn generator(&self, purpose: u64, step: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        rng.set_stream(purpose << 32 | step as u64);
        rng
    }

    /// Points `x` and their values, as tensors `[N, 1]`.
    fn tensors(&self, points: &[f32], device: &Device) -> [Tensor<2>; 2] {
        let values = points.iter().map(|x| (self.amplitude * x).sin()).collect();
        [points.to_vec(), values].map(|values: Vec<f32>| {
            let shape = [values.len(), 1];
            Tensor::from_data(TensorData::new(values, shape), device)
        })
    }
}

impl Task for Fit {
    type Model = Perceptron;
    type Data = Vec<f32>;
    type Batch = Vec<f32>;
    type Numbers = Numbers;
    type Measured = Measured;

    const UNIT: &'static str = "points";
    const CHARTS: &'static [Chart] = &[Chart {
        title: "Largest error",
        curves: &[Curve::At {
            name: "worst",
            number: "/worst",
        }],
    }];
    const MEASURED_CHARTS: &'static [Chart] = &[Chart {
        title: "Mean squared error",
        curves: &[Curve::At {
            name: "error",
            number: "/measured/error",
        }],
    }];

    fn echo(&self) -> Result<String> {
        Ok(toml::to_string(&self.settings).unwrap())
    }

    fn identity(&self) -> String {
        let Settings {
            seed, optimizer, ..
        } = &self.settings;
        format!(
            "fit 1, seed {seed}, batch {}, amplitude {}",
            optimizer.batch_size, self.amplitude
        )
    }

    fn open(
        &self,
        on_notice: &mut dyn FnMut(Notice) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Vec<f32>>> {
        let passed_over = PassedOver::one(Reason::Line, "a point that is no number");
        if on_notice(Notice::PassedOver(passed_over)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut rng = self.generator(1, 0);
        let points = (0..100).map(|_| rng.random_range(-1.0..1.0));
        Ok(ControlFlow::Continue(points.collect()))
    }

    fn samples(&self, data: &Vec<f32>) -> usize {
        data.len()
    }

    fn batch(&self, data: &Vec<f32>, step: usize) -> Result<Vec<f32>> {
        assert!(self.panics_at != Some(step), "there is no batch {step}");
        let mut rng = self.generator(2, step);
        let mut point = || data[rng.random_range(0..data.len())];
        Ok((0..POINTS).map(|_| point()).collect())
    }

    fn start(&self) -> Result<Perceptron> {
        let device = Device::flex().autodiff();
        let mut rng = self.generator(3, 0);
        let mut values =
            |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let hidden = TensorData::new(values(HIDDEN), [1, HIDDEN]);
        let bias = TensorData::new(values(HIDDEN), [HIDDEN]);
        let out = TensorData::new(values(HIDDEN), [HIDDEN, 1]);
        let parameter = |data| Param::from_tensor(Tensor::from_data(data, &device).require_grad());
        Ok(Perceptron {
            hidden: parameter(hidden),
            bias: Param::from_tensor(Tensor::from_data(bias, &device).require_grad()),
            out: parameter(out),
        })
    }

    fn gradients(
        &self,
        model: &Perceptron,
        batch: &Vec<f32>,
        step: usize,
    ) -> Result<Gradients<Numbers>> {
        let [x, y] = self.tensors(batch, &Device::flex().autodiff());
        let off = model.forward(x) - y; // [N, 1]
        let loss = off.clone().square().mean();
        let mut gradients = loss.backward();
        if self.takes_turns {
            if step.is_multiple_of(2) {
                let _ = model.out.val().grad_remove(&mut gradients);
            } else {
                let _ = model.hidden.val().grad_remove(&mut gradients);
                let _ = model.bias.val().grad_remove(&mut gradients);
            }
        }
        Ok(Gradients {
            named: NamedGradients::take(model, gradients),
            loss: loss.inner().into_scalar(),
            numbers: Numbers {
                worst: off.inner().abs().max().into_scalar(),
            },
            watched: Vec::new(),
        })
    }

    fn measure(&self, _data: &Vec<f32>, model: Perceptron) -> Result<Measurement<Measured>> {
        let points: Vec<f32> = (-50..=50).map(|i| i as f32 / 50.0).collect();
        let [x, y] = self.tensors(&points, &Device::flex());
        let error: f32 = (model.forward(x) - y).square().mean().into_scalar();
        let error = f64::from(error);
        Ok(Measurement {
            score: -error,
            measured: Measured { error },
            passed_over: vec![PassedOver::one(
                Reason::Unmeasurable,
                "a point without a value",
            )],
        })
    }

    fn read(&self, dir: &Path) -> Result<Perceptron> {
        read_model(dir, self.start()?)
    }
}

/// A run in `dir`, with further lines of its `[optimizer]`.
fn fit(dir: &Path, optimizer: &str) -> Fit {
    let text = format!(
        "out = \"out\"\nseed = 5\ncheckpoint_every = 7\nmeasure_every = 5\n[optimizer]\nsteps = 60\n\
         batch_size = {POINTS}\nlearning_rate = 3e-2\nwarmup_steps = 3\nweight_decay = 0\n{optimizer}"
    );
    let mut settings: Settings = toml::from_str(&text).unwrap();
    settings.check().unwrap();
    settings.resolve(dir);
    Fit {
        settings,
        amplitude: 3.0,
        takes_turns: false,
        panics_at: None,
    }
}

/// Trains, and stops after `stop` steps if that is before the end; the losses seen.
fn losses(task: &Fit, resume: bool, stop: usize) -> Result<(Vec<f32>, Outcome)> {
    let mut losses = Vec::new();
    let outcome = train(task, &task.settings, resume, &mut |event| match event {
        Event::Step(progress) => {
            losses.push(progress.loss);
            if progress.step == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
        _ => ControlFlow::Continue(()),
    });
    Ok((losses, outcome?))
}

/// The parameters in a directory.
fn parameters(dir: &Path) -> BTreeMap<String, Vec<f32>> {
    let file = Tensors::open(dir.join(MODEL_FILE)).unwrap();
    let values = |name: &str| {
        let data = file.read(name).unwrap();
        (name.to_owned(), data.into_values())
    };
    file.names().map(values).collect()
}

#[test]
fn any_module_is_trained_and_a_resumed_run_is_an_uninterrupted_one() {
    for options in ["", "algorithm = \"muon\"\nema = 0.9\nclip_norm = 0.5"] {
        let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (want, outcome) = losses(&fit(whole.path(), options), false, usize::MAX).unwrap();
        assert!(
            want[59] < 0.6 * want[0],
            "{options}: from {} to {}",
            want[0],
            want[59]
        );
        let model = whole.path().join("out/model");
        assert_eq!(outcome, Outcome::Finished(model.clone()));
        let task = fit(parts.path(), options);
        let (first, outcome) = losses(&task, false, 23).unwrap();
        assert_eq!(outcome, Outcome::Interrupted(23));
        let (rest, _) = losses(&task, true, usize::MAX).unwrap();
        assert_eq!([first, rest].concat(), want, "{options}: bit-identical");
        let resumed = parts.path().join("out/model");
        assert_eq!(parameters(&model), parameters(&resumed), "{options}");
    }
}

#[test]
fn a_run_leaves_its_checkpoints_its_record_and_its_best() {
    let dir = tempfile::tempdir().unwrap();
    let task = fit(dir.path(), "");
    let mut told = Vec::new();
    let outcome = train(&task, &task.settings, false, &mut |event| {
        match event {
            Event::PassedOver(passed_over) => told.push(passed_over.example),
            Event::Ready { samples, .. } => told.push(format!("{samples} samples")),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(outcome, Ok(Outcome::Finished(_))));
    let once = "a point without a value";
    assert_eq!(told, ["a point that is no number", "100 samples", once]);
    let out = dir.path().join("out");
    for step in ["step-00000056", "step-00000060"] {
        let place = out.join("checkpoints").join(step);
        assert!(place.join(MODEL_FILE).exists() && place.join("optimizer.safetensors").exists());
    }
    let echo = fs_err::read_to_string(out.join("run-with-defaults.toml")).unwrap();
    assert_eq!(toml::from_str::<Settings>(&echo).unwrap(), task.settings);

    let record = fs_err::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = record
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of_steps = lines.iter().filter(|line| line.get("loss").is_some());
    assert_eq!(of_steps.count(), 60);
    assert!(lines[0]["worst"].is_number() && lines[0]["points_per_s"].is_number());
    let errors = lines
        .iter()
        .filter_map(|line| line["measured"]["error"].as_f64());
    let errors: Vec<f64> = errors.collect();
    assert_eq!(errors.len(), 12);
    let page = fs_err::read_to_string(out.join("curves.html")).unwrap();
    for heading in ["Largest error", "Points a second", "Mean squared error"] {
        assert!(page.contains(heading), "{heading}");
    }

    let best: Value =
        serde_json::from_slice(&fs_err::read(out.join("best.json")).unwrap()).unwrap();
    let least = errors.into_iter().fold(f64::INFINITY, f64::min);
    assert_eq!(best["score"].as_f64(), Some(-least));
    let kept = task.read(&out.join("best")).unwrap();
    let measured = task.measure(&Vec::new(), kept.valid()).unwrap();
    assert_eq!(
        measured.score, -least,
        "the best model is the one that measured so"
    );
}

#[test]
fn networks_may_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let mut task = fit(dir.path(), "");
    task.takes_turns = true;
    task.settings.checkpoint_every = 1;
    task.settings.keep = 3;
    losses(&task, false, 2).unwrap();
    let at = |step| parameters(&dir.path().join(format!("out/checkpoints/step-{step:08}")));
    let (first, second) = (at(1), at(2));
    assert_eq!(first["hidden"], second["hidden"]);
    assert_ne!(first["out"], second["out"]);
    // One of them has moved: only its moments are there, and the other's begin when it does.
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let turns = |dir: &Path| Fit {
        takes_turns: true,
        ..fit(dir, "")
    };
    let (want, _) = losses(&turns(whole.path()), false, usize::MAX).unwrap();
    let (begun, _) = losses(&turns(parts.path()), false, 1).unwrap();
    let (rest, _) = losses(&turns(parts.path()), true, usize::MAX).unwrap();
    assert_eq!([begun, rest].concat(), want);
}

#[test]
fn a_run_begun_otherwise_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let mut task = fit(dir.path(), "");
    losses(&task, false, 2).unwrap();
    let again = losses(&task, false, 2).unwrap_err();
    assert!(
        matches!(again, Error::UnfinishedRun { step: 2, .. }),
        "{again}"
    );
    task.amplitude = 2.0;
    let other = losses(&task, true, 4).unwrap_err();
    assert!(matches!(other, Error::OtherRun { .. }), "{other}");
    assert!(other.to_string().contains("another seed, batch"), "{other}");
}

#[test]
fn what_is_no_model_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let task = fit(dir.path(), "");
    losses(&task, false, 2).unwrap();
    let model = dir.path().join("out/model");
    fs_err::create_dir(&model).unwrap();
    fs_err::write(model.join("notes.md"), "mine").unwrap();
    let refused = losses(&task, true, usize::MAX).unwrap_err();
    assert!(matches!(refused, Error::Occupied { .. }), "{refused}");
    assert!(
        refused.to_string().contains("is not a checkpoint"),
        "{refused}"
    );
    assert!(model.join("notes.md").exists());
}

#[test]
#[should_panic(expected = "there is no batch 3")]
fn a_batch_that_panics_is_a_panic_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut task = fit(dir.path(), "");
    task.panics_at = Some(3);
    let _ = losses(&task, false, usize::MAX);
}
