//! RAW files as cameras lay them out, around JPEGs that are drawn here.

use libjpeg_turbo_rs::{Encoder, PixelFormat};

use super::file::{Entry, File, LONG, SHORT, UNDEFINED};
use crate::image::tests::Random;
use crate::image::{Interpolation, Picture};

/// Sides of the preview to be found, and of the one that is too small.
pub(super) const LARGE: (usize, usize) = (48, 32);
pub(super) const SMALL: (usize, usize) = (16, 11);

/// Something smooth in colours.
fn drawn((width, height): (usize, usize), seed: u64) -> Picture {
    let seeds = Picture::from_rgb(5, 4, Random(seed).bytes(5 * 4 * 3)).unwrap();
    seeds.resize(width, height, Interpolation::Bicubic)
}

/// A JPEG, with an EXIF block if `exif` is one.
pub(super) fn jpeg(size: (usize, usize), exif: Option<&[u8]>) -> Vec<u8> {
    let picture = drawn(size, 9);
    let mut encoder =
        Encoder::new(picture.as_bytes(), size.0, size.1, PixelFormat::Rgb).quality(85);
    if let Some(exif) = exif {
        encoder = encoder.exif_data(exif);
    }
    encoder.encode().unwrap()
}

/// The beginning of a sensor's data that are a lossless JPEG: larger than any preview, but not one.
fn lossless() -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xc3\0\x0e\x0e\x10\0\x10\0\x02\0\x11\0\x01\x11\0".to_vec();
    bytes.extend(Random(3).bytes(40));
    bytes
}

/// `DNGVersion` 1.4.
pub(super) const VERSION_OF_DNG: Entry = (0xc612, 1, 4, 0x0000_0401);

fn orientation(tag: u32) -> Entry {
    (0x112, SHORT, 1, tag)
}

/// Adobe's: a thumbnail, and below it the sensor's data and two previews.
pub(super) fn dng() -> Vec<u8> {
    let mut file = File::new(b"II*\0");
    let strips = [
        file.strip(&lossless(), 7, 32803),
        file.strip(&jpeg(SMALL, None), 7, 6),
        file.strip(&jpeg(LARGE, None), 7, 6),
    ];
    let below = strips.map(|strip| file.directory(&strip, 0));
    let below = file.longs(&below);
    let mut entries = file.thumbnail();
    entries.extend([orientation(6), (0x14a, LONG, 3, below), VERSION_OF_DNG]);
    let first = file.directory(&entries, 0);
    file.finish(first)
}

/// Nikon's: the other order of bytes, a preview below the first directory.
fn nef() -> Vec<u8> {
    let mut file = File::new(b"MM\0*");
    let preview = file.preview(&jpeg(LARGE, None));
    let sensor = file.strip(&Random(1).bytes(60), 34713, 32803);
    let below = [file.directory(&preview, 0), file.directory(&sensor, 0)];
    let below = file.longs(&below);
    let mut entries = file.thumbnail();
    entries.extend([orientation(8), (0x14a, LONG, 2, below)]);
    let first = file.directory(&entries, 0);
    file.finish(first)
}

/// Canon's older: no photometric value, the preview and the sensor's data in strips of JPEG.
fn cr2() -> Vec<u8> {
    let mut file = File::new(b"II*\0");
    file.blob(b"CR\x02\0\0\0\0\0");
    let sensor = file.strip(&lossless(), 6, 0);
    let sensor = file.directory(&[sensor[0], sensor[2], sensor[3]], 0);
    let thumbnail = file.preview(&jpeg(SMALL, None));
    let second = file.directory(&thumbnail, sensor);
    let [compression, _, at, length] = file.strip(&jpeg(LARGE, None), 6, 0);
    let first = file.directory(&[compression, at, orientation(3), length], second);
    file.finish(first)
}

/// Sony's: the preview in the first directory.
fn arw() -> Vec<u8> {
    let mut file = File::new(b"II*\0");
    let sensor = file.strip(&Random(2).bytes(60), 32767, 32803);
    let below = file.directory(&sensor, 0);
    let small = file.preview(&jpeg(SMALL, None));
    let second = file.directory(&small, 0);
    let [start, length] = file.preview(&jpeg(LARGE, None));
    let entries = [orientation(5), (0x14a, LONG, 1, below), start, length];
    let first = file.directory(&entries, second);
    file.finish(first)
}

/// Pentax': the sensor's data first, previews behind.
fn pef() -> Vec<u8> {
    let mut file = File::new(b"MM\0*");
    let large = file.preview(&jpeg(LARGE, None));
    let third = file.directory(&large, 0);
    let small = file.preview(&jpeg(SMALL, None));
    let second = file.directory(&small, third);
    let mut entries = file.strip(&Random(2).bytes(60), 1, 32803).to_vec();
    entries.insert(2, orientation(1));
    let first = file.directory(&entries, second);
    file.finish(first)
}

/// Olympus': a preview in the notes, whose positions count from their start.
fn orf(start: &[u8; 4], head: &[u8]) -> Vec<u8> {
    let mut notes = File::new(start);
    notes.bytes = head.to_vec();
    // The notes' own directory comes first, so the place of what follows is known only behind it.
    let settings = head.len() as u32 + 18;
    notes.directory(&[(0x2020, 13, 1, settings)], 0);
    let (at, length) = (settings + 30, jpeg(LARGE, None).len() as u32);
    notes.directory(&[(0x101, LONG, 1, at), (0x102, LONG, 1, length)], 0);
    notes.blob(&jpeg(LARGE, None));

    let mut file = File::new(start);
    let at = file.blob(&notes.bytes);
    let exif = file.directory(&[(0x927c, UNDEFINED, notes.bytes.len() as u32, at)], 0);
    let first = file.directory(&[orientation(7), (0x8769, LONG, 1, exif)], 0);
    file.finish(first)
}

/// Panasonic's: the preview is the value of a tag.
fn rw2() -> Vec<u8> {
    let mut file = File::new(b"IIU\0");
    let jpeg = jpeg(LARGE, None);
    let at = file.blob(&jpeg);
    let preview = (0x2e, UNDEFINED, jpeg.len() as u32, at);
    let first = file.directory(&[preview, orientation(8)], 0);
    file.finish(first)
}

/// Fujifilm's: the preview is a whole JPEG, which has the orientation.
fn raf() -> Vec<u8> {
    let mut exif = File::new(b"II*\0");
    let first = exif.directory(&[orientation(6)], 0);
    let jpeg = jpeg(LARGE, Some(&exif.finish(first)));
    let mut bytes = b"FUJIFILMCCD-RAW 0201FF389501X-T1".to_vec();
    bytes.resize(84, 0);
    bytes.extend(148u32.to_be_bytes());
    bytes.extend((jpeg.len() as u32).to_be_bytes());
    bytes.resize(148, 0);
    [bytes, jpeg, Random(4).bytes(80)].concat()
}

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size[..], name, &content].concat()
}

/// Canon's newer: a small preview in a box of its own, the large one as a track's only sample.
fn cr3() -> Vec<u8> {
    let mut exif = File::new(b"II*\0");
    let first = exif.directory(&[orientation(8)], 0);
    let exif = boxed(b"CMT1", &[&exif.finish(first)]);
    let (large, small) = (jpeg(LARGE, None), jpeg(SMALL, None));
    let file = |at: u64| {
        let canon = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
        let lengths = boxed(
            b"stsz",
            &[&[0; 4], &(large.len() as u32).to_be_bytes(), &[0, 0, 0, 1]],
        );
        let places = boxed(b"co64", &[&[0; 4], &[0, 0, 0, 1], &at.to_be_bytes()]);
        let table = boxed(b"stbl", &[&boxed(b"stsd", &[&[0; 20]]), &lengths, &places]);
        let track = boxed(b"trak", &[&boxed(b"mdia", &[&boxed(b"minf", &[&table])])]);
        let movie = boxed(b"moov", &[&boxed(b"uuid", &[canon, &exif]), &track]);
        let header = [&[0; 4][..], &[0, 1, 0, 16, 0, 11, 0, 1]].concat();
        let preview = boxed(
            b"PRVW",
            &[&header, &(small.len() as u32).to_be_bytes(), &small],
        );
        let id = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";
        let preview = boxed(b"uuid", &[id, &[0, 0, 0, 0, 0, 0, 0, 1], &preview]);
        let start = boxed(b"ftyp", &[b"crx \0\0\0\x01crx isom"]);
        [start, movie, preview, boxed(b"mdat", &[&large])].concat()
    };
    let at = file(0).len() - large.len();
    file(at as u64)
}

/// Every kind: its name, the file, and the orientation to be applied to the large preview.
pub(super) fn all() -> Vec<(&'static str, Vec<u8>, u32)> {
    vec![
        ("DNG", dng(), 6),
        ("NEF", nef(), 8),
        ("CR2", cr2(), 3),
        ("ARW", arw(), 5),
        ("PEF", pef(), 1),
        ("ORF", orf(b"IIRO", b"OLYMPUS\0II\x03\0"), 7),
        ("ORF of OM", orf(b"IIRS", b"OM SYSTEM\0\0\0II\x04\0"), 7),
        ("RW2", rw2(), 8),
        ("RAF", raf(), 6),
        ("CR3", cr3(), 8),
    ]
}
