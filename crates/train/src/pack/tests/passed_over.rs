//! Samples that can't be packed: counted with their reasons, or an end of the work.

use super::*;

#[test]
fn what_cannot_be_used_is_counted_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pictures(&dir.join("in"));
    write(dir, &[("outside.png", &png(3))]);
    let coco = r#"{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "../outside.png"},
        {"id": 3, "file_name": "b.png"}, {"id": 4, "file_name": ""}], "annotations": [
        {"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}, {"image_id": 5, "caption": "five"},
        {"image_id": 1}, {"image_id": 1, "caption": null}, {"image_id": 1, "caption": 7},
        {"image_id": 1, "caption": " \n"}, {"image_id": 4, "caption": "none"}]}"#;
    let rooted = format!("{}#0\tx\n", dir.join("outside.png").display());
    let token = [
        b"a.png#0\tone\nno tab\nb.png\tno number\n../outside.png#0\ttwo\n" as &[u8],
        b"b.png#0\t\xff\xfe\nbad.png#0\tthree\nnone.png#0\tfour\nb.png#1\t \n",
        rooted.as_bytes(),
    ]
    .concat();
    write(
        dir,
        &[
            ("in/c.json", coco.as_bytes()),
            ("in/f.token", &token),
            ("in/t.csv", b"image,caption\na.png,one\nbad.png,two\nnone.png,three\n,four\nb.png\nc.png,\xff\n"),
        ],
    );
    let (json, token, csv) = ("in/c.json", "in/f.token", "in/t.csv");
    for (path, want) in [
        (
            json,
            &[
                (
                    1,
                    "a caption without a picture",
                    "of image 5, which is not listed",
                ),
                // One has no caption, the other null, another a number, the last white space.
                (4, "an empty caption", "image 1 has no caption"),
                (
                    2,
                    "a picture outside of its folder",
                    "../outside.png: it does not lie below",
                ),
                (1, "a picture without a caption", "b.png: it has no caption"),
            ][..],
        ),
        (
            token,
            &[
                (2, "a line of another format", "line 2 is not"),
                (
                    2,
                    "a picture outside of its folder",
                    "../outside.png: it does not lie below",
                ),
                (1, "a text that is not UTF-8", "line 5 is not UTF-8"),
                (1, "an empty caption", "b.png: a caption is empty"),
                (1, "a picture that can't be read", "none.png"),
                (1, "a picture that can't be decoded", "bad.png: damaged PNG"),
            ],
        ),
        (
            csv,
            &[
                (
                    1,
                    "a caption without a picture",
                    "line 5: it has no picture",
                ),
                (
                    1,
                    "a row with another number of fields than its header",
                    "line 6: it has 1 fields, its header 2",
                ),
                (1, "a text that is not UTF-8", "line 7"),
                (1, "a picture that can't be read", "none.png"),
                (1, "a picture that can't be decoded", "bad.png: damaged PNG"),
            ],
        ),
    ] {
        let report = packing(dir, path, |p| p.out = dir.join("out").join(path)).unwrap();
        assert_eq!(contents(&report), [(png(1), "one".to_owned())], "{path}");
        let mut got = Vec::new();
        for (passed, (_, _, words)) in report.reasons.iter().zip(want) {
            says(&passed.example, &[path, words]);
            got.push((passed.count, passed.reason.as_str(), *words));
        }
        assert_eq!(got, want, "{report:?}");
        assert_eq!(report.reasons.len(), want.len(), "{report:?}");
        let skipped: usize = want.iter().map(|(count, _, _)| count).sum();
        assert_eq!(report.skipped, skipped);
    }
}

#[test]
fn nothing_is_passed_over_and_nothing_written_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pictures(dir);
    write(
        dir,
        &[
            (
                "row.csv",
                b"image,caption\na.png,one\nb.png,two, three\nb.png,\n",
            ),
            ("none.csv", b"image,caption\na.png,one\nnone.png,two\n"),
            ("bad.csv", b"image,caption\na.png,one\nbad.png,two\n"),
            ("twice.csv", b"image,caption\na.png,one\nc.png,one\n"),
        ],
    );
    for (path, words) in [
        ("row.csv", ["line 3: it has 3 fields", "number of fields"]),
        ("none.csv", ["none.png", "can't be read"]),
        ("bad.csv", ["bad.png", "can't be decoded"]),
    ] {
        let message = packing(dir, path, |p| p.strict = true).unwrap_err();
        says(&message, &words);
        assert!(!dir.join("out").exists(), "{path}");
        assert_eq!(
            packing(dir, path, |p| p.out = dir.join(path.replace(".csv", "")))
                .unwrap()
                .samples,
            1
        );
    }
    // A file that is equal to another is no loss: its captions are kept.
    let report = packing(dir, "twice.csv", |p| p.strict = true).unwrap();
    assert_eq!(
        (report.samples, report.duplicates, report.skipped),
        (1, 1, 0)
    );
}

#[test]
fn a_report_names_the_first_of_a_reason_and_counts_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let csv: String = (0..50).map(|i| format!("{i}.png,gone\n")).collect();
    write(
        dir.path(),
        &[
            ("t.csv", format!("image,caption\na.png,a\n{csv}").as_bytes()),
            ("a.png", &png(1)),
        ],
    );
    let report = packing(dir.path(), "t.csv", |_| {}).unwrap();
    assert_eq!((report.skipped, report.reasons.len()), (50, 1));
    assert_eq!(report.reasons[0].count, 50);
    says(&report.reasons[0].example, &["t.csv: picture 0.png"]);
}

#[test]
fn a_file_that_is_gone_after_it_was_hashed_is_told_as_one_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    pictures(dir.path());
    let packing = Packing {
        path: dir.path().join("a.csv"),
        source: None,
        images: None,
        image_column: None,
        text_column: None,
        out: dir.path().join("out"),
        name: None,
        shard_size: 2,
        resize: None,
        encoding: Encoding::Jpeg,
        decode: DecodeOptions::default(),
        strict: false,
    };
    let reason = |name: &str| {
        let origin = dir.path().into();
        let sample = Sample::in_file(
            origin,
            name.into(),
            vec!["one".into()],
            dir.path().join(name),
        );
        store(&sample, &packing).err().map(|(reason, _)| reason)
    };
    assert_eq!(reason("a.png"), None);
    assert_eq!(reason("gone.png"), Some(Reason::Unreadable));
    assert_eq!(reason("bad.png"), Some(Reason::Undecodable));
}

#[test]
fn pictures_that_another_build_reads_are_counted_apart() {
    use diptych::image::{Format, ImageError};
    let dir = tempfile::tempdir().unwrap();
    let heic: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    if !matches!(
        Picture::decode(heic, &DecodeOptions::default()),
        Err(ImageError::NotBuilt {
            format: Format::Heif,
            ..
        })
    ) {
        return; // this build reads it
    }
    let table: &[u8] = b"image,caption\na.png,one\nbad.png,two\nb.heic,three\nc.heic,four\n";
    let other = [heic, b"other"].concat();
    write(
        dir.path(),
        &[
            ("a.png", &png(1)),
            ("bad.png", b"no picture"),
            ("b.heic", heic),
            ("c.heic", &other),
            ("t.csv", table),
        ],
    );
    let report = packing(dir.path(), "t.csv", |_| ()).unwrap();
    let of = |reason| {
        let mut found = report
            .reasons
            .iter()
            .filter(|passed| passed.reason == reason);
        found.next().unwrap()
    };
    assert_eq!(of(Reason::Undecodable).count, 1);
    let unbuilt = of(Reason::NotBuilt);
    assert_eq!(unbuilt.count, 2);
    let command = "`cargo build --release --features heif`";
    assert!(unbuilt.example.contains(command), "{unbuilt}");
}

#[test]
fn the_limit_on_pixels_is_the_callers() {
    let dir = tempfile::tempdir().unwrap();
    let table: &[u8] = b"image,caption\na.png,one\n";
    write(dir.path(), &[("a.png", &png(1)), ("t.csv", table)]);
    let refused = packing(dir.path(), "t.csv", |p| p.decode.max_megapixels = 0);
    says(
        &refused.unwrap_err(),
        &["a.png", "the 0 megapixels allowed"],
    );
}
