//! Damaged files of every form that is read: an error or a result, never a panic, never much
//! memory.
//!
//! The targets are those of `fuzz/`; here each is given a fixed number of seeded mutations, so that
//! a change that opens a hole is found before it is fuzzed. `MUTATIONS=100000 cargo test --release
//! --test mutations` tries more of them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]

#[path = "../../../../fuzz/src/targets.rs"]
#[allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "it is a program's of its own, too"
)]
mod targets;

use std::alloc::System;
use std::path::Path;

use cap::Cap;
use diptych_testing::{Form, Mutator, crc32, folder};

/// All the memory that the tests may take together: pictures have two megapixels at the most, and
/// files are small. Who asks for more gets none, which ends the program.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 1 << 30);

/// Number of mutations that are tried of each form.
fn mutations() -> usize {
    let more = std::env::var("MUTATIONS").ok();
    more.map_or(2000, |more| more.parse().expect("MUTATIONS is a number"))
}

/// Tells which mutation it was, if one panics.
struct Attempt<'a> {
    name: &'a str,
    number: usize,
    bytes: &'a [u8],
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutation");
            let _ = fs_err::write(&kept, self.bytes);
            panic_message(self, &kept);
        }
    }
}

#[allow(
    clippy::print_stderr,
    reason = "libtest shows it with the test that failed"
)]
fn panic_message(attempt: &Attempt<'_>, kept: &Path) {
    eprintln!(
        "mutation {} of {}, kept in {}",
        attempt.number,
        attempt.name,
        kept.display()
    );
}

/// Gives a target damaged copies of some files, in turn, of which a part is read and a part is not:
/// damage that is always found, or never, would try little. The files as they are come first; few
/// of them are not read.
fn try_all(form: Form, seeds: &[(String, Vec<u8>)], target: impl Fn(&[u8]) -> bool) {
    let share = share_that_is_read(form, seeds, target);
    assert!((0.03..0.97).contains(&share), "{form:?}: {share} are read");
}

/// Share of the damaged copies that are read, from 0 to 1.
fn share_that_is_read(
    form: Form,
    seeds: &[(String, Vec<u8>)],
    target: impl Fn(&[u8]) -> bool,
) -> f64 {
    let attempt = |name: &str, number: usize, bytes: &[u8]| {
        let attempt = Attempt {
            name,
            number,
            bytes,
        };
        target(attempt.bytes)
    };
    let whole = seeds.iter().filter(|(name, bytes)| attempt(name, 0, bytes));
    assert!(2 * whole.count() > seeds.len(), "{form:?}");
    let mut mutator = Mutator::new(13);
    let mut read = 0;
    for (number, (name, bytes)) in (1..=mutations()).zip(seeds.iter().cycle()) {
        read += usize::from(attempt(name, number, &mutator.damage(form, bytes)));
    }
    read as f64 / mutations() as f64
}

/// Golden files whose names end so.
fn golden(folders: &[&str], end: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for name in folders {
        for entry in fs_err::read_dir(folder(name)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(end) {
                found.push((name, fs_err::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

const PIXELS: [&str; 3] = ["pixels", "pixels-foreign", "pixels-lenient"];

#[test]
fn jpegs() {
    try_all(Form::Jpeg, &golden(&PIXELS, ".jpg"), targets::picture);
}

#[test]
fn pngs() {
    try_all(Form::Png, &golden(&PIXELS, ".png"), targets::picture);
}

#[test]
fn webps() {
    try_all(Form::Riff, &golden(&PIXELS, ".webp"), targets::picture);
}

#[test]
fn gifs() {
    try_all(Form::Gif, &golden(&PIXELS, ".gif"), targets::picture);
}

#[test]
fn tiffs() {
    try_all(Form::Tiff, &golden(&PIXELS, ".tif"), targets::picture);
}

#[test]
fn bmps() {
    let files = [golden(&PIXELS, ".bmp"), golden(&PIXELS, ".dib")].concat();
    try_all(Form::Bytes, &files, targets::picture);
}

/// A block of EXIF with a date, a text and a place.
fn exif() -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x03\0".to_vec();
    let entries: [(u16, u16, u32, u32); 3] =
        [(0x0112, 3, 1, 6), (0x0132, 2, 20, 50), (0x8825, 4, 1, 70)];
    for (tag, kind, count, value) in entries {
        block.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        block.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    block.extend([0; 4]);
    block.extend(b"2024:05:01 08:00:00\0");
    let gps: [(u16, u16, u32, u32); 2] = [(1, 2, 2, u32::from(b'N')), (2, 5, 3, 100)];
    block.extend([2, 0]);
    for (tag, kind, count, value) in gps {
        block.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        block.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    block.extend([0; 4]);
    for number in [52u32, 1, 30, 1, 0, 1] {
        block.extend(number.to_le_bytes());
    }
    block
}

/// Files that hold a block of EXIF.
fn with_exif() -> [(Form, String, Vec<u8>); 4] {
    let block = exif();
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let padding = vec![0; data.len() % 2];
        [
            &name[..],
            &(data.len() as u32).to_le_bytes(),
            data,
            &padding,
        ]
        .concat()
    };
    let picture = golden(&PIXELS, "lossless-RGBA.webp").remove(0).1;
    let mut webp = [
        &picture[..12],
        &chunk(b"VP8X", &[0x18, 0, 0, 0, 12, 0, 0, 8, 0, 0]),
        &picture[12..],
        &chunk(b"EXIF", &block),
    ]
    .concat();
    let length = webp.len() as u32 - 8;
    webp[4..8].copy_from_slice(&length.to_le_bytes());
    let segment = [b"Exif\0\0", &block[..]].concat();
    let jpeg = golden(&PIXELS, "420-q50.jpg").remove(0).1;
    let length = (segment.len() as u16 + 2).to_be_bytes();
    let jpeg = [&b"\xff\xd8\xff\xe1"[..], &length, &segment, &jpeg[2..]].concat();
    let png = golden(&PIXELS, "RGB-3x7.png").remove(0).1;
    let length = (block.len() as u32).to_be_bytes();
    let chunk = [b"eXIf", &block[..]].concat();
    let sum = crc32(&chunk).to_be_bytes();
    let png = [&png[..33], &length, &chunk, &sum, &png[33..]].concat();
    [
        (Form::Riff, "exif.webp".into(), webp),
        (Form::Jpeg, "exif.jpg".into(), jpeg),
        (Form::Png, "exif.png".into(), png),
        (Form::Tiff, "exif".into(), block),
    ]
}

#[test]
fn what_is_written_beside_pictures() {
    for (form, name, bytes) in with_exif() {
        try_all(form, &[(name, bytes)], |bytes| {
            let [told, read] = [targets::metadata(bytes), targets::picture(bytes)];
            told || read
        });
    }
}

#[test]
fn a_chunk_that_announces_gigabytes_gets_none() {
    let [(_, _, webp), ..] = with_exif();
    let at = webp.windows(4).position(|name| name == b"EXIF").unwrap() + 4;
    for length in [u32::MAX, u32::MAX - 1, 1 << 31] {
        let mut lies = webp.clone();
        lies[at..at + 4].copy_from_slice(&length.to_le_bytes());
        let _ = targets::metadata(&lies);
        assert!(
            targets::picture(&lies),
            "a picture is not refused for its EXIF block"
        );
    }
}

#[test]
fn tokenizers() {
    let pieces = golden(&["layouts/siglip/safetensors"], ".model");
    try_all(Form::Messages, &pieces, targets::sentencepiece);
    let json = golden(&["layouts/siglip2/safetensors"], "tokenizer.json");
    try_all(Form::Text, &json, targets::tokenizer_json);
}

#[test]
fn weights() {
    let archives = golden(&["layouts/openai-vit", "layouts/openai-rn"], ".pt");
    try_all(Form::Zip, &archives, targets::weights);
    let files = golden(&["layouts/hf/safetensors"], ".safetensors");
    try_all(Form::Safetensors, &files, targets::safetensors);
    let [pickles, legacy] = [".pkl", "legacy.pt"].map(|end| golden(&["tensors"], end));
    try_all(Form::Pickle, &[pickles, legacy].concat(), targets::tensors);
}

#[test]
fn configurations() {
    let files = [
        "layouts/open-clip/bin/open_clip_config.json",
        "layouts/hf/bin/config.json",
        "layouts/hf/bin/preprocessor_config.json",
        "layouts/hf/bin/tokenizer.json",
        "layouts/siglip/safetensors/tokenizer_config.json",
    ];
    for (number, name) in (0..).zip(files) {
        let bytes = fs_err::read(folder(name)).unwrap();
        try_all(Form::Text, &[(name.into(), bytes)], |bytes| {
            targets::directory(&[&[number], bytes].concat())
        });
    }
}

#[test]
fn shards_and_tables() {
    let mut shard = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("a.jpg", &b"\xff\xd8\xff\xd9"[..]),
        ("a.txt", b"a cat"),
        ("folder/with/a/long/name/b.png", b"x"),
        ("folder/with/a/long/name/b.json", br#"{"caption": "a dog"}"#),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_cksum();
        shard.append_data(&mut header, name, content).unwrap();
    }
    let shard = shard.into_inner().unwrap();
    try_all(Form::Tar, &[("shard".into(), shard)], targets::shard);
    let commas = b"filepath,caption\na.jpg,\"a, \"\"b\"\"\"\nc/d.png,two\n".to_vec();
    let tabs = b"image\ttext\na.jpg\ta cat\nb.webp\t\"quoted\n".to_vec();
    let tables = [("commas".into(), commas), ("tabs".into(), tabs)];
    try_all(Form::Text, &tables, targets::table);
}

#[test]
fn parquet() {
    let files = golden(&["clip-retrieval/metadata"], ".parquet");
    try_all(Form::Parquet, &files[..1], targets::parquet);
}

#[test]
fn indexes() {
    let (database, columns) = targets::small_index();
    let together = |database: &[u8], columns: &[u8]| -> bool {
        let length = (columns.len() as u32).to_le_bytes();
        targets::index(&[database, columns, &length].concat())
    };
    let seeds = [("columns".into(), columns.clone())];
    let share = share_that_is_read(Form::Scan, &seeds, |columns| together(&database, columns));
    // They are made anew where they can't be used.
    assert!(share > 0.99, "{share}");
    try_all(
        Form::Bytes,
        &[("database".into(), database.clone())],
        |database| together(database, &columns),
    );
}
