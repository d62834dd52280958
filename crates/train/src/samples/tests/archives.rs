//! Members of archives beside pairs: names, partners, links, damage.

use super::*;

/// A tar file of members that `add` appends.
fn archive(add: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    add(&mut tar);
    tar.into_inner().unwrap()
}

fn add(tar: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).unwrap();
}

fn link(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, name: &str, target: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_entry_type(kind);
    if kind.is_fifo() {
        tar.append_data(&mut header, name, &[] as &[u8]).unwrap();
    } else {
        tar.append_link(&mut header, name, target).unwrap();
    }
}

/// Reads these bytes as a plain shard and as a gzipped one, which must agree.
fn read_both(bytes: &[u8]) -> Found {
    let dir = tempfile::tempdir().unwrap();
    // The name says nothing: what is gzipped is told by its first bytes.
    write(
        dir.path(),
        &[("plain/s.tar", bytes), ("gzip/s.tar", &gzip(bytes))],
    );
    let plain = set(dir.path(), "shards = [\"plain/s.tar\"]").unwrap();
    let gzipped = set(dir.path(), "shards = [\"gzip/s.tar\"]").unwrap();
    assert_eq!(names(&plain), names(&gzipped));
    assert_eq!(told(&plain), told(&gzipped).replace("/gzip/", "/plain/"));
    let mut read = Found::default();
    for (a, b) in plain.samples.iter().zip(&gzipped.samples) {
        let bytes = a.bytes().unwrap().into_owned();
        assert_eq!(bytes, *b.bytes().unwrap());
        read.samples.push(Sample {
            origin: Path::new("s.tar").into(),
            location: sample::Location::Memory(bytes.into()),
            ..a.clone()
        });
    }
    let parent = format!("{}/", dir.path().join("plain").display());
    for passed in plain.passed_over {
        let example = passed.example.replace(&parent, "");
        read.passed_over.extend([PassedOver { example, ..passed }]);
    }
    read
}

#[test]
fn members_that_make_no_pair_are_counted_by_reason() {
    let (one, two) = (png(1), png(2));
    let found = read_both(&tar(&[
        ("a.dir/1.png", &one),
        ("a.dir/1.txt", b"one"),
        ("a.dir/1.json", b"{}"),
        ("a.dir/1.mask.png", &two),
        ("2.png", &two),
        ("3.txt", b"three"),
        ("4.png", &one),
        ("4.txt", b" \n"),
        ("5.png", &one),
        ("5.txt", b""),
        ("6.png", &one),
        ("6.txt", b"\xff\xfe"),
        ("2013.06.01.png", &one),
        ("2013.06.01.txt", b"first"),
        ("2013.06.02.png", &two),
        ("2013.06.02.txt", b"second"),
        ("7.png", &one),
        ("7.b.txt", b"seven"),
        ("notes.md", b"none"),
        ("._8.png", b"hidden"),
        ("8.JPG", &one),
        ("8.png", &two),
        ("8.TXT", b"eight"),
    ]));
    assert_eq!(names(&found), ["a.dir/1: one", "8: eight"]);
    assert_eq!(*found.samples[0].bytes().unwrap(), one);
    assert_eq!(*found.samples[1].bytes().unwrap(), two);
    assert_eq!(
        passed_over(&found)[..5],
        [
            (
                1,
                "a picture without a caption",
                "s.tar: picture 2 has no .txt beside it"
            ),
            (
                1,
                "a caption without a picture",
                "s.tar: text 3.txt has no picture beside it"
            ),
            (2, "an empty caption", "s.tar: 4.txt is empty"),
            (
                1,
                "a text that is not UTF-8",
                "s.tar: 6.txt is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0"
            ),
            (
                3,
                "a name with several dots",
                "s.tar: 2013.06.01.png, whose key by its first dot is `2013`"
            ),
        ]
    );
    assert_eq!(
        passed_over(&found)[5..],
        [
            (
                1,
                "a file of another kind",
                "s.tar: notes.md is no picture and no text"
            ),
            (
                1,
                "a second picture of one key",
                "s.tar: 8.JPG is not the only one"
            ),
        ]
    );
}

#[test]
fn a_member_that_comes_again_begins_another_sample() {
    let (one, two) = (png(1), png(2));
    let found = read_both(&tar(&[
        ("a.png", &one),
        ("a.png", &two),
        ("a.txt", b"the second"),
        ("a.txt", b"a third"),
    ]));
    assert_eq!(names(&found), ["a: the second"]);
    assert_eq!(*found.samples[0].bytes().unwrap(), two);
    assert_eq!(found.passed_over.count(), 2, "{}", told(&found));
}

#[test]
fn links_are_the_members_that_they_name() {
    let (one, two) = (png(1), png(2));
    let found = read_both(&archive(|tar| {
        add(tar, "./set/1.png", &one);
        add(tar, "./set/1.txt", b"one");
        link(tar, tar::EntryType::Link, "set/2.png", "set/1.png");
        add(tar, "set/2.txt", b"two");
        add(tar, "set/3.png", &two);
        link(tar, tar::EntryType::Link, "set/3.txt", "./set/2.txt");
        link(tar, tar::EntryType::Symlink, "other/4.png", "../set/3.png");
        link(
            tar,
            tar::EntryType::Symlink,
            "other/4.txt",
            "../set/./3.txt",
        );
        link(tar, tar::EntryType::Symlink, "other/5.png", "../../3.png");
        add(tar, "other/5.txt", b"five");
        link(tar, tar::EntryType::Link, "other/6.png", "set/gone.png");
        add(tar, "other/6.txt", b"six");
        link(tar, tar::EntryType::Fifo, "other/7.png", "");
        add(tar, "other/7.txt", b"seven");
    }));
    assert_eq!(
        names(&found),
        ["set/1: one", "set/2: two", "set/3: two", "other/4: two"]
    );
    let pictures = [&one, &one, &two, &two];
    for (sample, picture) in found.samples.iter().zip(pictures) {
        assert_eq!(*sample.bytes().unwrap(), *picture, "{}", sample.key);
    }
    assert_eq!(
        passed_over(&found),
        [
            (
                2,
                "a link to nothing that can be read",
                "s.tar: other/5.png is a link to ../../3.png"
            ),
            (
                1,
                "a member that is no plain file",
                "s.tar: other/7.png is no plain file"
            ),
        ]
    );
}

#[test]
fn archives_that_were_joined_are_read_to_their_end() {
    let second = tar(&[("second.png", &png(3)), ("second.txt", b"of the second")]);
    let found = read_both(&[shard(2), second].concat());
    assert_eq!(found.samples.len(), 3);
    assert_eq!(found.samples[2].key, "second");
}

#[test]
fn compression_is_told_by_the_first_bytes_and_named_if_it_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("plain.tar.gz", &shard(2)),
            ("a.tar", b"BZh91AY&SY"),
            ("b.tar", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
            ("c.tar.gz", &[0x28, 0xb5, 0x2f, 0xfd, 0]),
        ],
    );
    assert_eq!(
        read_shard(&dir.path().join("plain.tar.gz")).unwrap().len(),
        2
    );
    for (name, word) in [("a.tar", "bzip2"), ("b.tar", "xz"), ("c.tar.gz", "zstd")] {
        let message = read_shard(&dir.path().join(name)).unwrap_err().to_string();
        says(
            &message,
            &[name, word, "wanted a plain or gzipped tar file"],
        );
    }
}

#[test]
fn a_shard_of_which_nothing_can_be_used_costs_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let null = tar(&[("1.png", &png(1)), ("1.txt", b"")]);
    write(dir.path(), &[("a.tar", &shard(3)), ("b.tar", &null)]);
    let found = set(dir.path(), "shards = [\"a.tar\", \"b.tar\"]").unwrap();
    assert_eq!(found.samples.len(), 3);
    says(
        &told(&found),
        &["1 passed over: an empty caption", "b.tar: 1.txt"],
    );
    let message = set(dir.path(), "shards = [\"b.tar\"]").unwrap_err();
    says(&message, &["b.tar", "can be used", "1.txt is empty"]);
}

#[test]
fn a_link_to_a_member_that_is_too_large_leads_nowhere() {
    let mut members = members::Members::kept();
    let location = |len| sample::Location::Range {
        offset: 512,
        len,
        shard_len: u64::MAX,
    };
    members.add(Path::new("a.png"), &location(diptych_files::MAX_FILE_BYTES));
    members.add(
        Path::new("b.png"),
        &location(diptych_files::MAX_FILE_BYTES + 1),
    );
    let mut follow = |target: &str| members.follow(Path::new("c.png"), Path::new(target), false);
    assert!(follow("./a.png").is_some());
    assert!(follow("b.png").is_none());
}

#[test]
fn a_sparse_file_is_no_plain_file_and_costs_its_pair_alone() {
    let one = png(1);
    let bytes = archive(|tar| {
        add(tar, "1.png", &one);
        // 1 MiB of which no byte is stored.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize[..11].copy_from_slice(b"00004000000");
        gnu.sparse[0].offset[..11].copy_from_slice(b"00004000000");
        gnu.sparse[0].numbytes[..11].copy_from_slice(b"00000000000");
        tar.append_data(&mut header, "1.txt", &[] as &[u8]).unwrap();
        add(tar, "2.png", &one);
        add(tar, "2.txt", b"two");
    });
    let found = read_both(&bytes);
    assert_eq!(names(&found), ["2: two"]);
    assert_eq!(
        passed_over(&found),
        [(
            1,
            "a member that is no plain file",
            "s.tar: 1.txt is no plain file"
        )]
    );
}

#[test]
fn a_shard_that_is_cut_between_two_members_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let whole = shard(4);
    // Two blocks of zeros end it; before them lies the last caption, of a header and a block.
    let members = whole.len() - 1024;
    for (len, n, warnings) in [
        (whole.len(), 4, 0),
        (members + 512, 4, 0),
        (members, 4, 1),
        (members - 1024, 3, 1),
    ] {
        write(dir.path(), &[("s.tar", &whole[..len])]);
        let found = set(dir.path(), "shards = [\"s.tar\"]").unwrap();
        assert_eq!((found.samples.len(), found.warnings.len()), (n, warnings));
        for warning in &found.warnings {
            says(warning, &["s.tar", "the end of the archive is missing"]);
        }
    }
}

#[test]
fn bytes_of_no_archive_are_not_told_raw() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = shard(1);
    let members = bytes.len() - 1024;
    bytes.truncate(members);
    bytes.extend([0xff; 512]);
    for (bytes, at) in [(&bytes[..], members), (&[0xff; 1024], 0)] {
        write(dir.path(), &[("s.tar", bytes)]);
        let refused = set(dir.path(), "shards = [\"s.tar\"]").unwrap_err();
        assert!(refused.is_ascii(), "{refused}");
        says(
            &refused,
            &[&format!("there is no header of a member at byte {at}")],
        );
    }
}

#[test]
fn each_box_of_a_shard_for_detection_is_a_sample() {
    let rgb = (0..40 * 30).flat_map(|i| [(i % 40) as u8, (i / 40) as u8, 0]);
    let picture = Picture::from_rgb(40, 30, rgb.collect()).unwrap();
    let picture = Encoding::Png.encode(&picture).unwrap();
    let shard = tar(&[
        ("a.png", &picture),
        (
            "a.json",
            br#"{"boxes": [[10, 0, 34, 24, "dog"], [0, 0, 50, 9, "cat"]], "size": [40, 30]}"#,
        ),
        ("a.txt", b"a dog"),
        ("b.png", &picture),
        ("b.json", b"{}"),
        ("c.png", &picture),
        ("d.png", &png(1)),
        (
            "d.json",
            br#"{"boxes": [[0, 0, 30, 30, "cup"]], "size": [40, 30]}"#,
        ),
    ]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("s.tar", &shard)]);
    let found = set(dir.path(), "shards = [\"s.tar\"]\nboxes = true").unwrap();
    assert_eq!(names(&found), ["a#0: dog", "d#0: cup"]);
    // 1.2 times 24 are 29, around column 22 and row 12.
    let cut = found.samples[0].picture(&DecodeOptions::default()).unwrap();
    assert_eq!((cut.width(), cut.height()), (29, 29));
    assert_eq!(cut.as_bytes()[..3], [8, 0, 0]);
    let other = found.samples[1].picture(&DecodeOptions::default());
    let other = other.unwrap_err().to_string();
    says(&other, &["picture d#0", "it is 25 × 20", "of 40 × 30"]);
    let passed = passed_over(&found);
    let counted: Vec<(usize, &str)> = passed.iter().map(|p| (p.0, p.1)).collect();
    assert_eq!(
        counted,
        [
            (2, "a box that shows no thing"),
            (1, "a picture without a caption")
        ]
    );
    says(passed[0].2, &["s.tar: a.json: box 1 is [0, 0, 50, 9]"]);
    says(passed[1].2, &["picture c has no .json beside it"]);
}
