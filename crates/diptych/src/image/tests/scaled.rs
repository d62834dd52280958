//! JPEGs decoded at a half, a quarter and an eighth.

use std::collections::HashMap;

use libjpeg_turbo_rs::{ColorSpace, Decoder, Encoder, PixelFormat, ScalingFactor, Subsampling};

use super::{Random, golden_file, golden_folder};
use crate::image::decode::{eighth, reduction};
use crate::image::{Decode, DecodeOptions, ImageError, Mode, Picture, Preprocess, ResizeMode};

const FAST: DecodeOptions = DecodeOptions {
    orient: true,
    max_megapixels: 200,
    decode: Decode::Fast,
};

#[test]
fn the_smallest_scale_that_is_large_enough_is_taken() {
    for (full, wanted, want) in [
        ((4000, 3000), (298, 224), 8),
        ((1792, 1792), (224, 224), 8),
        ((1791, 1792), (224, 224), 4),
        ((896, 5000), (224, 224), 4),
        ((895, 5000), (224, 224), 2),
        ((448, 448), (224, 224), 2),
        ((447, 447), (224, 224), 1),
        ((64, 64), (224, 224), 1),
        ((4000, 1), (224, 1), 1),
        ((640, 480), (640, 480), 1),
    ] {
        assert_eq!(reduction(full, wanted), want, "{full:?} for {wanted:?}");
    }
}

/// `drafts.tsv` and `drafts.raw`: what `Image.draft` of Pillow makes of the golden JPEGs.
#[test]
fn scaled_pixels_are_pillows() {
    let list = String::from_utf8(golden_file("drafts.tsv")).unwrap();
    let expected = golden_file("drafts.raw");
    let mut expected = expected.as_slice();
    let mut seen = HashMap::new();
    for line in list.lines().skip(1) {
        let [file, by, width, height, channels] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let by: usize = by.parse().unwrap();
        let [width, height, channels] = [width, height, channels].map(|n| n.parse().unwrap());
        let picture = draft(&golden_file(file), by);
        assert_eq!(
            (picture.width(), picture.height()),
            (width, height),
            "{line}"
        );
        let want: &[u8] = expected.split_off(..width * height * channels).unwrap();
        let worst = picture
            .as_bytes()
            .iter()
            .zip(want)
            .map(|(a, b)| a.abs_diff(*b));
        assert_eq!(worst.max(), Some(0), "{line}");
        *seen.entry(by).or_insert(0) += 1;
    }
    assert!(expected.is_empty() && seen.len() == 3, "{seen:?}");
}

/// The picture at `1 / by` of its size.
fn draft(bytes: &[u8], by: usize) -> Picture {
    let least = |(w, h): (usize, usize)| ((w / by).max(1), (h / by).max(1));
    let decoded = crate::image::decode::decode_at_least(bytes, &FAST, least).unwrap();
    decoded.0.picture
}

/// The oracle of `eighth`.
fn slow_eighth(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(bytes).ok()?;
    let grey = decoder.header().components.len() == 1;
    decoder.set_output_format(if grey {
        PixelFormat::Grayscale
    } else {
        PixelFormat::Rgb
    });
    decoder.set_scale(ScalingFactor::try_new(1, 8).ok()?);
    Some(decoder.decode_image().ok()?.data)
}

/// Waves, noise and flat parts.
fn pattern(random: &mut Random, width: usize, height: usize, channels: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height * channels);
    for i in 0..width * height {
        let (x, y) = (i % width, i / width);
        for c in 0..channels {
            let flat = x * 2 > width && y * 3 > height;
            let noise = if flat { 0 } else { random.below(60) };
            out.push(((x * (3 + c) + y * (5 - c) + noise) % 256) as u8);
        }
    }
    out
}

#[test]
fn an_eighth_is_the_same_without_reading_all() {
    let mut random = Random(6);
    let samplings = [
        Subsampling::S444,
        Subsampling::S422,
        Subsampling::S420,
        Subsampling::S440,
        Subsampling::S411,
        Subsampling::S441,
    ];
    let mut skimmed = 0;
    for case in 0..240 {
        let (width, height) = (1 + random.below(150), 1 + random.below(150));
        let channels = if case % 5 == 0 { 1 } else { 3 };
        let pixels = pattern(&mut random, width, height, channels);
        let format = if channels == 1 {
            PixelFormat::Grayscale
        } else {
            PixelFormat::Rgb
        };
        let sampling = samplings[case % samplings.len()];
        let bytes = Encoder::new(&pixels, width, height, format)
            .quality([30, 75, 92, 100][random.below(4)])
            .subsampling(sampling)
            .progressive(random.below(2) == 1)
            .restart_blocks([0, 1, 5][random.below(3)])
            .encode()
            .unwrap();
        let what = format!("{width}×{height}, {channels} channels, {sampling:?}, case {case}");
        let got = eighth(&bytes, 500);
        skimmed += usize::from(got.is_some());
        assert!(
            got.is_none_or(|got| Some(got) == slow_eighth(&bytes)),
            "{what}"
        );
    }
    assert_eq!(skimmed, 240);
}

#[test]
fn a_damaged_scan_is_the_same_or_left_to_the_decoder() {
    let mut random = Random(7);
    let with_restarts = |blocks| {
        let rgb = Random(blocks).bytes(53 * 47 * 3);
        let encoder = Encoder::new(&rgb, 53, 47, PixelFormat::Rgb).quality(60);
        encoder.restart_blocks(blocks as u16).encode().unwrap()
    };
    let names = ["L-q50.jpg", "420-q95.jpg", "422-q50.jpg", "444-q95.jpg"];
    let files = names.map(|name| (name, golden_file(name))).into_iter();
    for (name, bytes) in files.chain([
        ("restarts", with_restarts(1)),
        ("restarts", with_restarts(5)),
    ]) {
        for _ in 0..2000 {
            let mut copy = bytes.clone();
            for _ in 0..1 + random.below(4) {
                copy[random.below(bytes.len())] ^= 1 << random.below(8);
            }
            copy.truncate(bytes.len() - random.below(2) * random.below(40));
            if let Some(got) = plain(&copy).then(|| eighth(&copy, 500)).flatten() {
                assert!(Some(got) == slow_eighth(&copy), "{name}");
            }
        }
    }
}

/// Whether a header is of the kind that [`eighth`] is asked for: damage may announce anything.
fn plain(bytes: &[u8]) -> bool {
    Decoder::new(bytes).is_ok_and(|decoder| {
        let header = decoder.header();
        let colours = decoder.jpeg_color_space();
        header.width() * header.height() < 1_000_000
            && matches!(colours, ColorSpace::Grayscale | ColorSpace::YCbCr)
    })
}

/// Large files of every kind are shaped as in exact mode, and look alike.
#[test]
fn fast_is_close_to_exact() {
    let mut random = Random(8);
    let smooth = Picture::from_rgb(21, 17, random.bytes(21 * 17 * 3)).unwrap();
    let (width, height) = (517, 389);
    let large = smooth.resize(width, height, crate::image::Interpolation::Bicubic);
    for progressive in [false, true] {
        for exif in [
            None,
            Some(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
        ] {
            let mut encoder = Encoder::new(large.as_bytes(), width, height, PixelFormat::Rgb)
                .quality(95)
                .progressive(progressive);
            if let Some(exif) = exif {
                encoder = encoder.exif_data(exif);
            }
            let bytes = encoder.encode().unwrap();
            for resize_mode in [
                ResizeMode::Shortest,
                ResizeMode::Longest,
                ResizeMode::Squash,
            ] {
                for size in [16, 40, 90] {
                    let preprocess = Preprocess {
                        resize_mode,
                        ..Preprocess::openai(size)
                    };
                    let fast = preprocess.load_bytes(&bytes, &FAST).unwrap();
                    let exact = preprocess
                        .load_bytes(&bytes, &DecodeOptions::default())
                        .unwrap();
                    assert_ne!(fast, exact, "{size} was not scaled");
                    let total: f32 = fast
                        .as_slice()
                        .iter()
                        .zip(exact.as_slice())
                        .map(|(a, b)| (a - b).abs())
                        .sum();
                    let mean = total / fast.as_slice().len() as f32;
                    assert!(mean < 0.15, "{resize_mode:?} {size} {exif:?}: {mean}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_too_large_is_exact() {
    for name in [
        "420-q95.jpg",
        "CMYK-q50.jpg",
        "RGB.png",
        "P.gif",
        "lossy-RGB.webp",
    ] {
        let path = golden_folder().join(name);
        let preprocess = Preprocess::openai(9);
        let exact = preprocess.apply(&Picture::open(&path, &DecodeOptions::default()).unwrap());
        assert_eq!(preprocess.load(&path, &FAST).unwrap(), exact, "{name}");
    }
    // Asked for by itself, a picture is whole.
    let path = golden_folder().join("CMYK-q50.jpg");
    let picture = Picture::open(path, &FAST).unwrap();
    assert_eq!((picture.width(), picture.mode()), (13, Mode::Cmyk));
}

/// The limit is on what is decoded: a sequential file's smaller size, a progressive one's whole,
/// unless an eighth is enough and is read without the rest.
#[test]
fn the_limit_on_pixels_judges_by_what_is_decoded() {
    let (width, height) = (1400, 1000);
    let pixels = Random(9).bytes(width * height * 3);
    let of = |progressive| {
        let encoder = Encoder::new(&pixels, width, height, PixelFormat::Rgb).quality(30);
        encoder.progressive(progressive).encode().unwrap()
    };
    let opens = |bytes: &[u8], size, decode| {
        let options = DecodeOptions {
            max_megapixels: 1,
            decode,
            ..DecodeOptions::default()
        };
        match Preprocess::openai(size).load_bytes(bytes, &options) {
            Ok(_) => true,
            Err(ImageError::TooLarge { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    };
    let (sequential, progressive) = (of(false), of(true));
    for (bytes, size, decode, wanted) in [
        (&sequential, 100, Decode::Exact, false),
        (&sequential, 600, Decode::Fast, false), // no smaller scale is enough
        (&sequential, 400, Decode::Fast, true),
        (&sequential, 100, Decode::Fast, true),
        (&progressive, 400, Decode::Fast, false),
        (&progressive, 100, Decode::Fast, true),
    ] {
        assert_eq!(opens(bytes, size, decode), wanted, "{size} {decode:?}");
    }
}

/// Of a header that announces 65,535 columns and rows an eighth is within the default limit, and is
/// not there.
#[test]
fn the_largest_header_is_told_apart_from_the_largest_picture() {
    let small = Encoder::new(&[128; 64 * 3], 8, 8, PixelFormat::Rgb);
    let mut bytes = small.encode().unwrap();
    let frame = bytes.windows(2).position(|at| at == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xff);
    let fast = Preprocess::openai(1).load_bytes(&bytes, &FAST).unwrap_err();
    assert!(matches!(fast, ImageError::Damaged { .. }), "{fast}");
    let exact = Picture::decode(&bytes, &DecodeOptions::default()).unwrap_err();
    assert_eq!(
        exact.to_string(),
        "JPEG of 65535×65535 has more than the 200 megapixels allowed"
    );
}
