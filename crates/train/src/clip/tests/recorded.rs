//! The ten recorded steps of `parity/training.py`, and what is differentiated against differences.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{self, Tensor};
use serde_json::Value;

use super::*;
use crate::run::Step;
use diptych::image::{Pixels, Preprocess};
use diptych::layers::ParameterPath;
use diptych::model::{Fresh, Source, named_tensors};
use diptych::text::Tokens;
use diptych::weights::TensorData;
use diptych_testing::{Golden, max_difference};

/// A golden checkpoint with a fresh temperature, as the recorded runs start.
struct Start(Checkpoint);

impl Source for Start {
    fn read(&mut self, name: &str) -> diptych::Result<TensorData> {
        match name {
            "logit_scale" => Ok(TensorData::new(vec![(1.0f32 / 0.07).ln()], [1])),
            name => self.0.read(name),
        }
    }
}

/// One of the ten recorded runs of `parity/training.py`, ready to begin, and its batches.
pub(super) fn recorded(checkpoint: &str, by_group: bool) -> (ClipTrainer, ClipConfig, Vec<Batch>) {
    let device = tested().autodiff();
    let mut start = Start(Checkpoint::open(folder(checkpoint)).unwrap());
    let config = start.0.description().config.clone();
    let preprocess = start.0.description().preprocess.clone();
    let model = ClipModel::build(&config, &mut start, &device).unwrap();
    let run = run_of(optimizer(10, 3), Loss::Softmax, Freeze::default());
    let trainer = trainer_of(model, &config, run);

    let golden = Golden::open("training", "batches.safetensors");
    let bytes: Vec<u8> = golden.tensor("pixels").1.iter().map(|&v| v as u8).collect();
    let ids = golden.ids("ids", config.text_cfg.context_length);
    let groups: Vec<u64> = golden
        .tensor("groups")
        .1
        .iter()
        .map(|&v| v as u64)
        .collect();
    const SIDE: usize = 16;
    let batch = |i: usize| {
        let ids = &ids[8 * i..8 * (i + 1)];
        let planes = bytes[8 * i * 3 * SIDE * SIDE..]
            .chunks_exact(SIDE * SIDE)
            .take(24);
        let pixels = planes
            .enumerate()
            .flat_map(|(p, plane)| enlarge(plane, SIDE, p % 3, &preprocess))
            .collect();
        // Equal texts are equal groups; else the recorded groups.
        let by_text = |row: &Vec<u32>| ids.iter().position(|r| r == row).unwrap() as u64;
        Batch {
            pixels: Pixels::from_vec(preprocess.size, pixels).unwrap(),
            tokens: Tokens::from_rows(ids, config.text_cfg.context_length).unwrap(),
            positives: if by_group {
                Positives::of_groups(&groups[8 * i..8 * (i + 1)])
            } else {
                Positives::of_groups(&ids.iter().map(by_text).collect::<Vec<_>>())
            },
            skipped: Vec::new(),
            sources: Vec::new(),
        }
    };
    let batches = (0..10).map(batch).collect();
    (trainer, config, batches)
}

/// One colour's plane, normalised, each pixel repeated up to the model's side.
fn enlarge(plane: &[u8], side: usize, colour: usize, preprocess: &Preprocess) -> Vec<f32> {
    let times = preprocess.size / side;
    let place = |i: usize| (i / preprocess.size / times) * side + i % preprocess.size / times;
    let value = |v: u8| (f32::from(v) / 255.0 - preprocess.mean[colour]) / preprocess.std[colour];
    (0..preprocess.size.pow(2))
        .map(|i| value(plane[place(i)]))
        .collect()
}

fn ten_losses_match_pytorch(run: &str, checkpoint: &str, by_group: bool) {
    let expected = fs_err::read_to_string(folder("training").join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let (trainer, _, batches) = recorded(checkpoint, by_group);
    let gradients = gradients(&trainer, &batches[0]).named;
    let norm = f64::from(gradients.norm());
    let gradients = gradients.values();
    let want = expected[run]["steps"][0]["grad_norm"].as_f64().unwrap();
    assert!(
        (norm / want - 1.0).abs() < 1e-4,
        "{run}: gradient norm {norm}, PyTorch {want}"
    );
    let golden = Golden::open("training", "gradients.safetensors");
    let mut compared = 0;
    for name in golden.names() {
        let Some(name) = name.strip_prefix(&format!("{run}/")) else {
            continue;
        };
        let Some(got) = gradients.get(name) else {
            continue;
        };
        let want = golden.f32(&format!("{run}/{name}"));
        let scale = want.iter().fold(1e-3, |m: f32, v| m.max(v.abs()));
        let difference = max_difference(got, &want) / scale;
        assert!(
            difference < 1e-3,
            "{run}: gradient of {name} off by {difference}"
        );
        compared += 1;
    }
    assert!(compared >= 3, "{run}: {compared} gradients compared");

    // From the start again: a forward in training has moved the running statistics.
    let (mut trainer, _, batches) = recorded(checkpoint, by_group);
    // PyTorch's own f32 and f64 losses differ by up to 2e-6.
    for (i, batch) in batches.iter().enumerate() {
        let Step {
            loss,
            numbers: Numbers { logit_scale, .. },
            ..
        } = trainer.step(batch, i).unwrap();
        let want = &expected[run]["steps"][i];
        let loss_difference = f64::from(loss) - want["loss"].as_f64().unwrap();
        assert!(
            loss_difference.abs() < 3e-5,
            "{run}: step {i}: loss off by {loss_difference}"
        );
        let want = want["logit_scale"].as_f64().unwrap().exp();
        assert!(
            (f64::from(logit_scale) / want - 1.0).abs() < 1e-5,
            "{run}: step {i}: scale {logit_scale}"
        );
    }
    let model: BTreeMap<String, TensorData> = named_tensors(trainer.model()).into_iter().collect();
    for (name, want) in expected[run]["final"].as_object().unwrap() {
        let got: f64 = model[name]
            .values()
            .iter()
            .map(|&v| f64::from(v).abs())
            .sum();
        let want = want["abs_sum"].as_f64().unwrap();
        assert!(
            (got - want).abs() <= 2e-4 * want.max(0.1),
            "{run}: {name}: Σ|θ| {got}, PyTorch {want}"
        );
    }
}

#[test]
fn ten_losses_of_the_vit_match_pytorch() {
    ten_losses_match_pytorch("tiny-vit", "tiny-vit", false);
}

#[test]
fn ten_losses_of_the_vit_by_group_match_pytorch() {
    ten_losses_match_pytorch("tiny-vit by group", "tiny-vit", true);
}

#[test]
fn ten_losses_of_the_resnet_match_pytorch() {
    ten_losses_match_pytorch("tiny-resnet", "tiny-resnet", false);
}

/// A model moved by `amount` along `direction`, for the parameters that it names.
pub(super) fn moved(
    model: ClipModel,
    direction: &BTreeMap<String, Vec<f32>>,
    amount: f32,
) -> ClipModel {
    struct Move<'a>(&'a BTreeMap<String, Vec<f32>>, f32, ParameterPath);
    impl ModuleMapper for Move<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.2.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, container: &str) {
            self.2.exit(container);
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(direction) = self.0.get(&self.2.name()) else {
                return param;
            };
            param.map(|tensor| {
                let data = tensor::TensorData::new(direction.clone(), tensor.shape());
                let step = Tensor::from_data(data, &tensor.device());
                (tensor + step.mul_scalar(self.1)).detach().require_grad()
            })
        }
    }
    model.map(&mut Move(direction, amount, ParameterPath::default()))
}

#[test]
fn gradients_match_finite_differences() {
    for checkpoint in ["tiny-vit", "tiny-resnet"] {
        let (trainer, _, batches) = recorded(checkpoint, true);
        let all = gradients(&trainer, &batches[0]).named.values();
        // Along each parameter's own gradient the loss must change by its squared norm.
        for (name, gradient) in all {
            let norm: f32 = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            if norm < 0.1 {
                continue; // the difference of two f32 losses would be rounding
            }
            let direction =
                BTreeMap::from([(name.clone(), gradient.iter().map(|g| g / norm).collect())]);
            let step = 1e-4; // small: the ResNet's ReLUs bend the loss
            let loss_at = |amount: f32| -> f32 {
                let model = moved(trainer.model().clone(), &direction, amount);
                let loss = trainer.task().contrastive().loss(&model, &batches[0]);
                loss.unwrap().into_scalar()
            };
            let slope = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            // Rounding in two losses of about 4 over twice the step: 0.02 at most.
            assert!(
                (slope - norm).abs() < 0.05 * norm + 0.02,
                "{checkpoint}: {name}: slope {slope}, gradient {norm}"
            );
        }
    }
}

#[test]
fn one_batch_overfits() {
    let json = r#"{"embed_dim":16,"vision_cfg":{"image_size":16,"layers":1,"width":32,"patch_size":4,"head_width":16},
        "text_cfg":{"context_length":18,"vocab_size":540,"width":32,"heads":2,"layers":1}}"#;
    let config = ClipConfig::from_json("test", serde_json::from_str(json).unwrap()).unwrap();
    let (_, _, batches) = recorded("tiny-vit", false);
    let device = tested().autodiff();
    let model = ClipModel::build(&config, &mut Fresh::new(&config, 3), &device).unwrap();
    let optimizer = Optimization {
        learning_rate: 5e-3,
        weight_decay: 0.0,
        algorithm: Algorithm::AdamW,
        decay_steps: None,
        ..optimizer(80, 5)
    };
    let run = run_of(optimizer, Loss::Softmax, Freeze::default());
    let mut trainer = trainer_of(model, &config, run);
    // All pictures are different and so must the texts be, or there is no zero to reach.
    let batch = Batch {
        positives: Positives::new(8, |_, _| Relation::Negative),
        ..batches.into_iter().next().unwrap()
    };
    let texts: std::collections::HashSet<&[u32]> = batch.tokens.rows().collect();
    let floor = (8 - texts.len()) as f32 * 2.0 * std::f32::consts::LN_2 / 8.0;
    let losses: Vec<f32> = (0..80)
        .map(|i| trainer.step(&batch, i).unwrap().loss)
        .collect();
    assert!(losses[0] > 1.5, "starts at {}", losses[0]);
    assert!(
        losses[79] < floor + 0.05,
        "ends at {}, the least is {floor}",
        losses[79]
    );
}

#[test]
fn the_temperature_stays_between_1_and_100() {
    let (trainer, _, _) = recorded("tiny-vit", false);
    for (amount, want) in [(10.0, 100.0), (-10.0, 1.0)] {
        let direction = BTreeMap::from([("logit_scale".to_owned(), vec![1.0])]);
        let model = moved(trainer.model().clone(), &direction, amount).clamp_logit_scale();
        let got: f32 = model.logit_scale().into_scalar();
        assert!((got / want - 1.0).abs() < 1e-5, "{got}, wanted {want}");
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_says_where() {
    let (trainer, config, batches) = recorded("tiny-vit", false);
    let direction = BTreeMap::from([("text_projection".to_owned(), vec![f32::NAN; 32 * 24])]);
    let model = moved(trainer.model().clone(), &direction, 1.0);
    let run = run_of(optimizer(10, 3), Loss::Softmax, Freeze::default());
    let mut trainer = trainer_of(model, &config, run);
    let message = trainer.step(&batches[0], 6).unwrap_err().to_string();
    assert!(message.starts_with("step 7: the loss is NaN"), "{message}");
}
