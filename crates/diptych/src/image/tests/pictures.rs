//! Pictures, their edits, shapes and batches.

use super::{golden_file, golden_folder};
use crate::image::{
    DecodeOptions, Format, ImageError, Interpolation, Mode, Picture, Pixels, Preprocess, ResizeMode,
};

fn open(name: &str) -> Picture {
    Picture::open(golden_folder().join(name), &DecodeOptions::default()).unwrap()
}

#[test]
fn files_keep_their_own_mode() {
    for (name, mode) in [
        ("L1.png", Mode::Bilevel),
        ("L2.png", Mode::Grey),
        ("L16.png", Mode::Grey),
        ("LA16.png", Mode::GreyAlpha),
        ("P4.png", Mode::Palette),
        ("RGB-trns.png", Mode::Rgb),
        ("RGBA.png", Mode::Rgba),
        ("L.gif", Mode::Grey),
        ("P.gif", Mode::Palette),
        ("1.bmp", Mode::Bilevel),
        ("L.bmp", Mode::Grey),
        ("P1.bmp", Mode::Palette),
        ("P-packbits.tif", Mode::Palette),
        ("CMYK-tiff_lzw.tif", Mode::Cmyk),
        ("CMYK-q95.jpg", Mode::Cmyk),
        ("L-q50.jpg", Mode::Grey),
        ("lossless-RGBA.webp", Mode::Rgba),
    ] {
        assert_eq!(open(name).mode(), mode, "{name}");
    }
}

#[test]
fn sixteen_bit_grey_is_scaled_not_clipped() {
    let picture = open("L16.png");
    let (low, high) = (
        picture.as_bytes().iter().min(),
        picture.as_bytes().iter().max(),
    );
    assert!(
        low < Some(&40) && high > Some(&215) && high < Some(&255),
        "{low:?} to {high:?}"
    );
}

#[test]
fn all_orientations_show_the_same_picture() {
    let upright = [1u8, 2, 3, 4, 5, 6]; // two rows of three
    let stored: [(&[u8], usize); 8] = [
        (&[1, 2, 3, 4, 5, 6], 3),
        (&[3, 2, 1, 6, 5, 4], 3),
        (&[6, 5, 4, 3, 2, 1], 3),
        (&[4, 5, 6, 1, 2, 3], 3),
        (&[1, 4, 2, 5, 3, 6], 2),
        (&[3, 6, 2, 5, 1, 4], 2),
        (&[6, 3, 5, 2, 4, 1], 2),
        (&[4, 1, 5, 2, 6, 3], 2),
    ];
    for (tag, (pixels, width)) in (1..).zip(stored) {
        let picture = Picture::new(width, 6 / width, Mode::Grey, pixels.to_vec()).unwrap();
        let turned = crate::image::orient::Orientation::from_tag(tag).apply(picture);
        assert_eq!(
            (turned.width(), turned.as_bytes()),
            (3, &upright[..]),
            "orientation {tag}"
        );
    }
}

#[test]
fn crop_and_flip_move_whole_pixels() {
    let mut picture = Picture::from_rgb(3, 2, (0..18).collect()).unwrap();
    assert_eq!(
        picture.crop(1, 1, 2, 1).unwrap().as_bytes(),
        [12, 13, 14, 15, 16, 17]
    );
    let error = picture.crop(2, 0, 2, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a crop of 2×1 at (2, 0) does not lie in a picture of 3×2"
    );
    picture.flip_horizontal();
    assert_eq!(picture.as_bytes()[..9], [6, 7, 8, 3, 4, 5, 0, 1, 2]);
}

#[test]
fn a_strip_of_a_million_pixels_needs_no_huge_picture_in_between() {
    let strip = Picture::from_rgb(1, 1_000_000, vec![9; 3_000_000]).unwrap();
    for resize_mode in [
        ResizeMode::Shortest,
        ResizeMode::Longest,
        ResizeMode::Squash,
    ] {
        let preprocess = Preprocess {
            resize_mode,
            ..Preprocess::openai(32)
        };
        assert_eq!(preprocess.apply(&strip).len(), 1);
    }
}

#[test]
fn longest_pads_with_the_fill() {
    let white = Picture::from_rgb(4, 2, vec![255; 24]).unwrap();
    let preprocess = Preprocess {
        resize_mode: ResizeMode::Longest,
        fill: 7,
        ..Preprocess::openai(4)
    };
    let square = preprocess.square(&white);
    let rows: Vec<u8> = square
        .as_bytes()
        .chunks_exact(12)
        .map(|row| row[0])
        .collect();
    assert_eq!(rows, [7, 255, 255, 7]);
}

#[test]
fn a_file_is_loaded_as_its_picture_is_prepared_or_its_error_names_it() {
    let preprocess = Preprocess::openai(32);
    let load = |name: &str| preprocess.load(golden_folder().join(name), &DecodeOptions::default());
    for name in ["RGB.png", "444-q95.jpg"] {
        assert_eq!(load(name).unwrap(), preprocess.apply(&open(name)));
    }
    let missing = load("missing.png").unwrap_err();
    assert!(matches!(missing, ImageError::Read(_)) && missing.to_string().contains("missing.png"));
    let other = load("cases.tsv").unwrap_err();
    assert!(matches!(other, ImageError::File { path, .. } if path.ends_with("cases.tsv")));
}

#[test]
fn pixels_are_checked_and_joined() {
    assert_eq!(
        Pixels::from_vec(2, vec![0.0; 13]).unwrap_err().to_string(),
        "pixels has 13 values, but [N, 3, 2, 2] needs 24"
    );
    let one = Pixels::from_vec(2, (0..12).map(|v| v as f32).collect()).unwrap();
    let two = Pixels::concat(2, [&one, &one]).unwrap();
    assert_eq!(
        (two.len(), two.size().width, two.as_slice()[12]),
        (2, 2, 0.0)
    );
    assert!(two.iter().all(|picture| picture == one.as_slice()));
    assert!(matches!(
        Pixels::empty(3).push(&one),
        Err(ImageError::Size {
            got: crate::image::Size { width: 2, .. },
            want: crate::image::Size { width: 3, .. }
        })
    ));
}

#[test]
fn resizing_to_its_own_size_changes_nothing() {
    let picture = open("RGBA.png");
    assert_eq!(
        picture.resize(picture.width(), picture.height(), Interpolation::Bicubic),
        picture
    );
}

#[test]
fn formats_are_known_by_their_bytes() {
    for (name, format) in [
        ("RGB.png", Format::Png),
        ("P.gif", Format::Gif),
        ("animated.webp", Format::WebP),
    ] {
        assert_eq!(Format::of(&golden_file(name)), Some(format));
    }
    assert_eq!(Format::of(b"II"), None);
}
