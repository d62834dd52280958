//! Sources of sets: shards, tables, folders.

use super::*;

#[test]
fn a_plain_shard_read_by_position_gives_what_a_gzipped_one_in_memory_does() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = shard(9);
    write(
        dir.path(),
        &[("a.tar", &bytes), ("a.tar.gz", &gzip(&bytes))],
    );
    let plain = read_shard(&dir.path().join("a.tar")).unwrap();
    let gzipped = read_shard(&dir.path().join("a.tar.gz")).unwrap();
    assert_eq!((plain.len(), gzipped.len()), (9, 9));
    for (i, (a, b)) in plain.iter().zip(&gzipped).enumerate() {
        assert!(matches!(a.location, sample::Location::Range { .. }));
        assert_eq!((&a.key, &a.texts), (&b.key, &b.texts));
        assert_eq!(a.bytes().unwrap(), b.bytes().unwrap());
        assert_eq!(*a.bytes().unwrap(), png(i as u8));
        assert_eq!(
            a.picture(&DecodeOptions::default()).unwrap(),
            b.picture(&DecodeOptions::default()).unwrap()
        );
    }
    // A shard that changes under a run is noticed, not read at the wrong places.
    write(dir.path(), &[("a.tar", &shard(10))]);
    says(
        &plain[3].bytes().unwrap_err().to_string(),
        &["a.tar", "003", "not the one"],
    );
}

#[test]
fn damaged_shards_fail_a_set_unless_damage_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let whole = shard(9);
    let cut = &whole[..whole.len() / 2];
    let gz = gzip(&whole);
    write(
        dir.path(),
        &[
            ("whole.tar", &whole),
            ("cut.tar", cut),
            ("cut.tar.gz", &gzip(cut)),
            ("torn.tar.gz", &gz[..gz.len() / 2]),
            ("nothing.tar", b""),
        ],
    );
    for (name, word, least, most) in [
        ("cut.tar", "not a whole tar file", 3, 5),
        ("cut.tar.gz", "not a whole tar file", 3, 5),
        ("torn.tar.gz", "not a whole tar file", 0, 8),
        ("nothing.tar", "no image-text pair", 0, 0),
    ] {
        let keys = format!("shards = [\"whole.tar\", \"{name}\"]");
        says(&set(dir.path(), &keys).unwrap_err(), &[name, word]);
        let found = set(dir.path(), &format!("{keys}\nskip_damaged = true")).unwrap();
        let more = found.samples.len() - 9;
        assert!((least..=most).contains(&more), "{more} of {name}");
        says(&told(&found), &[name, word, "the rest of a damaged shard"]);
        for sample in &found.samples {
            sample.picture(&DecodeOptions::default()).unwrap();
        }
    }
    // The cut is where the members say that it is, wherever it is.
    for len in (0..whole.len() - 1024).step_by(611) {
        write(dir.path(), &[("cut.tar", &whole[..len])]);
        let found = set(dir.path(), "shards = [\"cut.tar\"]\nskip_damaged = true").unwrap();
        found
            .samples
            .iter()
            .for_each(|sample| drop(sample.picture(&DecodeOptions::default()).unwrap()));
    }
    says(
        &set(dir.path(), "shards = [\"none.tar\"]\nskip_damaged = true").unwrap_err(),
        &["none.tar"],
    );
}

#[test]
fn tables_are_read_by_their_header_with_quotes_and_bad_rows_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "\u{feff}id,Caption , IMAGE\r\n\
        1,\"a cat, \"\"asleep\"\"\",a.png\r\n\
        2,\"two\nlines\",b/c.png\r\n\
        3,again a cat,a.png\r\n\
        4,,d.png\r\n5,no picture\r\n";
    let mut bytes = csv.as_bytes().to_vec();
    bytes.extend(b"6,\xff\xfe,e.png\r\n7,gone,none.png\r\n");
    write(
        dir.path(),
        &[
            ("t/pairs.csv", &bytes),
            ("t/a.png", &png(1)),
            ("t/b/c.png", &png(2)),
        ],
    );
    let found = set(dir.path(), "table = \"t/pairs.csv\"").unwrap();
    assert_eq!(
        names(&found),
        [
            "a.png: a cat, \"asleep\"|again a cat",
            "b/c.png: two lines",
            "none.png: gone"
        ]
    );
    assert_eq!(*found.samples[1].bytes().unwrap(), png(2));
    let words = [
        "pairs.csv: line 6: it has no caption",
        "line 7: it has 2 fields, its header 3",
        "line 8",
        "UTF-8",
    ];
    says(&told(&found), &words);
    assert_eq!(found.passed_over.count(), 3);
    says(
        &found.samples[2]
            .picture(&DecodeOptions::default())
            .unwrap_err()
            .to_string(),
        &["pairs.csv", "picture none.png"],
    );
}

#[test]
fn tables_of_tabs_know_no_quotes_and_columns_may_have_any_name() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            (
                "a.tsv",
                b"filepath\ttitle\n1.png\t\"Hello\" he said\n2.png\t7\" nails\n",
            ),
            ("b.csv", b"img;txt\n"),
            ("c.csv", b"file,alt\n1.png,a cat\n"),
            ("empty.csv", b""),
            ("rows.csv", b"image,caption\n"),
            ("bad.csv", b"image,caption\n,\n"),
        ],
    );
    let found = set(dir.path(), "table = \"a.tsv\"").unwrap();
    assert_eq!(
        names(&found),
        ["1.png: \"Hello\" he said", "2.png: 7\" nails"]
    );
    let found = set(
        dir.path(),
        "table = \"c.csv\"\nimage_column = \"file\"\ntext_column = \"alt\"",
    )
    .unwrap();
    assert_eq!(names(&found), ["1.png: a cat"]);
    for (keys, words) in [
        (
            "table = \"b.csv\"",
            ["b.csv", "`img;txt`", "`image`, `path`, `filepath`"],
        ),
        (
            "table = \"c.csv\"\nimage_column = \"file\"",
            ["c.csv", "`file`, `alt`", "`caption`"],
        ),
        (
            "table = \"c.csv\"\nimage_column = \"picture\"",
            ["c.csv", "`alt`", "`picture`"],
        ),
        ("table = \"empty.csv\"", ["empty.csv", "columns", "wanted"]),
        (
            "table = \"rows.csv\"",
            ["rows.csv", "no image-text pair", ""],
        ),
        (
            "table = \"bad.csv\"",
            ["bad.csv", "can be used", "line 2: it has no picture"],
        ),
        ("table = \"none.csv\"", ["none.csv", "", ""]),
    ] {
        says(&set(dir.path(), keys).unwrap_err(), &words);
    }
}

#[test]
fn folders_name_classes() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("set/sea_lion/2.PNG", &png(2)),
            ("set/sea_lion/1.png", &png(1)),
            ("set/cat/x.jpeg", b"no picture"),
            ("set/cat/notes.txt", b"none of ours"),
            ("set/cat/Thumbs.db", b"the system's"),
            ("set/.hidden/1.png", &png(3)),
            ("set/_/1.png", &png(3)),
            ("set/stray.png", &png(4)),
            ("none/a.txt", b""),
        ],
    );
    let found = set(dir.path(), "folder = \"set\"").unwrap();
    assert_eq!(
        names(&found),
        [
            "cat/x.jpeg: cat",
            "sea_lion/1.png: sea lion",
            "sea_lion/2.PNG: sea lion"
        ]
    );
    assert_eq!(*found.samples[2].bytes().unwrap(), png(2));
    let root = dir.path().join("set").display().to_string();
    assert_eq!(
        passed_over(&found),
        [
            (
                1,
                "a folder whose name is no class's",
                &*format!("{root}: _: its name has nothing but `_` and blanks")
            ),
            (
                1,
                "a file of another kind",
                &*format!("{root}: cat/notes.txt: its name is no picture's")
            ),
            (
                1,
                "a picture outside of its folder",
                &*format!("{root}: stray.png: it is in no class's folder")
            ),
        ]
    );
    says(
        &found.samples[0]
            .picture(&DecodeOptions::default())
            .unwrap_err()
            .to_string(),
        &["set", "cat/x.jpeg", "not a picture"],
    );
    says(
        &set(dir.path(), "folder = \"none\"").unwrap_err(),
        &["none", "no image-text pair"],
    );
    says(
        &set(dir.path(), "folder = \"gone\"").unwrap_err(),
        &["gone"],
    );
}

#[test]
fn pictures_of_deeper_folders_have_the_class_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("set/cat/day1/x.png", &png(1)),
            ("set/cat/day1/late/y.png", &png(2)),
            ("set/cat/z.png", &png(3)),
            ("set/cat/day1/.hidden/h.png", &png(4)),
            ("set/dog_house/day2/x.png", &png(5)),
            ("set/dog_house/day2/x.mov", b"a film"),
        ],
    );
    let found = set(dir.path(), "folder = \"set\"").unwrap();
    assert_eq!(
        names(&found),
        [
            "cat/day1/late/y.png: cat",
            "cat/day1/x.png: cat",
            "cat/z.png: cat",
            "dog_house/day2/x.png: dog house"
        ]
    );
    assert_eq!(*found.samples[0].bytes().unwrap(), png(2));
    says(&told(&found), &["1 passed over", "dog_house/day2/x.mov"]);
}

#[cfg(unix)]
#[test]
fn links_in_class_folders_are_followed_once_and_told_where_they_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let set_dir = dir.path().join("set");
    write(
        dir.path(),
        &[("set/cat/1.png", &png(1)), ("elsewhere/2.png", &png(2))],
    );
    symlink("../cat", set_dir.join("cat/again")).unwrap();
    symlink("gone.png", set_dir.join("cat/3.png")).unwrap();
    symlink(dir.path().join("elsewhere"), set_dir.join("dog")).unwrap();
    let found = set(dir.path(), "folder = \"set\"").unwrap();
    assert_eq!(names(&found), ["cat/1.png: cat", "dog/2.png: dog"]);
    assert_eq!(found.passed_over.count(), 1, "{}", told(&found));
    says(
        &told(&found),
        &["a link to nothing that can be read", "cat/3.png"],
    );
}

#[test]
fn a_caption_is_never_cut_and_rows_after_an_open_quote_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "image,caption\n\
        1.png,a cat, asleep\n\
        2.png,\"a dog\n\
        3.png,a hen\n\
        4.png\n\
        5.png,\"a cow,\nstanding\"\n\
        6.png,\"a \"big\" pig\"\n\
        7.png,a \"big\" goat\n\
        8.png,\"a fox\n";
    write(dir.path(), &[("t.csv", csv.as_bytes())]);
    let found = set(dir.path(), "table = \"t.csv\"").unwrap();
    assert_eq!(
        names(&found),
        [
            "3.png: a hen",
            "5.png: a cow, standing",
            "7.png: a \"big\" goat"
        ]
    );
    let path = dir.path().join("t.csv").display().to_string();
    assert_eq!(
        passed_over(&found),
        [
            (
                2,
                "a row with another number of fields than its header",
                &*format!("{path}: line 2: it has 3 fields, its header 2")
            ),
            (
                3,
                "a quote that is not closed",
                &*format!(
                    "{path}: line 3: a quote that begins a field is not closed, or not at its end"
                )
            ),
        ]
    );
}

#[test]
fn tables_named_for_commas_are_read_by_what_separates_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    // As open_clip wants them and pandas writes them.
    let tabs = b"filepath\ttitle\n1.png\ta cat, asleep\n2.png\t\"a \"\"big\"\" dog\"\n";
    write(
        dir.path(),
        &[
            ("t.csv", tabs),
            ("u.csv", b"file\talt\n1.png\ta cat\n"),
            ("semicolons.csv", b"image;caption\n1.png;a cat\n"),
            ("utf16.csv", b"\xff\xfei\0m\0a\0g\0e\0"),
            ("blank.csv", b"image,caption\n1.png, \t \n2.png,a dog\n\n"),
        ],
    );
    let found = set(dir.path(), "table = \"t.csv\"").unwrap();
    assert_eq!(
        names(&found),
        ["1.png: a cat, asleep", "2.png: a \"big\" dog"]
    );
    assert_eq!(told(&found), "");
    let message = set(dir.path(), "table = \"u.csv\"").unwrap_err();
    says(&message, &["`file`, `alt`", "tabs"]);
    for (name, word) in [
        ("semicolons.csv", "semicolons don't separate columns"),
        ("utf16.csv", "it is UTF-16"),
    ] {
        let message = set(dir.path(), &format!("table = \"{name}\"")).unwrap_err();
        says(&message, &[name, word]);
    }
    let keys = "table = \"u.csv\"\nimage_column = \"file\"\ntext_column = \"alt\"";
    assert_eq!(names(&set(dir.path(), keys).unwrap()), ["1.png: a cat"]);
    let found = set(dir.path(), "table = \"blank.csv\"").unwrap();
    assert_eq!(names(&found), ["2.png: a dog"]);
    says(
        &told(&found),
        &["1 passed over: an empty caption", "blank.csv: line 2"],
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("t.csv", b"image,caption\n/dev/zero,a\n.,b\n")],
    );
    let found = set(dir.path(), "table = \"t.csv\"").unwrap();
    for sample in &found.samples {
        says(
            &sample
                .picture(&DecodeOptions::default())
                .unwrap_err()
                .to_string(),
            &["t.csv", "is not a file"],
        );
    }
}

#[test]
fn captions_of_several_lines_are_read_where_pictures_come_last_and_open_quotes_are_found() {
    let dir = tempfile::tempdir().unwrap();
    // The last line of the first caption looks like a row, too.
    let csv = "caption,image\n\
        \"a hen,\nasleep\",1.png\n\
        \"open one,2.png\n\
        board of 5\",3.png\n\
        \"a cow, standing\",4.png\n";
    write(dir.path(), &[("t.csv", csv.as_bytes())]);
    let found = set(dir.path(), "table = \"t.csv\"").unwrap();
    assert_eq!(
        names(&found),
        [
            "1.png: a hen, asleep",
            "3.png: board of 5\"",
            "4.png: a cow, standing"
        ]
    );
    says(
        &told(&found),
        &["1 passed over: a quote that is not closed", "line 4"],
    );
}
