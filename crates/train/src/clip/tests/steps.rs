//! Options of a step: chunks, clipping, averages, frozen parts, the sigmoid loss.

use std::collections::BTreeMap;

use super::recorded::recorded;
use super::*;
use diptych::model::{BuildOptions, Fresh, Frozen, named_tensors};
use diptych::weights::TensorData;
use diptych_testing::max_difference;

/// A small model, drawn afresh.
fn fresh(config: &ClipConfig, freeze: Freeze) -> ClipModel {
    let device = tested().autodiff();
    let options = BuildOptions {
        freeze,
        ..BuildOptions::default()
    };
    ClipModel::build_with(config, &mut Fresh::new(config, 3), &device, options).unwrap()
}

/// The recorded batches' architecture, with an image tower of `kind`.
fn config(kind: &str) -> ClipConfig {
    let vision = match kind {
        "vit" => r#"{"image_size":16,"layers":2,"width":32,"patch_size":4,"head_width":16}"#,
        _ => r#"{"image_size":32,"layers":[1,1,1,1],"width":2,"head_width":16}"#,
    };
    let json = format!(
        r#"{{"embed_dim":16,"vision_cfg":{vision},
            "text_cfg":{{"context_length":18,"vocab_size":540,"width":32,"heads":2,"layers":2}}}}"#
    );
    ClipConfig::from_json("test", serde_json::from_str(&json).unwrap()).unwrap()
}

fn trainer(config: &ClipConfig, optimizer: Optimization, freeze: Freeze) -> ClipTrainer {
    let run = run_of(optimizer, Loss::Softmax, freeze);
    trainer_of(fresh(config, freeze), config, run)
}

fn tensors(model: &ClipModel) -> BTreeMap<String, TensorData> {
    named_tensors(model).into_iter().collect()
}

#[test]
fn gradients_by_chunk_are_those_of_the_whole_batch() {
    let batch = &recorded("tiny-vit", true).2[0];
    let whole = trainer(&config("vit"), optimizer(10, 3), Freeze::default());
    let BatchGradients {
        named,
        logits_per_image: want_logits,
        loss: want_loss,
    } = gradients(&whole, batch);
    let (norm, want) = (named.norm(), named.values());
    for chunk_size in [1, 3, 8] {
        let chunked = Optimization {
            chunk_size: Some(chunk_size),
            ..optimizer(10, 3)
        };
        let chunked = trainer(&config("vit"), chunked, Freeze::default());
        let BatchGradients {
            named,
            logits_per_image: logits,
            loss,
        } = gradients(&chunked, batch);
        let got = named.values();
        assert!(got.keys().eq(want.keys()), "chunks of {chunk_size}");
        for (name, want) in &want {
            let off = max_difference(&got[name], want);
            assert!(
                off < 1e-5 * norm.max(1.0),
                "chunks of {chunk_size}: {name}: {off}"
            );
        }
        let [logits, want_logits] =
            [&logits, &want_logits].map(|t| t.to_data().iter::<f32>().collect::<Vec<_>>());
        assert!(max_difference(&logits, &want_logits) < 1e-5);
        let difference: f32 = (loss - want_loss.clone()).into_scalar();
        assert!(
            difference.abs() < 1e-6,
            "chunks of {chunk_size}: {difference}"
        );
    }
}

#[test]
fn running_statistics_move_once_a_chunk_and_not_in_the_rehearsal() {
    let (trainer_of_one, config, batches) = recorded("tiny-resnet", true);
    let chunked = Optimization {
        chunk_size: Some(4),
        ..optimizer(10, 3)
    };
    let run = run_of(chunked, Loss::Softmax, Freeze::default());
    let trainer = trainer_of(trainer_of_one.model().clone(), &config, run);
    let name = "visual.bn1.running_mean";
    let before: Vec<f32> = tensors(trainer.model())[name].values().to_vec();
    // The statistics of each half, by a step of its own from the same start.
    let _ = gradients(&trainer, &batches[0]);
    let after: Vec<f32> = tensors(trainer.model())[name].values().to_vec();
    // Each of two chunks keeps nine tenths: with a rehearsal that moved them it would be four.
    let kept = |times: i32| 0.9f32.powi(times);
    let pixels = &batches[0].pixels;
    assert_eq!(pixels.len(), 8);
    let moved: f32 = before.iter().zip(&after).map(|(b, a)| (a - b).abs()).sum();
    assert!(moved > 0.0, "the statistics moved");
    // With pictures of one colour a channel's mean is a constant `m`: after = kept² before + (1 −
    // kept²) m.
    let constant = vec![0.5f32; pixels.as_slice().len()];
    let constant = Batch {
        pixels: diptych::image::Pixels::of_size(pixels.size(), constant).unwrap(),
        ..recorded("tiny-resnet", true).2.remove(0)
    };
    let read = || -> Vec<f32> { tensors(trainer.model())[name].values().to_vec() };
    let first = read();
    let _ = gradients(&trainer, &constant);
    let second = read();
    let _ = gradients(&trainer, &constant);
    let third = read();
    for i in 0..first.len() {
        let (one, two) = (second[i] - first[i], third[i] - second[i]);
        if one.abs() > 1e-3 {
            let ratio = two / one;
            assert!((ratio - kept(2)).abs() < 1e-2, "channel {i}: {ratio}");
        }
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let whole = || recorded("tiny-vit", true).2.remove(0);
    let mut trainer = trainer(&config("vit"), optimizer(10, 3), Freeze::default());
    let mut check = |batch: Batch, wanted: &str| {
        let message = trainer.step(&batch, 0).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    let fewer = Batch {
        positives: Positives::new(7, |_, _| Relation::Negative),
        ..whole()
    };
    check(fewer, "8 pictures, 8 texts and relations of 7 pairs");
    let larger = Batch {
        pixels: recorded("tiny-resnet", true).2.remove(0).pixels,
        ..whole()
    };
    check(larger, "wanted pictures of 16×16");
}

#[test]
fn gradients_are_clipped_by_their_common_norm() {
    let batch = &recorded("tiny-vit", true).2[0];
    let trainer = trainer(&config("vit"), optimizer(10, 3), Freeze::default());
    let mut gradients = gradients(&trainer, batch).named;
    let norm = gradients.norm();
    gradients.clip(norm, f64::from(norm) * 2.0);
    assert!(
        (gradients.norm() / norm - 1.0).abs() < 1e-6,
        "below the limit, they stay"
    );
    gradients.clip(norm, 0.25);
    assert!((gradients.norm() - 0.25).abs() < 1e-5);
}

#[test]
fn averages_follow_the_parameters() {
    let (_, _, batches) = recorded("tiny-vit", true);
    let averaging = Optimization {
        ema: Some(0.75),
        ..optimizer(10, 0)
    };
    let mut trainer = trainer(&config("vit"), averaging, Freeze::default());
    let name = "text_projection";
    let read = |model: &ClipModel| -> Vec<f32> { tensors(model)[name].values().to_vec() };
    let mut want = read(trainer.model());
    for (i, batch) in batches.iter().take(3).enumerate() {
        trainer.step(batch, i).unwrap();
        let now = read(trainer.model());
        want.iter_mut()
            .zip(now)
            .for_each(|(w, n)| *w = 0.75 * *w + 0.25 * n);
    }
    let averaged = trainer.averaged();
    assert!(max_difference(&read(&averaged), &want) < 1e-6);
    assert!(
        max_difference(&read(trainer.model()), &want) > 1e-5,
        "they differ"
    );
}

#[test]
fn an_average_of_temperatures_is_bounded_as_the_temperature_is() {
    let (_, _, batches) = recorded("tiny-vit", true);
    let mut config = config("vit");
    config.init_logit_scale = Some(6.0); // e⁶ = 403; CLIP's bound is 100
    let averaging = Optimization {
        ema: Some(0.5),
        ..optimizer(10, 0)
    };
    let mut trainer = trainer(&config, averaging, Freeze::default());
    trainer.step(&batches[0], 0).unwrap();
    let scale = |model: &ClipModel| model.logit_scale().into_scalar::<f32>();
    assert!((scale(trainer.model()) - 100.0).abs() < 1e-3);
    let averaged = trainer.averaged();
    assert!(
        (scale(&averaged) - 100.0).abs() < 1e-3,
        "{}",
        scale(&averaged)
    );
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns() {
    let (_, _, batches) = recorded("tiny-vit", true);
    for (kind, image, chunk_size) in [
        ("vit", Frozen::All, None),
        ("vit", Frozen::All, Some(3)),
        ("vit", Frozen::First(1), Some(3)),
    ] {
        let freeze = Freeze {
            image,
            text: Frozen::First(1),
        };
        let options = Optimization {
            chunk_size,
            weight_decay: 0.2,
            ..optimizer(10, 0)
        };
        let mut trainer = trainer(&config(kind), options, freeze);
        let before = tensors(trainer.model());
        for (i, batch) in batches.iter().take(2).enumerate() {
            trainer.step(batch, i).unwrap();
        }
        for (name, after) in tensors(trainer.model()) {
            let same = before[&name] == after;
            assert_eq!(same, freeze.holds(&name), "{image:?}: {name}");
        }
    }
}

#[test]
fn the_sigmoid_loss_learns_its_bias() {
    let (_, _, batches) = recorded("tiny-vit", true);
    let mut config = config("vit");
    config.init_logit_scale = Some(10f32.ln());
    config.init_logit_bias = Some(-10.0);
    let run = run_of(optimizer(30, 0), Loss::Sigmoid, Freeze::default());
    let mut trainer = trainer_of(fresh(&config, Freeze::default()), &config, run);
    let losses: Vec<f32> = (0..30)
        .map(|i| trainer.step(&batches[0], i).unwrap().loss)
        .collect();
    assert!(
        losses[29] < 0.7 * losses[0],
        "{} to {}",
        losses[0],
        losses[29]
    );
    let bias: f32 = trainer.model().logit_bias().unwrap().into_scalar();
    assert!(bias != -10.0 && bias.is_finite());
}

#[test]
fn muon_learns_what_adamw_learns_and_keeps_no_squares_of_matrices() {
    let (trainer, config, batches) = recorded("tiny-resnet", true);
    let options = Optimization {
        algorithm: Algorithm::Muon,
        ..optimizer(30, 3)
    };
    let model = trainer.model().clone();
    let run = run_of(options, Loss::Softmax, Freeze::default());
    let mut trainer = trainer_of(model, &config, run);
    let losses: Vec<f32> = (0..30)
        .map(|i| trainer.step(&batches[0], i).unwrap().loss)
        .collect();
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    let state: BTreeMap<_, _> = trainer.optimizer().state().into_iter().collect();
    let has = |name: &str, moment: &str| state.contains_key(&format!("{name}.{moment}"));
    let matrix = "visual.layer1.0.conv2.weight";
    assert!(has(matrix, "momentum_buffer") && !has(matrix, "exp_avg_sq"));
    let embedding = "token_embedding.weight";
    assert!(has(embedding, "exp_avg") && has(embedding, "exp_avg_sq"));
}
