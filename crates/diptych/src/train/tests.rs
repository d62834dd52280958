//! The trainer against PyTorch's record, finite differences, and itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use serde_json::Value;

use super::*;
use crate::golden::{Golden, folder, max_difference};
use crate::image::{Pixels, Preprocess};
use crate::model::{ClipConfig, ClipModel, ParameterPath, Source, named_tensors};
use crate::text::Tokens;
use crate::weights::Checkpoint;
use crate::{Device, Result};

fn optimizer(steps: usize, warmup_steps: usize) -> Optimizer {
    Optimizer {
        steps,
        batch_size: 8,
        learning_rate: 1e-3,
        warmup_steps,
        weight_decay: 0.2,
        beta1: 0.9,
        beta2: 0.98,
        epsilon: 1e-6,
    }
}

/// A golden checkpoint with a fresh temperature, as the recorded runs start.
struct Start(Checkpoint);

impl Source for Start {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        match name {
            "logit_scale" => Ok(TensorData::new(vec![(1.0f32 / 0.07).ln()], [1])),
            name => self.0.read(name),
        }
    }
}

/// One of the ten recorded runs of `parity/training.py`, ready to begin, and its batches.
fn recorded(checkpoint: &str, by_group: bool) -> (Trainer, Vec<Batch>) {
    let device = Device::flex().autodiff();
    let mut start = Start(Checkpoint::open(folder(checkpoint)).unwrap());
    let config = start.0.description().config.clone();
    let preprocess = start.0.description().preprocess.clone();
    let model = ClipModel::build(&config, &mut start, &device).unwrap();
    let trainer = Trainer::new(model, AdamW::new(optimizer(10, 3)), device);

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
            positives: match by_group {
                true => Positives::of_groups(&groups[8 * i..8 * (i + 1)]),
                false => Positives::of_groups(&ids.iter().map(by_text).collect::<Vec<_>>()),
            },
            skipped: Vec::new(),
        }
    };
    (trainer, (0..10).map(batch).collect())
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
    let (trainer, batches) = recorded(checkpoint, by_group);
    let gradients = gradients(trainer.model(), trainer.loss(&batches[0]).backward());
    let norm: f64 = gradients
        .values()
        .flatten()
        .map(|&g| f64::from(g).powi(2))
        .sum::<f64>()
        .sqrt();
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
    let (mut trainer, batches) = recorded(checkpoint, by_group);
    // PyTorch's own f32 and f64 losses differ by up to 2e-6.
    for (i, batch) in batches.iter().enumerate() {
        let (loss, scale) = trainer.step(batch, i).unwrap();
        let want = &expected[run]["steps"][i];
        let loss_difference = f64::from(loss) - want["loss"].as_f64().unwrap();
        assert!(
            loss_difference.abs() < 3e-5,
            "{run}: step {i}: loss off by {loss_difference}"
        );
        let want = want["logit_scale"].as_f64().unwrap().exp();
        assert!(
            (f64::from(scale) / want - 1.0).abs() < 1e-5,
            "{run}: step {i}: scale {scale}"
        );
    }
    let model: BTreeMap<String, TensorData> = named_tensors(trainer.model()).into_iter().collect();
    for (name, want) in expected[run]["final"].as_object().unwrap() {
        let got: f64 = model[name].iter::<f64>().map(f64::abs).sum();
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

/// Gradients by parameter name.
fn gradients(model: &ClipModel, gradients: Gradients) -> BTreeMap<String, Vec<f32>> {
    struct Collect(Gradients, ParameterPath, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.1.enter(name, container);
        }
        fn exit_module(&mut self, _: &str, container: &str) {
            self.1.exit(container);
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(&self.0) {
                let values = gradient.into_data().iter::<f32>().collect();
                self.2.insert(self.1.name(), values);
            }
        }
    }
    let mut collect = Collect(gradients, ParameterPath::default(), BTreeMap::new());
    model.visit(&mut collect);
    collect.2
}

/// A model moved by `amount` along `direction`, for the parameters that it names.
fn moved(model: ClipModel, direction: &BTreeMap<String, Vec<f32>>, amount: f32) -> ClipModel {
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
                let data = TensorData::new(direction.clone(), tensor.shape());
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
        let (trainer, batches) = recorded(checkpoint, true);
        let all = gradients(trainer.model(), trainer.loss(&batches[0]).backward());
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
                let trainer = Trainer::new(
                    model,
                    AdamW::new(optimizer(1, 0)),
                    Device::flex().autodiff(),
                );
                trainer.loss(&batches[0]).into_scalar()
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
    let (_, batches) = recorded("tiny-vit", false);
    let device = Device::flex().autodiff();
    let model = ClipModel::build(&config, &mut Fresh::new(&config, 3), &device).unwrap();
    let optimizer = Optimizer {
        learning_rate: 5e-3,
        weight_decay: 0.0,
        ..optimizer(80, 5)
    };
    let mut trainer = Trainer::new(model, AdamW::new(optimizer), device);
    // All pictures are different and so must the texts be, or there is no zero to reach.
    let batch = Batch {
        positives: Positives::new(8, |_, _| false),
        ..batches.into_iter().next().unwrap()
    };
    let texts: std::collections::HashSet<&[u32]> = batch.tokens.rows().collect();
    let floor = (8 - texts.len()) as f32 * 2.0 * std::f32::consts::LN_2 / 8.0;
    let losses: Vec<f32> = (0..80)
        .map(|i| trainer.step(&batch, i).unwrap().0)
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
    let (trainer, _) = recorded("tiny-vit", false);
    for (amount, want) in [(10.0, 100.0), (-10.0, 1.0)] {
        let direction = BTreeMap::from([("logit_scale".to_owned(), vec![1.0])]);
        let model = moved(trainer.model().clone(), &direction, amount).clamp_logit_scale();
        let got: f32 = model.logit_scale().into_scalar();
        assert!((got / want - 1.0).abs() < 1e-5, "{got}, wanted {want}");
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_says_where() {
    let (trainer, batches) = recorded("tiny-vit", false);
    let direction = BTreeMap::from([("text_projection".to_owned(), vec![f32::NAN; 32 * 24])]);
    let model = moved(trainer.model().clone(), &direction, 1.0);
    let device = Device::flex().autodiff();
    let mut trainer = Trainer::new(model, AdamW::new(optimizer(10, 3)), device);
    let message = trainer.step(&batches[0], 6).unwrap_err().to_string();
    assert!(message.starts_with("step 7: the loss is NaN"), "{message}");
}

/// A run on drawn pictures, small enough for a test.
fn write_run(dir: &Path) -> std::path::PathBuf {
    let mut tar = tar::Builder::new(fs_err::File::create(dir.join("shapes.tar")).unwrap());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let colours = [
        ("red", [220u8, 30, 30]),
        ("green", [30, 200, 60]),
        ("blue", [40, 50, 210]),
    ];
    for i in 0..24u8 {
        let (name, [r, g, b]) = colours[usize::from(i) % 3];
        let pixel = |p: u8| [r.wrapping_add(p), g.wrapping_add(i), b];
        let rgb: Vec<u8> = (0..20u8 * 12).flat_map(pixel).collect();
        add(format!("{i:03}.png"), &png(20, 12, &rgb));
        add(
            format!("{i:03}.txt"),
            format!("{name}, colour {name}").as_bytes(),
        );
    }
    tar.finish().unwrap();
    let arch = r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":[1,1,1,1],"width":2,"head_width":16},
        "text_cfg":{"context_length":12,"vocab_size":600,"width":16,"heads":2,"layers":1}}"#;
    fs_err::write(dir.join("arch.json"), arch).unwrap();
    let run = r#"
        out = "out"
        architecture = "arch.json"
        checkpoint_every = 3
        [optimizer]
        steps = 8
        batch_size = 10
        learning_rate = 1e-3
        warmup_steps = 2
        [[data]]
        shards = ["shapes.tar"]
        texts = "classes"
        templates = ["a {}.", "a photo of a {}."]
        [validation]
        shards = ["shapes.tar"]
        every = 100
    "#;
    fs_err::write(dir.join("run.toml"), run).unwrap();
    dir.join("run.toml")
}

fn png(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(rgb)
        .unwrap();
    bytes
}

/// Trains, and stops after `stop` steps if that is before the end; the losses seen.
fn losses(run: &Path, resume: bool, stop: usize) -> (Vec<f32>, Outcome) {
    let run = Run::open(run).unwrap();
    let mut losses = Vec::new();
    let outcome = train(&run, Device::flex(), resume, &mut |event| match event {
        Event::Step(p) => {
            losses.push(p.loss);
            if p.step == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
        _ => ControlFlow::Continue(()),
    });
    (losses, outcome.unwrap())
}

#[test]
fn a_resumed_run_gives_the_losses_of_an_uninterrupted_one() {
    let whole = tempfile::tempdir().unwrap();
    let (want, outcome) = losses(&write_run(whole.path()), false, usize::MAX);
    assert_eq!(want.len(), 8);
    let Outcome::Finished(model) = outcome else {
        panic!("{outcome:?}")
    };

    let parts = tempfile::tempdir().unwrap();
    let run = write_run(parts.path());
    let (first, outcome) = losses(&run, false, 4);
    assert_eq!(outcome, Outcome::Interrupted(4));
    let (rest, outcome) = losses(&run, true, usize::MAX);
    assert_eq!([first, rest].concat(), want, "bit-identical");
    let Outcome::Finished(resumed) = outcome else {
        panic!("{outcome:?}")
    };
    let weights = |dir: &Path| fs_err::read(dir.join(crate::weights::WEIGHTS_FILE)).unwrap();
    assert!(
        weights(&model) == weights(&resumed),
        "the resumed run's weights differ"
    );

    // The model it wrote is one that opens.
    let clip = crate::Clip::open(&model).unwrap();
    assert_eq!(clip.encode_texts(&["red"]).unwrap().dim(), 8);
}

#[test]
fn a_run_is_not_overwritten_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 1);
    let run = Run::open(&path).unwrap();
    let again = train(&run, Device::flex(), false, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(again.unwrap_err().to_string().contains("a run of 1 steps"));
}

#[test]
fn damaged_shards_are_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shard.tar");
    let check = |bytes: &[u8], wanted: &str| {
        fs_err::write(&path, bytes).unwrap();
        let message = read_shard(&path).unwrap_err().to_string();
        assert!(
            message.contains("shard.tar") && message.contains(wanted),
            "{message}"
        );
    };
    check(b"", "no image-text pair");
    check(&[0; 1024], "no image-text pair");
    check(b"not a tar file at all", "not a whole tar file");

    let member = |name: &str, bytes: &[u8]| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
        let bytes = tar.into_inner().unwrap();
        bytes[..bytes.len() - 1024].to_vec()
    };
    let picture = member("a/1.png", b"x");
    check(&picture, "picture a/1 has no .txt");
    check(&member("a/1.txt", b"x"), "text a/1.txt has no picture");
    check(
        &[&picture[..], &member("a/1.txt", b"\xff\xfe")].concat(),
        "a/1.txt is not UTF-8",
    );
    check(
        &[&picture[..], &member("a/1.txt", b" \n ")].concat(),
        "a/1.txt is empty",
    );
    check(
        &[&picture[..], &member("a/1.txt", b"a cat")].concat()[..1100],
        "not a whole tar file",
    );
}

#[test]
fn run_files_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    let check = |from: &str, to: &str, wanted: &str| {
        assert!(text.contains(from));
        fs_err::write(&path, text.replace(from, to)).unwrap();
        let message = Run::open(&path).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    check("steps = 8", "stepz = 8", "stepz");
    check("steps = 8", "steps = 0", "`steps` is 0");
    check(
        "warmup_steps = 2",
        "warmup_steps = 9",
        "`warmup_steps` is 9",
    );
    check("\"a {}.\"", "\"a cat.\"", "no `{}`");
    check("\"classes\"", "\"labels\"", "labels");
}

#[test]
fn a_run_with_another_model_or_data_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 2);
    let refused = |file: &str, from: &str, to: &str, wanted: &str| {
        let file = dir.path().join(file);
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs_err::write(&file, text.replace(from, to)).unwrap();
        let run = Run::open(&path).unwrap();
        let resumed = train(&run, Device::flex(), true, &mut |_| {
            ControlFlow::Continue(())
        });
        let message = resumed.unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
        fs_err::write(&file, text).unwrap();
    };
    refused(
        "arch.json",
        "\"heads\":2",
        "\"heads\":4",
        "another architecture",
    );
    refused(
        "arch.json",
        "\"context_length\":12",
        "\"context_length\":14",
        "another architecture",
    );
    refused(
        "run.toml",
        "batch_size = 10",
        "batch_size = 12",
        "another seed",
    );
    refused("run.toml", "\"a {}.\"", "\"the {}.\"", "another seed");
    assert_eq!(losses(&path, true, usize::MAX).0.len(), 6);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_reported_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let shard = dir.path().join("shapes.tar");
    let mut bytes = fs_err::read(&shard).unwrap();
    // The first member's data begins after its header: no PNG any more.
    bytes[512..520].copy_from_slice(b"nonsense");
    fs_err::write(&shard, bytes).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    let cut = text.find("[validation]").unwrap();
    fs_err::write(&path, &text[..cut]).unwrap();

    let run = Run::open(&path).unwrap();
    let mut skipped = Vec::new();
    let outcome = train(&run, Device::flex(), false, &mut |event| {
        if let Event::Skipped(reason) = event {
            skipped.push(reason);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(outcome.unwrap(), Outcome::Finished(_)));
    assert!(!skipped.is_empty());
    assert!(
        skipped
            .iter()
            .all(|s| s.contains("shapes.tar") && s.contains("000")),
        "{skipped:?}"
    );
}

#[test]
fn rates_that_are_no_numbers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    for line in ["learning_rate = nan", "learning_rate = inf"] {
        fs_err::write(&path, text.replace("learning_rate = 1e-3", line)).unwrap();
        assert!(
            Run::open(&path)
                .unwrap_err()
                .to_string()
                .contains("learning_rate")
        );
    }
    fs_err::write(
        &path,
        text.replace("warmup_steps = 2", "warmup_steps = 2\nbeta1 = 1.0"),
    )
    .unwrap();
    assert!(Run::open(&path).unwrap_err().to_string().contains("beta1"));
}
