//! Exits and gradients against open_clip's and PyTorch's (`parity/exits.py`; versions beside the
//! golden files).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{self, Device, Tensor};
use diptych_testing::{Golden, folder, max_difference};

use super::Clip;
use crate::Precision;
use crate::device::tested;
use crate::image::{Pixels, Size};
use crate::layers::{Phase, plain_values};
use crate::model::Alive;
use crate::model::{
    BuildOptions, ClipConfig, ClipModel, DenseForm, Finish, Freeze, ImageExit, TextExit,
};
use crate::text::Tokens;

/// Both pairs of towers of a golden checkpoint.
fn both(name: &str) -> [Clip; 2] {
    [
        Clip::open_in(folder(name), Precision::F32).unwrap(),
        Clip::open_differentiable(folder(name), &tested()).unwrap(),
    ]
}

fn pixels(golden: &Golden, name: &str) -> Pixels {
    let (shape, values) = golden.tensor(name);
    let size = Size {
        height: shape[2],
        width: shape[3],
    };
    let values = values.into_iter().map(|value| value as f32).collect();
    Pixels::of_size(size, values).unwrap()
}

/// Holds rows of `channels` features to the reference's, both of length 1.
#[track_caller]
fn close(channels: usize, got: &[f32], want: &[f32], what: &str) {
    let unit = |features: &[f32]| -> Vec<f32> {
        let rows = features.chunks_exact(channels);
        let unit = rows.flat_map(|row| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter().map(move |x| x / length)
        });
        unit.collect()
    };
    let off = max_difference(&unit(got), &unit(want));
    assert!(off < 1e-5, "{what}: {off}");
}

#[test]
fn exits_are_open_clips() {
    for name in ["tiny-vit", "tiny-resnet"] {
        let golden = Golden::open("exits", &format!("{name}.safetensors"));
        let mut compared = BTreeSet::new();
        for clip in both(name) {
            for (pixels_name, prefix) in [("pixels", ""), ("wide", "wide.")] {
                let pixels = pixels(&golden, pixels_name);
                let exits = ImageExit::all(clip.config(), pixels.size());
                for (exit, maps) in exits.iter().zip(clip.image_exits(&pixels, &exits).unwrap()) {
                    let key = format!("{prefix}{exit}");
                    let (shape, _) = golden.tensor(&key);
                    let got = [pixels.len(), maps.positions(), maps.channels];
                    assert_eq!(shape, got, "{name}: {key}");
                    close(maps.channels, &maps.values, &golden.f32(&key), &key);
                    compared.insert(key);
                }
            }
        }
        // All that open_clip has, too.
        let is_exit = |key: &String| {
            let key = key.trim_start_matches("wide.");
            let others = ["pixels", "wide", "ids", "direction", "gradient"];
            !others.contains(&key) && !key.starts_with("text.")
        };
        let known: BTreeSet<String> = golden.names().into_iter().filter(is_exit).collect();
        assert_eq!(compared, known, "{name}");
    }
}

#[test]
fn tokens_of_texts_are_open_clips() {
    for name in ["tiny-vit", "tiny-resnet"] {
        let golden = Golden::open("exits", &format!("{name}.safetensors"));
        for clip in both(name) {
            let l = clip.config().text_cfg.context_length;
            let rows = golden.ids("ids", l);
            let tokens = Tokens::from_rows(&rows, l).unwrap();
            let last = clip.config().text_cfg.layers - 1;
            for after in 0..=last {
                for (_, finish) in Finish::NAMES {
                    let exit = TextExit { after, finish };
                    let key = exit.to_string();
                    if finish == Finish::Project && after != last {
                        continue;
                    }
                    let got = clip.text_exit(&tokens, exit).unwrap();
                    assert_eq!(
                        (got.length, got.values.len()),
                        (l, rows.len() * l * got.channels)
                    );
                    let want = golden.f32(&key);
                    for (i, row) in rows.iter().enumerate() {
                        let text = |values: &[f32]| {
                            values[i * l * got.channels..][..row.len() * got.channels].to_vec()
                        };
                        close(got.channels, &text(&got.values), &text(&want), &key);
                        let after_end = &got.values[(i * l + row.len()) * got.channels..]
                            [..(l - row.len()) * got.channels];
                        assert!(after_end.iter().all(|value| *value == 0.0));
                    }
                }
            }
        }
    }
}

/// The gradient of `Σ direction · features` to pixels, and that sum.
fn gradient(model: &ClipModel, pixels: &Pixels, direction: &[f32]) -> (f32, Vec<f32>) {
    let device = tested().autodiff();
    let Size { height, width } = pixels.size();
    let shape = [pixels.len(), 3, height, width];
    let values = tensor::TensorData::new(pixels.as_slice().to_vec(), shape);
    let x = Tensor::<4>::from_data(values, &device).require_grad();
    let features = model.image_features(x.clone(), Phase::Infer);
    let direction = tensor::TensorData::new(direction.to_vec(), features.dims());
    let sum = (features * Tensor::from_data(direction, &device)).sum();
    let value = plain_values(sum.clone())[0];
    let gradient = x.grad(&sum.backward()).unwrap();
    (value, plain_values(gradient))
}

#[test]
fn gradients_to_pixels_are_pytorchs() {
    for name in ["tiny-vit", "tiny-resnet"] {
        let golden = Golden::open("exits", &format!("{name}.safetensors"));
        let device = tested().autodiff();
        let clip = Clip::open_differentiable(folder(name), &device).unwrap();
        let pixels = pixels(&golden, "pixels");
        let (_, got) = gradient(clip.towers().unwrap(), &pixels, &golden.f32("direction"));
        let want = golden.f32("gradient");
        let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
        let off: Vec<f32> = got.iter().zip(&want).map(|(a, b)| a - b).collect();
        let relative = norm(&off) / norm(&want);
        assert!(relative < 1e-5, "{name}: {relative}");
    }
}

#[test]
fn gradients_to_pixels_are_finite_differences() {
    for json in [
        r#"{"embed_dim":8,"vision_cfg":{"image_size":12,"layers":2,"width":16,"head_width":8,"patch_size":4},
            "text_cfg":{"context_length":8,"vocab_size":600,"width":8,"heads":1,"layers":1}}"#,
        r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":[1,1,1,1],"width":4,"head_width":16},
            "text_cfg":{"context_length":8,"vocab_size":600,"width":8,"heads":1,"layers":1}}"#,
    ] {
        let config = ClipConfig::from_json("c.json", serde_json::from_str(json).unwrap()).unwrap();
        let model = frozen(&config);
        let size = config.vision_cfg.size();
        let at = |shift: f32, way: usize| {
            let value = |i: usize| ((i * 7919 % 101) as f32 / 50.0 - 1.0) + shift * along(way, i);
            Pixels::of_size(size, (0..size.values()).map(value).collect()).unwrap()
        };
        let direction: Vec<f32> = (0..8).map(|i| (i as f32 - 3.0) / 4.0).collect();
        let (_, gradient_at) = gradient(&model, &at(0.0, 0), &direction);
        for way in 0..4 {
            const STEP: f32 = 2e-3;
            let [above, below] =
                [STEP, -STEP].map(|shift| gradient(&model, &at(shift, way), &direction).0);
            let difference = (above - below) / (2.0 * STEP);
            let steps = gradient_at.iter().enumerate();
            let slope: f32 = steps.map(|(i, g)| g * along(way, i)).sum();
            let off = (difference - slope).abs() / slope.abs().max(0.1);
            assert!(off < 2e-2, "{json}: {difference} by differences, {slope}");
        }
    }
}

/// The `way`-th direction in which pixels are moved: signs.
fn along(way: usize, i: usize) -> f32 {
    if (i * 31 + way * 17) % 7 < 3 {
        1.0
    } else {
        -1.0
    }
}

/// A model of which nothing is trained, on a device with gradients.
fn frozen(config: &ClipConfig) -> ClipModel {
    let options = BuildOptions {
        freeze: Freeze::ALL,
        ..BuildOptions::default()
    };
    let device = tested().autodiff();
    ClipModel::build_with(config, &mut Alive::new(config, 5), &device, options).unwrap()
}

#[test]
fn exits_that_a_tower_does_not_have_panic_instead_of_giving_others() {
    for (name, exit) in [
        ("tiny-vit", ImageExit::PoolValues),
        ("tiny-resnet", ImageExit::Dense(DenseForm::CLEAR_CLIP)),
        (
            "tiny-resnet",
            ImageExit::After {
                index: 4,
                finish: Finish::Norm,
            },
        ),
    ] {
        let clip = Clip::open_differentiable(folder(name), &Device::flex()).unwrap();
        let size = clip.config().vision_cfg.size();
        exit.check(clip.config(), size).unwrap_err();
        let pixels = Tensor::zeros([1, 3, size.height, size.width], &Device::flex());
        let towers = clip.towers().unwrap();
        let features = || towers.image_exits(pixels, &[exit]);
        catch_unwind(AssertUnwindSafe(features)).unwrap_err();
    }
}
