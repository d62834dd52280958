//! Exits and gradients against open_clip's and PyTorch's (`parity/exits.py`; versions beside the golden files).

use burn::tensor::{self, Tensor};
use diptych_testing::{Golden, folder, max_difference};

use super::Clip;
use crate::Precision;
use crate::device::tested;
use crate::image::{Pixels, Size};
use crate::layers::{Phase, plain_values};
use crate::model::{
    BuildOptions, ClipConfig, ClipModel, DenseForm, Finish, Freeze, Fresh, Frozen, ImageExit,
    TextExit,
};
use crate::text::Tokens;

const FINISHES: [(&str, Finish); 3] = [
    ("none", Finish::None),
    ("norm", Finish::Norm),
    ("project", Finish::Project),
];

/// Every exit by the name that the golden files have for it.
fn image_exits() -> Vec<(String, ImageExit)> {
    let after = |index: usize| {
        FINISHES.map(|(name, finish)| {
            let exit = ImageExit::After { index, finish };
            (format!("after.{index}.{name}"), exit)
        })
    };
    let named = [
        ("mask_clip", ImageExit::Dense(DenseForm::MASK_CLIP)),
        ("sclip", ImageExit::Dense(DenseForm::SCLIP)),
        ("clear_clip", ImageExit::Dense(DenseForm::CLEAR_CLIP)),
        ("na_clip", ImageExit::Dense(DenseForm::NA_CLIP)),
        ("values_alone", ImageExit::Dense(DenseForm::VALUES_ALONE)),
        ("pooled", ImageExit::Pooled),
        ("pool_values", ImageExit::PoolValues),
    ];
    let named = named.map(|(name, exit)| (name.to_owned(), exit));
    (0..5).flat_map(after).chain(named).collect()
}

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
        let known = golden.names();
        let mut compared = 0;
        for clip in both(name) {
            for (pixels_name, prefix) in [("pixels", ""), ("wide", "wide.")] {
                let pixels = pixels(&golden, pixels_name);
                for (exit_name, exit) in image_exits() {
                    let key = format!("{prefix}{exit_name}");
                    let maps = clip.image_exits(&pixels, &[exit]);
                    assert_eq!(maps.is_ok(), known.contains(&key), "{name}: {key}");
                    let Ok(maps) = maps else { continue };
                    let (shape, _) = golden.tensor(&key);
                    assert_eq!(
                        shape,
                        [pixels.len(), maps[0].positions(), maps[0].channels],
                        "{name}: {key}"
                    );
                    close(maps[0].channels, &maps[0].values, &golden.f32(&key), &key);
                    compared += 1;
                }
            }
        }
        assert_eq!(
            compared,
            2 * known
                .iter()
                .filter(|key| image_exits()
                    .iter()
                    .any(|(name, _)| key.trim_start_matches("wide.") == name))
                .count()
        );
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
                for (finish_name, finish) in FINISHES {
                    let key = format!("text.{after}.{finish_name}");
                    if finish == Finish::Project && after != last {
                        continue;
                    }
                    let got = clip.text_exit(&tokens, TextExit { after, finish }).unwrap();
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
        freeze: Freeze {
            image: Frozen::All,
            text: Frozen::All,
        },
        ..BuildOptions::default()
    };
    let device = tested().autodiff();
    ClipModel::build_with(config, &mut Fresh::new(config, 5), &device, options).unwrap()
}
