//! Every exit, at the tower's size and at others.

use super::*;
use crate::image::Size;
use crate::model::{DenseForm, Finish, ImageExit, Layers, TextExit};

fn pixels(n: usize, size: Size) -> Pixels {
    let mut next = numbers(1000, 1);
    let values = (0..n * size.values()).map(|_| next() as f32 / 500.0 - 1.0);
    Pixels::of_size(size, values.collect()).unwrap()
}

#[test]
fn every_exit_of_an_image_tower_is_that_of_the_tower_that_training_uses() {
    for json in CONFIGS {
        let config = config(json);
        let mut source = Alive::new(&config, 5);
        let model = ClipModel::build(&config, &mut source, &Device::flex()).unwrap();
        let engine = engine(&config);
        let side = config.vision_cfg.image_size;
        let other = match config.vision_cfg.layers {
            Layers::Vit(_) => [side + 17, side - side / 4],
            Layers::ResNet(_) => [side + 32, side - 32],
        };
        for [height, width] in [[side; 2], other, [other[1], other[0]]] {
            let pixels = pixels(3, Size { height, width });
            let exits = ImageExit::all(&config, pixels.size());
            assert!(exits.len() >= 7, "{exits:?}");
            let got = engine.image_exits(&pixels, &exits).unwrap();
            let want = model.image_exits_of(&pixels, &exits);
            for ((exit, got), want) in exits.iter().zip(got).zip(want) {
                let shape = exit.shape(&config, pixels.size()).unwrap();
                let positions = shape.prefix + shape.grid.len();
                assert_eq!(got.len(), 3 * positions * shape.channels, "{exit}");
                same(shape.channels, got.clone(), want);
                // Alone, too.
                let alone = engine.image_exits(&pixels, &[*exit]).unwrap();
                assert_eq!(alone[0], got, "{exit}");
                if *exit == ImageExit::Pooled && height == side && width == side {
                    assert_eq!(got, engine.image_features(&pixels).unwrap());
                }
            }
        }
    }
}

#[test]
fn every_token_of_a_text_is_that_of_the_tower_that_training_uses() {
    for json in CONFIGS {
        let config = config(json);
        let mut source = Alive::new(&config, 5);
        let model = ClipModel::build(&config, &mut source, &Device::flex()).unwrap();
        let engine = engine(&config);
        let tokens = texts(&config, 40);
        for after in 0..config.text_cfg.layers {
            for (_, finish) in Finish::NAMES {
                let exit = TextExit { after, finish };
                let channels = exit.channels(&config).unwrap();
                let got = engine.text_exit(&tokens, exit, channels).unwrap();
                let want = model.text_exit_of(&tokens, exit, channels);
                assert_eq!(got.len(), tokens.len() * tokens.context_length() * channels);
                for (got, want) in got.chunks_exact(channels).zip(want.chunks_exact(channels)) {
                    // Features after a text's end are 0 in both.
                    if want.iter().any(|value| *value != 0.0) {
                        same(channels, got.to_vec(), want.to_vec());
                    } else {
                        assert_eq!(got, want);
                    }
                }
            }
        }
        let last = TextExit {
            after: config.text_cfg.layers - 1,
            finish: Finish::Project,
        };
        let dim = config.embed_dim;
        let all = engine.text_exit(&tokens, last, dim).unwrap();
        let ends = tokens
            .rows()
            .zip(all.chunks_exact(tokens.context_length() * dim));
        let ends = ends.flat_map(|(row, text)| &text[config.reading().end(row) * dim..][..dim]);
        let features = engine.text_features(&tokens).unwrap();
        same(dim, ends.copied().collect(), features);
    }
}

#[test]
fn exits_that_a_tower_does_not_have_are_refused() {
    let shape = |json: &str, exit: ImageExit, height, width| {
        let size = Size { height, width };
        exit.shape(&config(json), size).unwrap_err().to_string()
    };
    let after = |index, finish| ImageExit::After { index, finish };
    let [vit, map, _, resnet] = CONFIGS;
    for (told, words) in [
        (shape(vit, after(3, Finish::None), 34, 34), "blocks 0 to 2"),
        (shape(vit, after(0, Finish::None), 34, 7), "7×34"),
        (shape(vit, ImageExit::PoolValues, 34, 34), "class token"),
        (shape(map, after(2, Finish::Norm), 32, 32), "blocks 0 to 1"),
        (
            shape(resnet, after(5, Finish::None), 64, 64),
            "stages 1 to 4",
        ),
        (
            shape(resnet, after(1, Finish::Norm), 64, 64),
            "no final norm",
        ),
        (
            shape(resnet, after(1, Finish::None), 64, 70),
            "70×64, wanted multiples of 32",
        ),
        (
            shape(resnet, ImageExit::Dense(DenseForm::CLEAR_CLIP), 64, 64),
            "PoolValues",
        ),
    ] {
        assert!(told.contains(words), "{told}");
    }
    let text = TextExit {
        after: 3,
        finish: Finish::None,
    };
    let told = text.channels(&config(vit)).unwrap_err().to_string();
    assert!(told.contains("blocks 0 to 2"), "{told}");
}
