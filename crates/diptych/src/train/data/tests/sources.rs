//! What sets are read from: shards, tables, folders.

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
        assert!(matches!(a.place, sample::Place::Range { .. }));
        assert_eq!((&a.key, &a.texts), (&b.key, &b.texts));
        assert_eq!(a.bytes().unwrap(), b.bytes().unwrap());
        assert_eq!(*a.bytes().unwrap(), png(i as u8));
        assert_eq!(a.picture().unwrap(), b.picture().unwrap());
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
    let alone = tar(&[
        ("1.png", &png(1)),
        ("2.png", &png(2)),
        ("2.txt", b"two"),
        ("3.txt", b"\xff"),
    ]);
    let gz = gzip(&whole);
    write(
        dir.path(),
        &[
            ("whole.tar", &whole),
            ("cut.tar", cut),
            ("cut.tar.gz", &gzip(cut)),
            ("torn.tar.gz", &gz[..gz.len() / 2]),
            ("alone.tar", &alone),
            ("nothing.tar", b""),
        ],
    );
    for (name, word, least, most) in [
        ("cut.tar", "not a whole tar file", 3, 5),
        ("cut.tar.gz", "not a whole tar file", 3, 5),
        ("torn.tar.gz", "not a whole tar file", 0, 8),
        ("alone.tar", "1 has no .txt", 1, 1),
        ("nothing.tar", "no image-text pair", 0, 0),
    ] {
        let keys = format!("shards = [\"whole.tar\", \"{name}\"]");
        says(&set(dir.path(), &keys).unwrap_err(), &[name, word]);
        let found = set(dir.path(), &format!("{keys}\nskip_damaged = true")).unwrap();
        let more = found.samples.len() - 9;
        assert!((least..=most).contains(&more), "{more} of {name}");
        says(&found.skipped.join("\n"), &[name, word]);
        for sample in &found.samples {
            sample.picture().unwrap();
        }
    }
    // The cut is where the members say that it is, wherever it is.
    for len in (0..whole.len() - 1024).step_by(611) {
        write(dir.path(), &[("cut.tar", &whole[..len])]);
        let found = set(dir.path(), "shards = [\"cut.tar\"]\nskip_damaged = true").unwrap();
        found
            .samples
            .iter()
            .for_each(|sample| drop(sample.picture().unwrap()));
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
        "pairs.csv: row 5: it has no caption",
        "row 6: it has no picture",
        "row 7",
        "UTF-8",
    ];
    says(&found.skipped.join("\n"), &words);
    assert_eq!(found.skipped.len(), 3);
    says(
        &found.samples[2].picture().unwrap_err().to_string(),
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
            ["bad.csv", "can be used", "row 2: it has no picture"],
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
            ("set/.hidden/1.png", &png(3)),
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
    says(
        &found.samples[0].picture().unwrap_err().to_string(),
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
            &sample.picture().unwrap_err().to_string(),
            &["t.csv", "is not a file"],
        );
    }
}
