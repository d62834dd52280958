//! Sets of every kind, whole and damaged, and the batches that are made of them.

use std::path::Path;

use super::*;
use crate::image::{Encoding, Picture};
use crate::train::{Batches, Run};
use crate::weights::describe;

/// The bytes of a small picture that no other number has.
pub(super) fn png(number: u8) -> Vec<u8> {
    let (width, height) = (24 + usize::from(number % 5), 20);
    let pixel = |i: usize| {
        [
            number.wrapping_mul(37),
            (i % width * 9) as u8,
            (i / width * 12) as u8,
        ]
    };
    let rgb = (0..width * height).flat_map(pixel).collect();
    Encoding::Png
        .encode(&Picture::from_rgb(width, height, rgb).unwrap())
        .unwrap()
}

/// A tar file of these members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A shard of `n` pictures with a caption each.
fn shard(n: u8) -> Vec<u8> {
    let names: Vec<_> = (0..n)
        .map(|i| (format!("{i:03}.png"), format!("{i:03}.txt")))
        .collect();
    let members: Vec<_> = (0..n)
        .map(|i| (png(i), format!("caption {i}\nimage {i}")))
        .collect();
    let members: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&members)
        .flat_map(|(name, (image, text))| {
            [(&*name.0, image.as_slice()), (&*name.1, text.as_bytes())]
        })
        .collect();
    tar(&members)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes files below `dir`, and the folders they need.
pub(super) fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
}

/// Reads a set of the run file's `keys`, whose files lie in `dir`.
fn set(dir: &Path, keys: &str) -> Result<Found, String> {
    let keys = format!("texts = \"classes\"\ntemplates = [\"a {{}}.\"]\n{keys}");
    let mut data: Data = toml::from_str(&keys).map_err(|e| e.to_string())?;
    data.check()?;
    data.resolve(dir)?;
    read(&data).map_err(|e| e.to_string())
}

fn names(found: &Found) -> Vec<String> {
    let name = |s: &Sample| format!("{}: {}", s.key, s.texts.join("|"));
    found.samples.iter().map(name).collect()
}

/// Asserts a message's words.
fn says(message: &str, words: &[&str]) {
    words
        .iter()
        .for_each(|word| assert!(message.contains(word), "no `{word}` in {message}"));
}

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

/// A run file in `dir` with these sets of data, ten pairs a step.
fn run(dir: &Path, data: &str) -> Result<Run, String> {
    let arch = r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":[1,1,1,1],"width":2,"head_width":16},
        "text_cfg":{"context_length":12,"vocab_size":600,"width":16,"heads":2,"layers":1}}"#;
    let text = format!(
        "out = \"out\"\narchitecture = \"arch.json\"\nseed = 7\n[optimizer]\nsteps = 8\n\
         batch_size = 10\nlearning_rate = 1e-3\nwarmup_steps = 2\n{data}"
    );
    write(
        dir,
        &[
            ("arch.json", arch.as_bytes()),
            ("run.toml", text.as_bytes()),
        ],
    );
    Run::open(&dir.join("run.toml")).map_err(|e| e.to_string())
}

fn batches(run: &Run) -> Result<Batches, String> {
    let description = describe(&run.architecture).map_err(|e| e.to_string())?;
    Batches::open(run, &description).map_err(|e| e.to_string())
}

/// A hash of all that a step's batch is made of.
fn fingerprint(batches: &Batches, step: usize) -> u64 {
    let batch = batches.get(step).unwrap();
    let text = format!(
        "{:?} {:?}",
        batch.pixels.as_slice(),
        batch.tokens.rows().collect::<Vec<_>>()
    );
    crate::train::hash::fnv1a(&text)
}

const TWO_SETS: &str = r#"
    [[data]]
    shards = ["a.tar"]
    texts = "captions"
    repeat = 2
    [[data]]
    shards = ["b.tar.gz"]
    texts = "classes"
    templates = ["a {}.", "one {}"]
    hold_out = 4
"#;

#[test]
fn runs_of_before_are_continued_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("a.tar", &shard(9)), ("b.tar.gz", &gzip(&shard(13)))],
    );
    let run = run(dir.path(), TWO_SETS).unwrap();
    assert_eq!(
        run.identity(),
        "seed 7, batch 10, F32, Augmentation { min_scale: 0.9, flip: true }, \
         [([Some(\"a.tar\")], Captions, [], 2, 0, {}), \
         ([Some(\"b.tar.gz\")], Classes, [\"a {}.\", \"one {}\"], 1, 4, {})]"
    );
    let batches = batches(&run).unwrap();
    assert_eq!((batches.len(), batches.pass_len()), (22, 28));
    // As made by the version that read whole shards into memory; step 2 ends one pass and begins another.
    let got = [0, 2, 7].map(|step| fingerprint(&batches, step));
    let want = [
        0x3fe1_f0a8_04d6_9849,
        0x35dd_f10b_3521_c5f9,
        0x3703_35b3_78fb_3dbf,
    ];
    assert_eq!(got, want);
}

#[test]
fn weighted_sets_give_their_shares_of_the_pairs() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("a-0.tar", &shard(3)),
            ("a-1.tar", &shard(5)),
            ("t.csv", b"image,caption\n1.png,from a table\n"),
            ("1.png", &png(1)),
            ("f/a_class/1.png", &png(2)),
        ],
    );
    let data = r#"
        [[data]]
        shards = ["a-{0..1}.tar"]
        texts = "captions"
        weight = 2
        [[data]]
        table = "t.csv"
        texts = "captions"
        weight = 1
        [[data]]
        folder = "f"
        texts = "classes"
        templates = ["{}"]
        weight = 1
    "#;
    // A set of one sample fills half of what the eight of another do.
    let run = run(dir.path(), data).unwrap();
    let all = batches(&run).unwrap();
    assert_eq!((all.len(), all.pass_len()), (10, 10));
    let tokenizer = describe(&run.architecture).unwrap().tokenizer;
    let ids = |text: &str| {
        let overflow = crate::text::Overflow::Truncate;
        tokenizer.encode(text, 12, overflow).unwrap()
    };
    let (table, class) = (ids("from a table"), ids("a class"));
    let mut counts = [0; 3];
    for step in 0..40 {
        let batch = all.get(step).unwrap();
        for row in batch.tokens.rows() {
            let row: Vec<u32> = row.iter().copied().filter(|&id| id != 0).collect();
            counts[if row == table {
                1
            } else if row == class {
                2
            } else {
                0
            }] += 1;
        }
    }
    // Of 400 pairs, standard deviations are 10 and 9.
    assert!(
        counts[0] > 160 && counts[1] > 65 && counts[2] > 65,
        "{counts:?}"
    );
    // Any step is had without those before it.
    let fresh = batches(&run).unwrap();
    assert_eq!(fingerprint(&fresh, 33), fingerprint(&all, 33));
    assert!(run.identity().contains("a-0.tar") && run.identity().contains("t.csv"));
}

#[test]
fn sets_that_cannot_be_followed_say_why() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.tar", &shard(12))]);
    let check = |data: &str, words: &[&str]| {
        let data = data.replace(
            "A;",
            "[[data]]\nshards = [\"a.tar\"]\ntexts = \"captions\"\n",
        );
        let data = data.replace("D;", "[[data]]\ntexts = \"captions\"\n");
        says(
            &run(dir.path(), &data).unwrap_err(),
            &[&["run.toml"], words].concat(),
        );
    };
    let one_of = ["one of `shards`, `table` and `folder`"];
    check("D;", &one_of);
    check("D;shards = []", &one_of);
    check("A;table = \"a.csv\"", &one_of);
    check("D;table = \"a.csv\"\nfolder = \"b\"", &one_of);
    check("D;folder = \"b\"", &["`folder`", "classes"]);
    check("A;weight = 1\nA;", &["1 of 2 sets"]);
    check("A;weight = 0", &["`weight`"]);
    check("A;weight = nan", &["`weight`"]);
    check("A;weight = inf", &["`weight`"]);
    check("A;weight = 1\nrepeat = 2", &["not both"]);
    check("A;repeat = 0", &["`repeat` is 0"]);
    check("A;image_column = \"x\"", &["`image_column`", "`table`"]);
    check(
        "D;table = \"a.csv\"\nskip_damaged = true",
        &["`skip_damaged`"],
    );
    check("D;shards = [\"b-*.tar\"]", &["`b-*.tar` matches no file"]);
    check(
        "D;shards = [\"b-{0..1.tar\"]",
        &["b-{0..1.tar", "without its"],
    );
    check(
        "A;[validation]\nevery = 1\nshards = [\"v?.tar\"]",
        &["`v?.tar`"],
    );
    // A brace is a promise: a shard of the list that is not there is missed when it is read.
    let run = run(
        dir.path(),
        "[[data]]\ntexts = \"captions\"\nshards = [\"{a,b}.tar\"]",
    )
    .unwrap();
    says(&batches(&run).err().unwrap(), &["b.tar"]);
}

#[test]
fn a_bad_sample_is_told_once_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "image,caption\n".to_owned()
        + &(0..12)
            .map(|i| format!("{i}.png,number {i}\n"))
            .collect::<String>()
        + "12.png,\n";
    write(dir.path(), &[("t.csv", csv.as_bytes())]);
    for i in (0..12u8).filter(|i| *i != 5) {
        write(dir.path(), &[(&format!("{i}.png"), &png(i))]);
    }
    let run = run(
        dir.path(),
        "[[data]]\ntable = \"t.csv\"\ntexts = \"captions\"",
    )
    .unwrap();
    let batches = batches(&run).unwrap();
    assert_eq!(batches.skipped(), 1);
    let first = batches.get(0).unwrap().skipped;
    says(&first[0], &["t.csv: row 14: it has no caption"]);
    let mut told = first;
    for step in 1..6 {
        let batch = batches.get(step).unwrap();
        assert_eq!(batch.positives.len(), 10, "another takes its place");
        told.extend(batch.skipped);
    }
    assert_eq!(told.len(), 2, "{told:?}");
    says(&told[1], &["t.csv: picture 5.png"]);
    assert_eq!(batches.skipped(), 2);
}
