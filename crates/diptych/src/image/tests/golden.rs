//! The numbers of Pillow, torchvision and open_clip, kept as files.

use super::{foreign_file, golden_file, golden_folder};
use crate::image::{DecodeOptions, Interpolation, Mode, Order, Picture, Preprocess, ResizeMode};

/// Runs every line of `cases.tsv`; `expected.rgb` holds `[S, S, 3]` for each.
#[test]
fn pixels_match_open_clip() {
    let cases = String::from_utf8(golden_file("cases.tsv")).unwrap();
    let expected = golden_file("expected.rgb");
    let mut expected = expected.as_slice();
    for line in cases.lines().skip(1) {
        let [file, order, interpolation, resize_mode, size, orient, lossy] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let preprocess = Preprocess {
            order: if order == "native" {
                Order::Native
            } else {
                Order::RgbFirst
            },
            interpolation: if interpolation == "bicubic" {
                Interpolation::Bicubic
            } else {
                Interpolation::Bilinear
            },
            resize_mode: match resize_mode {
                "shortest" => ResizeMode::Shortest,
                "longest" => ResizeMode::Longest,
                _ => ResizeMode::Squash,
            },
            ..Preprocess::openai(size.parse().unwrap())
        };
        let options = DecodeOptions {
            orient: orient == "true",
            ..DecodeOptions::default()
        };
        let picture = Picture::open(golden_folder().join(file), &options).unwrap();
        let got = preprocess.square(&picture).into_bytes();
        let want = expected.split_off(..got.len()).unwrap();
        let worst = got
            .iter()
            .zip(want)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        // The JPEG decoder follows libjpeg-turbo to the bit; the tolerance allows for another one.
        let allowed = if lossy == "true" { 1 } else { 0 };
        assert!(worst <= allowed, "{line}: differs by {worst}");
    }
    assert!(expected.is_empty(), "more expected pixels than cases");
}

/// A ramp of all levels, normalised by torchvision.
#[test]
fn normalisation_matches_torch() {
    let ramp: Vec<u8> = (0..=255u8).flat_map(|v| [v; 3]).collect();
    let pixels = Preprocess::openai(16).apply(&Picture::from_rgb(16, 16, ramp).unwrap());
    let bytes: Vec<u8> = pixels
        .as_slice()
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert_eq!(bytes, golden_file("normalised.f32"));
}

/// Runs every line of `cases.tsv`; `expected.raw` holds the pixels of each, in the mode that is
/// given.
#[test]
fn files_that_pillow_does_not_write_are_read_as_pillow_reads_them() {
    let cases = String::from_utf8(foreign_file("cases.tsv")).unwrap();
    let expected = foreign_file("expected.raw");
    let mut expected = expected.as_slice();
    for line in cases.lines().skip(1) {
        let [file, mode, width, height, lossy] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let picture = Picture::decode(&foreign_file(file), &DecodeOptions::default());
        let picture = picture.unwrap_or_else(|error| panic!("{file}: {error}"));
        let (mode, picture) = match mode {
            "L" => (Mode::Grey, picture),
            "LA" => (Mode::GreyAlpha, picture),
            "RGB" => (Mode::Rgb, picture),
            "RGBA" => (Mode::Rgba, picture),
            "CMYK" => (Mode::Cmyk, picture),
            _ => {
                assert_eq!(picture.mode(), Mode::Palette, "{file}");
                (Mode::Rgb, picture.to_rgb())
            }
        };
        let size = [picture.width(), picture.height()].map(|side| side.to_string());
        assert_eq!(
            (picture.mode(), size.join("\t")),
            (mode, format!("{width}\t{height}")),
            "{file}"
        );
        let want = expected.split_off(..picture.as_bytes().len()).unwrap();
        let off = picture
            .as_bytes()
            .iter()
            .zip(want)
            .map(|(a, b)| a.abs_diff(*b));
        let allowed = if lossy == "true" { 1 } else { 0 };
        assert!(
            off.clone().all(|by| by <= allowed),
            "{file}: differs by {:?}",
            off.max()
        );
    }
    assert!(expected.is_empty(), "more expected pixels than cases");
}
