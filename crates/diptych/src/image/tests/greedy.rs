//! Small files that ask for much: of memory, of time, or of both. Each is told what is wrong before
//! either is taken.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::lenient_file;
use crate::image::{DecodeOptions, Picture};

/// Kinds of a TIFF's values.
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// Tag, kind and values.
type Tag = (u16, u16, Vec<u64>);

/// A TIFF of this width, height, bits a sample and compression, of more tags, and of bytes behind
/// its directory, which begin at the offset that `more` is given.
fn tiff(page: [u64; 4], more: impl Fn(u64) -> Vec<Tag>, body: &[u8]) -> Vec<u8> {
    let tags = |offset| {
        let page = (256..)
            .zip(page)
            .map(|(tag, value)| (tag, SHORT, vec![value]));
        let tags: Vec<Tag> = page.chain(more(offset)).collect();
        tags
    };
    let width = |kind| match kind {
        SHORT => 2,
        LONG => 4,
        _ => 8,
    };
    let count = tags(0).len();
    let values = |offset| -> (Vec<u8>, Vec<u8>) {
        let (mut entries, mut beside) = (Vec::new(), Vec::new());
        for (tag, kind, values) in tags(offset) {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes()[..width(kind)].to_vec())
                .collect();
            entries.extend(tag.to_le_bytes());
            entries.extend(kind.to_le_bytes());
            entries.extend((values.len() as u32).to_le_bytes());
            if bytes.len() > 4 {
                let at = 8 + 2 + 12 * count + 4 + beside.len();
                entries.extend((at as u32).to_le_bytes());
                beside.extend(bytes);
            } else {
                entries.extend(bytes.iter().copied().chain([0; 4]).take(4));
            }
        }
        (entries, beside)
    };
    let offset = 8 + 2 + 12 * count + 4 + values(0).1.len();
    let (entries, beside) = values(offset as u64);
    let count = (count as u16).to_le_bytes();
    [
        b"II*\0\x08\0\0\0",
        &count[..],
        &entries,
        &[0; 4],
        &beside,
        body,
    ]
    .concat()
}

/// The error's message for a file that is to be refused.
fn refusal(bytes: &[u8]) -> String {
    let error = Picture::decode(bytes, &DecodeOptions::default()).unwrap_err();
    let error = error.to_string();
    assert!(!error.contains("gave up"), "{error}");
    error
}

#[test]
fn tiles_have_sides_that_there_can_be() {
    for side in [(1 << 61) + 1, u64::MAX, 1 << 31, 0] {
        let file = tiff(
            [1, 1, 8, 7],
            |at| {
                vec![
                    (262, SHORT, vec![1]),
                    (322, LONG8, vec![side]),
                    (323, SHORT, vec![1]),
                    (324, LONG, vec![at]),
                ]
            },
            b"\xff\xd8\xff\xd9",
        );
        assert!(refusal(&file).starts_with("damaged TIFF"), "{side}");
    }
}

#[test]
fn tiles_are_not_many_times_the_picture() {
    let mut zeros = ZlibEncoder::new(Vec::new(), Compression::best());
    zeros.write_all(&vec![0; 1 << 20]).unwrap();
    let zeros = zeros.finish().unwrap();
    let file = tiff(
        [1, 10_000, 8, 8],
        |at| {
            vec![
                (262, SHORT, vec![1]),
                (322, LONG, vec![1 << 20]),
                (323, SHORT, vec![1]),
                (324, LONG, vec![at; 10_000]),
                (325, LONG, vec![zeros.len() as u64; 10_000]),
            ]
        },
        &zeros,
    );
    assert_eq!(
        refusal(&file),
        "damaged TIFF: its strips or tiles are too large"
    );
}

#[test]
fn a_strips_jpeg_is_no_larger_than_the_strip() {
    let jpeg = lenient_file("cmyk-plain.jpg");
    let file = tiff(
        [8, 8, 8, 7],
        |at| {
            vec![
                (262, SHORT, vec![5]),
                (273, LONG, vec![at]),
                (277, SHORT, vec![4]),
                (279, LONG, vec![jpeg.len() as u64]),
            ]
        },
        &jpeg,
    );
    assert_eq!(
        refusal(&file),
        "damaged JPEG: 45×37 pixels where fewer belong"
    );
}

#[test]
fn an_old_jpegs_strips_are_not_longer_than_the_file() {
    for count in [1, 10_000] {
        let file = tiff(
            [64, 64, 8, 6],
            |_| {
                vec![
                    (273, SHORT, vec![0; count]),
                    (278, SHORT, vec![1]),
                    (513, LONG, vec![8 + 2 + 12 * 8 + 4]),
                    (514, LONG, vec![1]),
                ]
            },
            b"\xff\xd8 and what is no JPEG",
        );
        assert!(refusal(&file).starts_with("damaged"), "{count}");
    }
}

#[test]
fn a_fax_has_lines_of_some_length() {
    let file = tiff(
        [8, 1, 1, 4],
        |at| {
            vec![
                (322, LONG, vec![1 << 25]),
                (323, SHORT, vec![1]),
                (324, LONG, vec![at]),
            ]
        },
        &[0; 8],
    );
    assert_eq!(
        refusal(&file),
        "TIFF with lines of 33554432 pixels as a fax is not supported"
    );
}

#[test]
fn samples_that_are_left_out_take_memory_too() {
    let file = tiff(
        [20_000, 10_000, 32, 1],
        |at| {
            vec![
                (262, SHORT, vec![1]),
                (273, LONG, vec![at]),
                (277, SHORT, vec![8]),
            ]
        },
        &[0; 8],
    );
    assert_eq!(
        refusal(&file),
        "TIFF with 8 samples of 32 bits for 20000×10000 pixels is not supported"
    );
}

#[test]
fn predictors_that_there_are_not_are_no_pixels() {
    for (bits, predictor) in [(4, 2), (8, 3), (8, 4)] {
        let file = tiff(
            [2, 1, bits, 5],
            |at| {
                vec![
                    (262, SHORT, vec![1]),
                    (273, LONG, vec![at]),
                    (317, SHORT, vec![predictor]),
                ]
            },
            &[0x80, 0, 0, 0x10, 0x10],
        );
        let want =
            format!("TIFF with predictor {predictor} of samples of {bits} bits is not supported");
        assert_eq!(refusal(&file), want);
    }
}

#[test]
fn a_damaged_jpeg_has_no_more_scans_than_another() {
    let whole = lenient_file("first-scans-6.jpg");
    let scan = whole
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let (head, last) = whole[..whole.len() - 2].split_at(scan);
    let mut file = head.to_vec();
    (0..6000).for_each(|_| file.extend(last));
    file.extend([0xff, 0xd9]);
    let error = refusal(&file);
    assert!(error.starts_with("damaged JPEG: more than 4"), "{error}");
}

#[test]
fn a_wrong_checksum_of_a_header_is_an_error() {
    let mut file = lenient_file("no-end.png");
    assert!(Picture::decode(&file, &DecodeOptions::default()).is_ok());
    file[29] ^= 1; // of the header's checksum
    assert!(refusal(&file).starts_with("damaged PNG"));
}
