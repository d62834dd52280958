//! Damaged and malicious bytes: a picture or a clear error, never a panic, never much memory.

use super::{Random, foreign_file, golden_file, lenient_file};
use crate::image::decode::WANTED;
use crate::image::{Decode, DecodeOptions, ImageError, Picture, Preprocess};

/// Files of every format and coding; together they reach every decoder's branches.
const FILES: &[&str] = &[
    "L-q50.jpg",
    "420-q95.jpg",
    "422-progressive-q50.jpg",
    "CMYK-q95.jpg",
    "RGBA.png",
    "P4-adam7.png",
    "RGB16.png",
    "apng.png",
    "lossy-RGB.webp",
    "lossy-RGBA.webp",
    "lossless-RGBA.webp",
    "animated.webp",
    "P.gif",
    "interlaced.gif",
    "offset-transparent.gif",
    "24.bmp",
    "rle8.bmp",
    "565.bmp",
    "P4.bmp",
    "RGB-predictor.tif",
    "P-packbits.tif",
    "CMYK-tiff_lzw.tif",
    "RGBA-tiff_adobe_deflate.tif",
    "L-raw.tif",
];

/// The same of other programs' files.
const FOREIGN: &[&str] = &[
    "rle4-padded.bmp",
    "1555.bmp",
    "rgb-planar-tiles.tif",
    "rgb-planar-tiles-deflate.tif",
    "p-alpha-planar.tif",
    "rgbx-deflate.tif",
    "lossy-part-blend.webp",
    "lossless-part-copy.webp",
];

/// And those of rare kinds, or damaged already.
const LENIENT: &[&str] = &[
    "baseline-420-2-flip0.jpg",
    "progressive-L-0-flip0.jpg",
    "ycck-subsampled.jpg",
    "bilevel-group3-2d.tif",
    "bilevel-group4.tif",
    "bilevel-tiff_ccitt.tif",
    "rgb-jpeg-ycbcr.tif",
    "rgb-zstd.tif",
    "rgb-lzma.tif",
    "old-lzw.tif",
    "old-jpeg-420.tif",
    "ycc-42.tif",
    "bigtiff.tif",
    "float-predicted.tif",
    "bare-palette.dib",
    "unknown-block.gif",
];

/// Name and bytes of all.
fn files() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let own = FILES.iter().map(|name| (*name, golden_file(name)));
    let foreign = FOREIGN.iter().map(|name| (*name, foreign_file(name)));
    let lenient = LENIENT.iter().map(|name| (*name, lenient_file(name)));
    own.chain(foreign).chain(lenient)
}

/// Small pictures only, so that damage to a size can't cost seconds.
fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
    Picture::decode(
        bytes,
        &DecodeOptions {
            max_megapixels: 1,
            ..DecodeOptions::default()
        },
    )
}

/// An error must say something, and not that a decoder panicked.
fn assert_told(error: &ImageError) {
    let sentence = error.to_string();
    assert!(
        !sentence.trim().is_empty() && !sentence.contains("gave up"),
        "{sentence}"
    );
}

/// Decodes whole and at each smaller scale.
fn check(bytes: &[u8]) -> bool {
    for size in [1, 2, 4] {
        let options = DecodeOptions {
            max_megapixels: 1,
            decode: Decode::Fast,
            ..DecodeOptions::default()
        };
        if let Err(error) = Preprocess::openai(size).load_bytes(bytes, &options) {
            assert_told(&error);
        }
    }
    match decode(bytes) {
        Ok(picture) => picture.width() > 0,
        Err(error) => {
            assert_told(&error);
            false
        }
    }
}

#[test]
fn truncated_files_give_an_error() {
    for (name, bytes) in files() {
        let mut random = Random(3);
        for _ in 0..1000 {
            check(&bytes[..random.below(bytes.len())]);
        }
        // Half a file has lost pixels for certain.
        let half = &bytes[..bytes.len() / 2];
        assert!(!check(half), "half of {name} was accepted");
        let fast = DecodeOptions {
            decode: Decode::Fast,
            ..DecodeOptions::default()
        };
        let fast = Preprocess::openai(1).load_bytes(half, &fast);
        assert!(fast.is_err(), "half of {name} was accepted in a hurry");
    }
}

#[test]
fn flipped_bits_never_panic() {
    for (_, bytes) in files() {
        let mut random = Random(4);
        for _ in 0..1000 {
            let mut copy = bytes.clone();
            for _ in 0..1 + random.below(8) {
                copy[random.below(bytes.len())] ^= 1 << random.below(8);
            }
            check(&copy);
        }
    }
}

#[test]
fn noise_behind_a_magic_number_never_panics() {
    let starts: [&[u8]; 7] = [
        b"BM",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"II*\0",
        b"MM\0*",
        b"RIFF\0\x02\0\0WEBPVP8 ",
    ];
    let mut random = Random(5);
    for start in starts {
        for _ in 0..500 {
            let length = random.below(600);
            check(&[start, &random.bytes(length)].concat());
        }
    }
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A PNG header of 50,000 × 50,000 with its correct checksum, and nothing behind it.
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50\x08\x02\0\0\0".to_vec();
    png.extend(crc32(&png[12..]).to_be_bytes());
    let error = Picture::decode(&png, &DecodeOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PNG of 50000×50000 has more than the 200 megapixels allowed"
    );

    let mut bmp = golden_file("24.bmp");
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(decode(&bmp), Err(ImageError::TooLarge { .. })));

    let mut gif = golden_file("P.gif");
    gif[6..10].fill(0xff);
    assert!(matches!(decode(&gif), Err(ImageError::TooLarge { .. })));
}

#[test]
fn files_that_are_no_pictures_say_what_they_begin_with() {
    let message = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert_eq!(message(b""), "the picture has no bytes");
    assert_eq!(
        message(b"Dear diary"),
        format!("not a picture: it begins with `Dear dia`, but {WANTED} is wanted")
    );
    assert!(message(b"BM").starts_with("damaged BMP"));
}

/// The checksum of PNG, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}
