//! Pictures as other programs write them, built byte by byte: what Pillow does not read, or reads
//! otherwise.

use super::{foreign_file, golden_file};
use crate::image::decode::decode_at_least;
use crate::image::{DecodeOptions, ImageError, Mode, Picture};

fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
    Picture::decode(bytes, &DecodeOptions::default())
}

fn refusal(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn a_decoder_that_panics_is_an_error_of_its_picture() {
    let bytes = golden_file("420-q95.jpg");
    let decoded = decode_at_least(&bytes, &DecodeOptions::default(), |_| {
        panic!("of the decoder")
    });
    let error = decoded.map(|(decoded, _)| decoded.full).unwrap_err();
    assert_eq!(error.to_string(), "damaged JPEG: the decoder gave up");
}

// BMP --------------------------------------------------------------------------------------------

/// A BMP with a header of 40 bytes and a palette of 16 colours, whose reds are 10, 11, 12, …
fn bmp(width: u32, height: u32, bits: u16, compression: u32, body: &[u8]) -> Vec<u8> {
    let palette: Vec<u8> = (0..16).flat_map(|i| [0, 0, 10 + i, 0]).collect();
    let mut out = b"BM".to_vec();
    for number in [
        0,
        0,
        54 + 64,
        40,
        width,
        height,
        u32::from(bits) << 16 | 1,
        compression,
    ] {
        out.extend(number.to_le_bytes());
    }
    for number in [0, 0, 0, 16, 0u32] {
        out.extend(number.to_le_bytes());
    }
    [&out, &palette[..], body].concat()
}

/// The reds of a run-length encoded bitmap, less 10, a string of digits for each line, top line
/// first.
fn lines(width: u32, height: u32, bits: u16, body: &[u8]) -> Vec<String> {
    let compression = if bits == 8 { 1 } else { 2 };
    let picture = decode(&bmp(width, height, bits, compression, body))
        .unwrap()
        .to_rgb();
    let digit = |pixel: &[u8]| char::from(b'0' + pixel[0] - 10);
    let lines = picture.as_bytes().chunks(3 * width as usize);
    lines
        .map(|line| line.chunks(3).map(digit).collect())
        .collect()
}

#[test]
fn runs_beyond_a_lines_width_are_no_part_of_the_next() {
    // Encoded and literal runs that go on into the padding, in eight bits and in four.
    let encoded = [3, 1, 2, 2, 0, 0, 5, 3, 3, 4, 0, 0, 0, 1];
    assert_eq!(lines(5, 2, 8, &encoded), ["33333", "11122"]);
    let padded = [3, 1, 5, 2, 0, 0, 5, 3, 3, 4, 0, 0, 0, 1];
    assert_eq!(lines(5, 2, 8, &padded), ["33333", "11122"]);
    let literal = [0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 8, 9, 0, 1];
    assert_eq!(lines(5, 2, 8, &literal), ["99999", "12345"]);
    let nibbles = [0, 8, 0x12, 0x34, 0x56, 0x78, 0, 0, 8, 0x98, 0, 1];
    assert_eq!(lines(5, 2, 4, &nibbles), ["98989", "12345"]);
}

#[test]
fn empty_lines_and_jumps_leave_zeros() {
    let empty = [3, 1, 0, 0, 0, 0, 3, 2, 0, 1];
    assert_eq!(lines(3, 3, 8, &empty), ["222", "000", "111"]);
    let jump = [1, 1, 0, 2, 1, 1, 1, 2, 0, 0, 0, 1];
    assert_eq!(lines(3, 3, 8, &jump), ["000", "002", "100"]);
}

#[test]
fn a_last_line_that_is_whole_needs_no_end_and_a_cut_one_is_damage() {
    assert_eq!(lines(3, 2, 8, &[3, 1, 0, 0, 3, 2]), ["222", "111"]);
    assert_eq!(
        refusal(&bmp(3, 2, 8, 1, &[3, 1, 0, 0, 2, 2])),
        "damaged BMP: it ends in its pixels"
    );
}

#[test]
fn masks_that_make_no_colours_are_refused() {
    let masked = |bits: u16, masks: [u32; 3]| {
        let mut bytes = bmp(1, 1, bits, 3, &[0; 4]);
        let masks: Vec<u8> = masks.iter().flat_map(|mask| mask.to_le_bytes()).collect();
        bytes[54..66].copy_from_slice(&masks);
        bytes
    };
    assert_eq!(
        refusal(&masked(16, [0, 0, 0])),
        "BMP with the bit masks [0, 0, 0, 0] of 16 bits is not supported"
    );
    // Beyond a pixel, and with a gap.
    for (bits, masks) in [
        (16, [0x1_f000, 0x7e0, 0x1f]),
        (32, [0xf0f0_0000, 0xff00, 0xff]),
    ] {
        assert!(
            refusal(&masked(bits, masks)).contains("bit masks"),
            "{masks:x?}"
        );
    }
    assert_eq!(
        decode(&masked(32, [0xff_0000, 0xff00, 0xff]))
            .unwrap()
            .mode(),
        Mode::Rgb
    );
}

// TIFF -------------------------------------------------------------------------------------------

/// Whether a TIFF has long positions, and which byte of a number comes first.
#[derive(Clone, Copy)]
struct Shape {
    is_big: bool,
    big_endian: bool,
}

const CLASSIC: Shape = Shape {
    is_big: false,
    big_endian: false,
};

impl Shape {
    /// The last bytes of a number, in the file's order.
    fn number(self, value: usize, bytes: usize) -> Vec<u8> {
        if self.big_endian {
            value.to_be_bytes()[8 - bytes..].to_vec()
        } else {
            value.to_le_bytes()[..bytes].to_vec()
        }
    }

    /// A TIFF of one strip; `tags` have a kind and values.
    fn tiff(self, tags: &[(u16, u16, &[usize])], strip: &[u8]) -> Vec<u8> {
        let wide = if self.is_big { 8 } else { 4 };
        let mut tags: Vec<(u16, u16, Vec<usize>)> = tags
            .iter()
            .map(|(tag, kind, values)| (*tag, *kind, values.to_vec()))
            .collect();
        let strip_at = 2 * wide;
        tags.push((273, 4, vec![strip_at]));
        tags.push((279, 4, vec![strip.len()]));
        tags.sort();
        let mut out = if self.big_endian {
            b"MM".to_vec()
        } else {
            b"II".to_vec()
        };
        out.extend(self.number(if self.is_big { 43 } else { 42 }, 2));
        if self.is_big {
            out.extend(self.number(8, 2));
            out.extend([0; 2]);
        }
        let mut lists = Vec::new();
        let lists_at = strip_at + strip.len();
        let mut directory = self.number(tags.len(), if self.is_big { 8 } else { 2 });
        for (tag, kind, values) in &tags {
            let size = match kind {
                2 => 1,
                3 => 2,
                _ => 4,
            };
            let bytes: Vec<u8> = values.iter().flat_map(|v| self.number(*v, size)).collect();
            directory.extend(
                [
                    self.number(usize::from(*tag), 2),
                    self.number(usize::from(*kind), 2),
                ]
                .concat(),
            );
            directory.extend(self.number(values.len(), wide));
            if bytes.len() <= wide {
                directory.extend([&bytes[..], &vec![0; wide - bytes.len()]].concat());
            } else {
                directory.extend(self.number(lists_at + lists.len(), wide));
                lists.extend(bytes);
            }
        }
        directory.extend(self.number(0, wide));
        out.extend(self.number(lists_at + lists.len(), wide));
        assert_eq!(out.len(), strip_at);
        [&out, strip, &lists, &directory].concat()
    }
}

/// Red, green and blue of 16 colours: `i`, `i + 100` and 200.
fn colour_map(colours: usize) -> Vec<usize> {
    let channel = |base: usize, step: usize| (0..colours).map(move |i| (base + step * i) * 257);
    channel(0, 1)
        .chain(channel(100, 1))
        .chain(channel(200, 0))
        .collect()
}

/// A palette of `bits`, three pixels in two lines, with another sample beside each index.
fn indices_and(extra: usize, bits: usize, strip: &[u8]) -> Vec<u8> {
    let map = colour_map(1 << bits);
    CLASSIC.tiff(
        &[
            (256, 3, &[3]),
            (257, 3, &[2]),
            (258, 3, &[bits, bits]),
            (262, 3, &[3]),
            (277, 3, &[2]),
            (320, 3, &map),
            (338, 3, &[extra]),
        ],
        strip,
    )
}

#[test]
fn narrow_indices_beside_another_sample_are_looked_up() {
    for extra in [0, 1, 2] {
        for (bits, strip, want) in [
            (
                4,
                &[0x1f, 0x2f, 0x3f, 0x4f, 0x5f, 0x6f][..],
                [1, 2, 3, 4, 5, 6],
            ),
            (
                2,
                &[0b0111_1011, 0b1100_0000, 0b0011_0111, 0b1000_0000],
                [1, 2, 3, 0, 1, 2],
            ),
            (1, &[0b1101_1000, 0b0111_0000], [1, 0, 1, 0, 1, 0]),
        ] {
            let picture = decode(&indices_and(extra, bits, strip)).unwrap();
            assert_eq!(picture.mode(), Mode::Palette);
            let want: Vec<u8> = want.iter().flat_map(|&i| [i, i + 100, 200]).collect();
            assert_eq!(
                picture.to_rgb().as_bytes(),
                want,
                "{bits} bits, extra {extra}"
            );
        }
    }
}

#[test]
fn long_positions_and_either_order_of_bytes_are_the_same_picture() {
    let map = colour_map(256);
    for (is_big, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
        let shape = Shape { is_big, big_endian };
        for kind in [3, 4] {
            let size = [(256, 3, &[2][..]), (257, 3, &[1])];
            let palette = [(258, 3, &[8][..]), (262, kind, &[3]), (320, 3, &map)];
            let indices = decode(&shape.tiff(&[&size[..], &palette].concat(), &[7, 9])).unwrap();
            assert_eq!(indices.to_rgb().as_bytes(), [7, 107, 200, 9, 109, 200]);
            let rgb = [(258, 3, &[8, 8, 8][..]), (262, kind, &[2]), (277, 3, &[3])];
            let rgb =
                decode(&shape.tiff(&[&size[..], &rgb].concat(), &[1, 2, 3, 4, 5, 6])).unwrap();
            assert_eq!(
                (rgb.mode(), rgb.as_bytes()),
                (Mode::Rgb, &[1, 2, 3, 4, 5, 6][..])
            );
        }
    }
}

#[test]
fn samples_without_a_meaning_are_refused() {
    let one = |bits: usize, photometric: usize| {
        let tags = [
            (256, 3, &[1][..]),
            (257, 3, &[1]),
            (258, 3, &[bits]),
            (262, 3, &[photometric]),
        ];
        CLASSIC.tiff(&tags, &[0; 8])
    };
    assert_eq!(
        refusal(&one(16, 3)),
        "TIFF with 1 samples of 16 bits as indices into a palette is not supported"
    );
    // One sample of luma and chroma is luma.
    assert_eq!(decode(&one(8, 6)).unwrap().mode(), Mode::Grey);
    assert_eq!(
        refusal(&one(8, 2)),
        "TIFF with 1 samples of 8 bits as RGB is not supported"
    );
    let tags = [
        (256, 3, &[1][..]),
        (257, 3, &[1]),
        (258, 3, &[8]),
        (259, 3, &[34712]),
        (262, 3, &[1]),
    ];
    assert_eq!(
        refusal(&CLASSIC.tiff(&tags, &[0; 8])),
        "TIFF with compression 34712 is not supported"
    );
    let text = CLASSIC.tiff(&[(256, 2, &[1; 40]), (257, 3, &[1]), (262, 3, &[1])], &[0]);
    assert_eq!(
        refusal(&text),
        "damaged TIFF: it says no width or no height"
    );
}

// WebP -------------------------------------------------------------------------------------------

#[test]
fn a_first_frame_of_another_size_than_announced_is_damage() {
    for name in [
        "lossy-blend.webp",
        "lossless-blend.webp",
        "lossy-part-copy.webp",
        "lossy-opaque-part.webp",
    ] {
        let whole = foreign_file(name);
        let frame = whole.windows(4).position(|name| name == b"ANMF").unwrap() + 8;
        for width in [3, 11, 13, 16] {
            let mut bytes = whole.clone();
            assert_eq!(bytes[frame + 6], 11, "{name}: twelve columns");
            bytes[frame + 6] = width - 1;
            let error = refusal(&bytes);
            assert!(
                error.starts_with("damaged WebP") && !error.contains("gave up"),
                "{name}: {error}"
            );
        }
        let mut outside = whole.clone();
        outside[frame] = 5;
        assert_eq!(refusal(&outside), "damaged WebP: a frame leaves the canvas");
    }
    let mut unknown = foreign_file("lossless-blend.webp");
    let picture = unknown.windows(4).position(|name| name == b"VP8L").unwrap();
    unknown[picture] = b'Q';
    assert_eq!(refusal(&unknown), "damaged WebP: a frame of it is empty");
}
