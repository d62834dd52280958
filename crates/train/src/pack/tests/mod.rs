//! Every kind of source, packed and read again.

mod passed_over;

use std::path::Path;

use super::*;
use crate::samples::read_shards;
use crate::samples::tests::{png, write};
use diptych::image::Picture;

/// Packs `path` of `dir` into `out`, with changes.
fn packing(dir: &Path, path: &str, change: impl FnOnce(&mut Packing)) -> Result<Report, String> {
    let mut packing = Packing {
        path: dir.join(path),
        source: None,
        images: None,
        image_column: None,
        text_column: None,
        out: dir.join("out"),
        name: Some("x".into()),
        shard_size: 2,
        resize: None,
        encoding: Encoding::Jpeg,
        decode: DecodeOptions::default(),
        strict: false,
    };
    change(&mut packing);
    let packed = pack(&packing, &mut |_| ControlFlow::Continue(()));
    packed.map(Option::unwrap).map_err(|e| e.to_string())
}

/// Contents of a report's shards: a picture's bytes, and its texts.
fn contents(report: &Report) -> Vec<(Vec<u8>, String)> {
    let samples = read_shards(&report.shards).unwrap();
    assert_eq!(samples.len(), report.samples);
    let content = |s: &Sample| (s.bytes().unwrap().into_owned(), s.texts.join("|"));
    samples.iter().map(content).collect()
}

fn says(message: &str, words: &[&str]) {
    words
        .iter()
        .for_each(|word| assert!(message.contains(word), "no `{word}` in {message}"));
}

/// Three pictures of which the last is the first again, and one that is none.
fn pictures(dir: &Path) {
    write(
        dir,
        &[
            ("a.png", &png(1)),
            ("b.png", &png(2)),
            ("c.png", &png(1)),
            ("bad.png", b"\x89PNG\r\n\x1a\nno"),
        ],
    );
}

#[test]
fn every_kind_of_source_becomes_the_shards_that_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pictures(dir);
    pictures(&dir.join("images"));
    let coco = r#"{"images": [{"id": 7, "file_name": "b.png", "license": 1}, {"id": 3, "file_name": "a.png"},
        {"id": 9, "file_name": "c.png"}], "annotations": [{"image_id": 3, "id": 1, "caption": "one"},
        {"image_id": 7, "id": 2, "caption": "two\n"}, {"image_id": 3, "id": 3, "caption": "another"},
        {"image_id": 9, "id": 4, "caption": "three"}, {"image_id": 9, "id": 5, "caption": "one"}]}"#;
    write(
        dir,
        &[
            (
                "table.csv",
                b"image,caption\nb.png,two\na.png,one\na.png,another\nc.png,three\nc.png,one\n",
            ),
            (
                "table.tsv",
                b"path\ttext\nb.png\ttwo\na.png\tone\na.png\tanother\nc.png\tthree\n",
            ),
            (
                "captions.txt",
                b"image,caption\nb.png,two\na.png,one\na.png,another\nc.png,three\n",
            ),
            (
                "f.token.txt",
                b"b.png#0\ttwo\na.png#0\tone\na.png#1\tanother\n\nc.png#0\tthree\n",
            ),
            ("captions.json", coco.as_bytes()),
            ("notes.txt", b"nothing of this kind\n"),
        ],
    );
    let want = [
        (png(2), "two".to_owned()),
        (png(1), "one|another|three".to_owned()),
    ];
    for path in [
        "table.csv",
        "table.tsv",
        "captions.txt",
        "f.token.txt",
        "captions.json",
    ] {
        let report = packing(dir, path, |p| {
            p.out = dir.join("out").join(path);
            p.images = (path == "captions.json").then(|| dir.join("images"));
        })
        .unwrap();
        assert_eq!(contents(&report), want, "{path}");
        let counts = (
            report.samples,
            report.captions,
            report.duplicates,
            report.skipped,
        );
        assert_eq!(counts, (2, 4, 1, 0), "{path}");
        assert_eq!(
            report.shards,
            [dir.join("out").join(path).join("x-000000.tar")]
        );
        assert_eq!(
            report.bytes,
            diptych_files::metadata(&report.shards[0]).unwrap().len()
        );
    }
    says(
        &packing(dir, "notes.txt", |_| {}).unwrap_err(),
        &["notes.txt", "wanted a .csv"],
    );
    says(
        &packing(dir, "none.csv", |_| {}).unwrap_err(),
        &["none.csv"],
    );
    assert!(!dir.join("out/notes.txt").exists());
}

#[test]
fn a_folder_of_classes_is_packed_in_shards_of_the_size_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for i in 0..5u8 {
        write(dir, &[(&format!("set/class_{}/{i}.png", i % 2), &png(i))]);
    }
    let report = packing(dir, "set", |p| p.name = None).unwrap();
    let name = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
    let names: Vec<String> = report.shards.iter().map(name).collect();
    assert_eq!(
        names,
        ["set-000000.tar", "set-000001.tar", "set-000002.tar"]
    );
    let texts: Vec<String> = contents(&report)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(
        texts,
        ["class 0", "class 0", "class 0", "class 1", "class 1"]
    );
    assert_eq!(
        fs_err::read_dir(dir.join("out")).unwrap().count(),
        3,
        "nothing hidden stays"
    );
    // The same again is the same to the byte, and never over what is there.
    let again = packing(dir, "set", |p| (p.out, p.name) = (dir.join("again"), None)).unwrap();
    for (a, b) in report.shards.iter().zip(&again.shards) {
        assert_eq!(fs_err::read(a).unwrap(), fs_err::read(b).unwrap());
    }
    says(
        &packing(dir, "set", |p| p.name = None).unwrap_err(),
        &["set-00000", "already"],
    );
    packing(dir, "set", |p| p.name = Some("other".into())).unwrap();
    says(
        &packing(dir, "set", |p| p.name = Some("../x".into())).unwrap_err(),
        &["`../x`"],
    );
}

#[test]
fn larger_pictures_are_resized_and_smaller_ones_stay_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let large: Vec<u8> = (0..90 * 60 * 3).map(|i| (i / 97) as u8).collect();
    let large = Picture::from_rgb(90, 60, large).unwrap();
    let bytes = Encoding::WebP.encode(&large).unwrap();
    write(
        dir,
        &[
            ("t.csv", b"image,caption\nl.webp,large\ns.png,small\n"),
            ("l.webp", &bytes),
            ("s.png", &png(1)),
        ],
    );
    let want = large.resize(60, 40, Interpolation::Bicubic);
    for encoding in [Encoding::Png, Encoding::WebP, Encoding::Jpeg] {
        let report = packing(dir, "t.csv", |p| {
            p.out = dir.join(encoding.extension());
            (p.resize, p.encoding) = (Some(40), encoding);
        })
        .unwrap();
        let contents = contents(&report);
        assert_eq!(contents[1].0, png(1), "20 pixels high as it is");
        let small = Picture::decode(&contents[0].0, &DecodeOptions::default()).unwrap();
        assert_eq!((small.width(), small.height()), (60, 40));
        assert!(encoding == Encoding::Jpeg || small == want, "{encoding:?}");
        assert_eq!(Format::of(&contents[0].0), Some(encoding.into()));
    }
}

#[test]
fn a_source_of_nothing_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(
        dir,
        &[
            ("empty.csv", b""),
            ("empty.json", b""),
            ("list.json", b"[]"),
            ("boxes.json", br#"{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1}]}"#),
            ("bare.json", br#"{"images": [], "annotations": []}"#),
            ("bad.csv", b"image,caption\nbad.png,one\nnone.png,two\n"),
            ("empty.txt", b""),
            ("set/class/a.txt", b""),
            ("bad.png", b"none"),
        ],
    );
    for (path, words) in [
        ("empty.csv", &["columns"][..]),
        ("empty.json", &["not COCO's captions"]),
        ("list.json", &["not COCO's captions"]),
        ("boxes.json", &["no caption"]),
        ("bare.json", &["no image-text pair"]),
        ("bad.csv", &["no picture in it can be used", "none.png"]),
        ("empty.txt", &["wanted a .csv"]),
        ("set", &["no image-text pair"]),
    ] {
        let message = packing(dir, path, |_| {}).unwrap_err();
        words.iter().for_each(|word| says(&message, &[path, word]));
        assert!(!dir.join("out").exists(), "{path}");
    }
}

#[test]
fn work_that_is_broken_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let csv: String = (0..4).map(|i| format!("{i}.png,number {i}\n")).collect();
    write(
        dir,
        &[("t.csv", format!("image,caption\n{csv}").as_bytes())],
    );
    (0..4u8).for_each(|i| write(dir, &[(&format!("{i}.png"), &png(i))]));
    for stop in [4, 8] {
        let packing = Packing {
            path: dir.join("t.csv"),
            source: Some(Source::Table),
            images: None,
            image_column: None,
            text_column: None,
            out: dir.join("out"),
            name: None,
            shard_size: 3,
            resize: None,
            encoding: Encoding::Jpeg,
            decode: DecodeOptions::default(),
            strict: false,
        };
        let report = pack(&packing, &mut |progress| {
            if progress.done >= stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(report.unwrap(), None);
        assert!(!dir.join("out").exists());
    }
}
