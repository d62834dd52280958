//! Camera RAW: the largest preview is found in every maker's layout, and nothing hostile is
//! believed.

mod build;
mod file;

use std::time::Instant;

use build::{LARGE, SMALL, VERSION_OF_DNG, all, dng, jpeg};
use diptych_testing::{Form, Mutator};
use file::{File, LONG, SHORT};

use super::{Random, golden_folder};
use crate::image::orient::Orientation;
use crate::image::{Decode, DecodeOptions, Format, ImageError, Picture, Preprocess};

fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
    let options = DecodeOptions {
        max_megapixels: 1,
        ..DecodeOptions::default()
    };
    Picture::decode(bytes, &options)
}

fn message(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn the_large_preview_is_found_and_turned() {
    let preview = decode(&jpeg(LARGE, None)).unwrap();
    for (name, bytes, orientation) in all() {
        assert_eq!(Format::of(&bytes), Some(Format::Raw), "{name}");
        let upright = Orientation::from_tag(orientation).apply(preview.clone());
        assert!(decode(&bytes).unwrap() == upright, "{name}");
        let as_stored = DecodeOptions {
            orient: false,
            ..DecodeOptions::default()
        };
        let as_stored = Picture::decode(&bytes, &as_stored).unwrap();
        assert!(as_stored == preview, "{name}");
    }
}

#[test]
fn a_preview_may_be_decoded_smaller() {
    let options = DecodeOptions {
        decode: Decode::Fast,
        orient: false,
        ..DecodeOptions::default()
    };
    let pixels = |bytes: &[u8]| Preprocess::openai(4).load_bytes(bytes, &options).unwrap();
    for (name, bytes, _) in all() {
        assert!(pixels(&bytes) == pixels(&jpeg(LARGE, None)), "{name}");
    }
}

#[test]
fn other_tiffs_stay_tiffs() {
    let mut seen = 0;
    for entry in fs_err::read_dir(golden_folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "tif") {
            let bytes = fs_err::read(&path).unwrap();
            assert_eq!(Format::of(&bytes), Some(Format::Tiff), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");

    // One with a preview, like a scanner's, is decoded itself.
    let mut file = File::new(b"II*\0");
    let preview = file.preview(&jpeg(LARGE, None));
    let second = file.directory(&preview, 0);
    let entries = file.thumbnail();
    let first = file.directory(&entries, second);
    let bytes = file.finish(first);
    assert_eq!(Format::of(&bytes), Some(Format::Tiff));
    assert_eq!(decode(&bytes).unwrap().width(), 2);
}

#[test]
fn a_raw_without_a_jpeg_is_its_first_directory_or_an_error() {
    let mut file = File::new(b"II*\0");
    let mut entries = file.thumbnail();
    entries.push(VERSION_OF_DNG);
    let first = file.directory(&entries, 0);
    let bytes = file.finish(first);
    assert_eq!(Format::of(&bytes), Some(Format::Raw));
    assert_eq!(decode(&bytes).unwrap().as_bytes(), [200; 12]);

    let mut file = File::new(b"II*\0");
    let sensor = file.strip(&[7; 16], 1, 32803);
    let first = file.directory(&sensor, 0);
    assert_eq!(
        message(&file.finish(first)),
        "RAW with no preview in JPEG inside is not supported"
    );

    let mut file = File::new(b"IIU\0");
    let first = file.directory(&[(0x201, LONG, 1, 5000), (0x202, LONG, 1, 100)], 0);
    assert_eq!(
        message(&file.finish(first)),
        "damaged RAW: none of its previews is a whole JPEG"
    );
}

#[test]
fn sizes_are_checked_before_anything_is_decoded() {
    let options = DecodeOptions {
        max_megapixels: 0,
        ..DecodeOptions::default()
    };
    for (name, bytes, _) in all() {
        let error = Picture::decode(&bytes, &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "RAW of 48×32 has more than the 0 megapixels allowed",
            "{name}"
        );
    }
}

#[test]
fn a_damaged_preview_is_the_files_damage() {
    let (large, mut bytes) = (jpeg(LARGE, None), dng());
    let at = bytes.windows(large.len()).position(|w| w == large).unwrap();
    // Behind the frame nothing is as it was.
    let frame = large.windows(2).position(|w| w == b"\xff\xc0").unwrap();
    bytes[at + frame + 12..at + large.len()].fill(0);
    let message = message(&bytes);
    assert!(
        message.starts_with("damaged RAW: its preview: "),
        "{message}"
    );
}

/// Decodes whole and small; an error must say something.
fn check(bytes: &[u8]) {
    let fast = DecodeOptions {
        max_megapixels: 1,
        decode: Decode::Fast,
        ..DecodeOptions::default()
    };
    let errors = [
        decode(bytes).err(),
        Preprocess::openai(2).load_bytes(bytes, &fast).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert!(!error.to_string().trim().is_empty());
    }
}

#[test]
fn truncated_at_every_byte() {
    for (name, bytes, _) in all() {
        for end in 0..bytes.len() {
            check(&bytes[..end]);
            if let Ok(picture) = decode(&bytes[..end]) {
                // Only a preview that is all there is taken, or what TIFF knows.
                let sides = [picture.width(), picture.height()];
                assert!(
                    [LARGE, SMALL, (2, 2)]
                        .iter()
                        .any(|&(w, h)| sides == [w, h] || sides == [h, w]),
                    "{name} up to {end}: {picture:?}"
                );
            }
        }
    }
}

#[test]
fn flipped_bits_and_numbers_never_panic() {
    let mut random = Random(11);
    for (_, bytes, _) in all() {
        for case in 0..3000 {
            let mut copy = bytes.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                match case % 3 {
                    0 => copy[at] ^= 1 << random.below(8),
                    1 => copy[at] = [0, 1, 0x7f, 0xff][random.below(4)],
                    _ => copy[at..].iter_mut().take(4).for_each(|b| *b = 0xff),
                }
            }
            check(&copy);
        }
    }
}

#[test]
fn noise_behind_a_makers_mark_never_panics() {
    let starts: [&[u8]; 6] = [
        b"FUJIFILMCCD-RAW ",
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08\0\0\0",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"MMOR\0\0\0\x08",
    ];
    let mut random = Random(12);
    for start in starts {
        for _ in 0..1000 {
            let length = random.below(600);
            check(&[start, &random.bytes(length)].concat());
        }
    }
}

#[test]
fn directories_that_point_at_each_other_end() {
    let start = Instant::now();
    let mut file = File::new(b"IIRO");
    // One that follows itself, and has itself below it, in notes and settings, too.
    let itself = file.bytes.len() as u32;
    let tags = [0x14a, 0x8769, 0x927c, 0x2020];
    file.directory(&tags.map(|tag| (tag, LONG, 1, itself)), itself);
    check(&file.finish(itself));

    // As many entries as fit, each with as many directories below, all of them the same few bytes.
    let mut file = File::new(b"II*\0");
    let places = file.longs(&[8; 4000]);
    let entries = vec![(0x14a, LONG, 4000, places); 65_535];
    let first = file.directory(&entries, 0);
    check(&file.finish(first));

    // A JPEG of nothing but short segments, announced again and again.
    let mut file = File::new(b"IIU\0");
    let long = [&b"\xff\xd8"[..], &b"\xff\xe0\0\x02".repeat(1 << 20)].concat();
    let preview = file.preview(&long);
    let mut next = 0;
    for _ in 0..1000 {
        next = file.directory(&[preview[0], preview[1], (0x112, SHORT, 1, 1)], next);
    }
    check(&file.finish(next));

    // Boxes in boxes, and boxes without content.
    let mut bytes = b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom".to_vec();
    bytes.extend(b"\0\0\0\0moov".repeat(10_000));
    bytes.extend(b"\0\0\0\x08free".repeat(100_000));
    check(&bytes);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn mutated_files_are_decoded_or_refused() {
    let preprocess = Preprocess::openai(16);
    let mut mutator = Mutator::new(5);
    let (mut decoded, mut refused) = (0, 0);
    for (name, bytes, _) in all() {
        let form = match name {
            "CR3" => Form::Boxes,
            "RAF" => Form::Bytes,
            _ => Form::Tiff,
        };
        for _ in 0..200 {
            let copy = mutator.damage(form, &bytes);
            for decode in [Decode::Exact, Decode::Fast] {
                let options = DecodeOptions {
                    decode,
                    max_megapixels: 1,
                    ..DecodeOptions::default()
                };
                match preprocess.load_bytes(&copy, &options) {
                    Ok(_) => decoded += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    // Much of the damage is to what nobody reads, and much to what is read first.
    assert!(decoded > 500 && refused > 500, "{decoded} and {refused}");
}
