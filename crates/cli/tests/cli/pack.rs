//! `diptych pack`.

use diptych::image::{Encoding, Picture};

use crate::support::*;

/// A PNG of one colour and its own width.
fn png(number: u8) -> Vec<u8> {
    let (width, height) = (40 + usize::from(number), 32);
    let rgb = [number.wrapping_mul(29), 90, 200].repeat(width * height);
    Encoding::Png
        .encode(&Picture::from_rgb(width, height, rgb).unwrap())
        .unwrap()
}

/// A folder of twelve pictures, the last two equal, and of every kind of source that names them.
fn sources() -> tempfile::TempDir {
    let files = folder(&[]);
    let mut csv = "image,caption\n".to_owned();
    let (mut token, mut images, mut annotations) = (String::new(), Vec::new(), Vec::new());
    for i in 0..12u8 {
        fs_err::write(files.path().join(format!("{i}.png")), png(i.min(10))).unwrap();
        let class = files.path().join(format!("classes/kind_{}", i % 3));
        fs_err::create_dir_all(&class).unwrap();
        fs_err::write(class.join(format!("{i}.png")), png(i.min(10))).unwrap();
        csv += &format!("{i}.png,\"picture {i}, a test\"\n");
        token += &format!("{i}.png#0\tpicture {i}\n{i}.png#1\tagain {i}\n");
        images.push(format!("{{\"id\": {i}, \"file_name\": \"{i}.png\"}}"));
        annotations.push(format!(
            "{{\"image_id\": {i}, \"caption\": \"picture {i}\"}}"
        ));
    }
    let coco = format!(
        "{{\"images\": [{}], \"annotations\": [{}]}}",
        images.join(","),
        annotations.join(",")
    );
    for (name, text) in [
        ("pairs.csv", csv.clone()),
        (
            "pairs.tsv",
            csv.replace(',', "\t")
                .replace('"', "")
                .replace("\t a test", ""),
        ),
        ("f.token.txt", token),
        ("captions.json", coco),
    ] {
        fs_err::write(files.path().join(name), text).unwrap();
    }
    files
}

const ARCHITECTURE: &str = r#"{
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 2, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 16, "heads": 2, "layers": 1}
}"#;

#[test]
fn what_is_packed_of_any_source_can_be_trained_on() {
    let files = sources();
    fs_err::write(files.path().join("arch.json"), ARCHITECTURE).unwrap();
    for (source, captions) in [
        ("pairs.csv", 12),
        ("pairs.tsv", 12),
        ("f.token.txt", 24),
        ("captions.json", 12),
        ("classes", 12),
    ] {
        let out = within(&files, &format!("out-{source}"));
        let args = [
            "pack",
            &within(&files, source),
            "--out",
            &out,
            "--name",
            "s",
        ];
        let ran = diptych(
            &[
                &args[..],
                &["--shard-size", "4", "--resize", "24", "--json"],
            ]
            .concat(),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let said =
            format!("11 samples · {captions} captions · 1 duplicates · 0 skipped · 3 shards");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        let report = &parse(&ran.stdout)[0];
        assert_eq!(report["samples"], 11);
        assert_eq!(report["captions"], captions);
        assert_eq!(report["shards"][2], format!("{out}/s-000002.tar"));

        let texts = match source {
            "classes" => "texts = \"classes\"\ntemplates = [\"a {}.\"]",
            _ => "texts = \"captions\"",
        };
        let run = format!(
            "out = \"run-{source}\"\narchitecture = \"arch.json\"\n\
             [optimizer]\nsteps = 2\nbatch_size = 6\nlearning_rate = 1e-3\nwarmup_steps = 1\n\
             [[data]]\nshards = [\"out-{source}/s-{{000000..000001}}.tar\", \"out-{source}/*2.tar\"]\n{texts}\n"
        );
        let path = within(&files, "run.toml");
        fs_err::write(&path, run).unwrap();
        let ran = diptych(&["train", &path]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("11 samples"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("skipped"), "{}", ran.stderr);
    }
}

#[test]
fn a_table_is_trained_on_as_it_lies_and_its_bad_rows_are_counted() {
    let files = sources();
    fs_err::write(files.path().join("arch.json"), ARCHITECTURE).unwrap();
    fs_err::remove_file(files.path().join("3.png")).unwrap();
    let run = "out = \"run\"\narchitecture = \"arch.json\"\n\
        [optimizer]\nsteps = 3\nbatch_size = 6\nlearning_rate = 1e-3\nwarmup_steps = 1\n\
        [[data]]\ntable = \"pairs.csv\"\ntexts = \"captions\"\nweight = 0.5\n\
        [[data]]\nfolder = \"classes\"\ntexts = \"classes\"\ntemplates = [\"a {}.\"]\nweight = 0.5\n";
    let path = within(&files, "run.toml");
    fs_err::write(&path, run.replace("steps = 3", "steps = 8")).unwrap();
    let ran = diptych(&["train", &path]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("24 samples"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("skipped: ").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("picture 3.png"), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("1 passed over: a picture that can't be read"),
        "{}",
        ran.stderr
    );
}

#[test]
fn bad_pictures_are_reported_and_the_rest_is_packed() {
    let files = sources();
    fs_err::write(files.path().join("2.png"), "no picture").unwrap();
    fs_err::remove_file(files.path().join("5.png")).unwrap();
    let (source, out) = (within(&files, "pairs.csv"), within(&files, "out"));
    let said = diptych(&["pack", &source, "--out", &out, "--json"]).fails(&[
        "picture 2.png: not a picture",
        "picture 5.png",
        "9 samples · 10 captions · 1 duplicates · 2 skipped · 1 shards",
    ]);
    assert_eq!(parse(&said)[0]["skipped"], 2);
    assert!(diptych_files::metadata(format!("{out}/pairs-000000.tar")).is_ok());
    // What is there is not written over.
    let printed =
        diptych(&["pack", &source, "--out", &out]).fails(&["pairs-000000.tar", "already"]);
    assert_eq!(printed, "");
}

#[test]
fn sources_that_cannot_be_packed_are_named_and_nothing_is_written() {
    let files = folder(&[
        ("a.txt", b"some words\n"),
        ("b.csv", b"x;y\n"),
        ("c.json", b"{}"),
    ]);
    let out = within(&files, "out");
    for (source, more, words) in [
        ("a.txt", &[][..], &["a.txt", "wanted a .csv"][..]),
        ("a.txt", &["--format", "flickr"], &["a.txt", "line 1"]),
        ("b.csv", &[], &["b.csv", "`x;y`"]),
        ("c.json", &[], &["c.json", "COCO"]),
        ("none.csv", &[], &["none.csv"]),
        ("", &[], &["no image-text pair"]),
        ("b.csv", &["--encoding", "png"], &["--resize"]),
        ("b.csv", &["--shard-size", "0"], &["--shard-size"]),
        (
            "b.csv",
            &["--format", "parquet"],
            &["table, folder, coco, flickr"],
        ),
    ] {
        let source = within(&files, source);
        let args = ["pack", &source, "--out", &out];
        assert_eq!(diptych(&[&args[..], more].concat()).fails(words), "");
        assert!(!std::path::Path::new(&out).exists(), "{source}");
    }
}

#[test]
fn what_pack_passes_over_is_told_by_reason_and_strict_stops_at_the_first() {
    let files = sources();
    let csv = "image,caption\n\
        0.png,a cat, asleep\n\
        1.png,a dog, awake\n\
        2.png,\"a hen\n\
        3.png,a cow\n\
        4.png,\n\
        99.png,a fox\n\
        5.png,a pig\n";
    fs_err::write(files.path().join("bad.csv"), csv).unwrap();
    let (source, out) = (within(&files, "bad.csv"), within(&files, "out"));
    let pack = ["pack", &source, "--out", &out];
    // Strict: the first is named, and nothing is written.
    let printed = diptych(&[&pack[..], &["--strict", "--json"]].concat()).fails(&[
        "bad.csv: line 2: it has 3 fields, its header 2",
        "would be passed over",
        "hint: without `--strict`",
    ]);
    assert_eq!(printed, "");
    assert!(!std::path::Path::new(&out).exists());

    let printed = diptych(&[&pack[..], &["--json"]].concat()).fails(&[
        "2 passed over: a row with another number of fields than its header (for example ",
        "bad.csv: line 2: it has 3 fields, its header 2)",
        "1 passed over: a quote that is not closed (for example ",
        "bad.csv: line 4: ",
        "1 passed over: an empty caption (for example ",
        "bad.csv: line 6: it has no caption)",
        "1 passed over: a picture that can't be read (for example ",
        "picture 99.png",
        "2 samples · 2 captions · 0 duplicates · 5 skipped",
    ]);
    let report = &parse(&printed)[0];
    assert_eq!(
        (&report["samples"], &report["skipped"]),
        (&2.into(), &5.into())
    );
    let reasons = report["reasons"].as_array().unwrap();
    let counts: Vec<_> = reasons
        .iter()
        .map(|of| {
            (
                of["count"].as_u64().unwrap(),
                of["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            (2, "a row with another number of fields than its header"),
            (1, "a quote that is not closed"),
            (1, "an empty caption"),
            (1, "a picture that can't be read"),
        ]
    );
    assert!(
        reasons[2]["example"]
            .as_str()
            .unwrap()
            .ends_with("bad.csv: line 6: it has no caption")
    );
    // A source of which all is used has no reasons.
    let out = within(&files, "all");
    let pairs = within(&files, "pairs.csv");
    let ran = diptych(&["pack", &pairs, "--out", &out, "--strict", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("passed over"), "{}", ran.stderr);
    assert_eq!(parse(&ran.stdout)[0]["reasons"], serde_json::json!([]));
}

#[test]
fn what_train_passes_over_is_told_by_reason_and_strict_stops_at_the_first() {
    let files = sources();
    fs_err::write(files.path().join("arch.json"), ARCHITECTURE).unwrap();
    let mut tar = tar::Builder::new(fs_err::File::create(files.path().join("s.tar")).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    for i in 0..8u8 {
        add(&format!("{i}.png"), &png(i));
        // As img2dataset writes a caption that is null.
        let text = if i < 2 {
            String::new()
        } else {
            format!("picture {i}")
        };
        add(&format!("{i}.txt"), text.as_bytes());
    }
    add("8.1.png", &png(8));
    add("8.1.txt", b"picture 8.1");
    add("9.png", &png(9));
    tar.finish().unwrap();
    let run = "out = \"run\"\narchitecture = \"arch.json\"\n\
        [optimizer]\nsteps = 2\nbatch_size = 3\nlearning_rate = 1e-3\nwarmup_steps = 1\n\
        [[data]]\nshards = [\"s.tar\"]\ntexts = \"captions\"\n";
    let path = within(&files, "run.toml");
    fs_err::write(&path, run).unwrap();
    let printed = diptych(&["train", &path, "--strict"]).fails(&[
        "s.tar: 0.txt is empty",
        "an empty caption",
        "hint: without `--strict`",
    ]);
    assert_eq!(printed, "");
    assert!(!std::path::Path::new(&within(&files, "run/model")).exists());
    let printed = diptych(&["train", &path]).fails(&[
        "2 passed over: an empty caption (for example ",
        "s.tar: 0.txt is empty)",
        "1 passed over: a name with several dots (for example ",
        "s.tar: 8.1.png",
        "1 passed over: a picture without a caption (for example ",
        "s.tar: picture 9 has no .txt",
        "6 samples",
    ]);
    assert_eq!(printed.trim_end(), within(&files, "run/model"));

    // A picture that turns out to be bad stops a strict run when its turn comes.
    fs_err::write(files.path().join("6.png"), "no picture").unwrap();
    let table = run
        .replace("\"run\"", "\"other\"")
        .replace("steps = 2", "steps = 20");
    fs_err::write(
        &path,
        table.replace("shards = [\"s.tar\"]", "table = \"pairs.csv\""),
    )
    .unwrap();
    let ran = diptych(&["train", &path, "--strict"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(ran.stderr.matches("picture 6.png").count(), 1, "{ran:?}");
    assert!(
        ran.stderr.contains("\nerror: ") && ran.stderr.contains("can't be decoded"),
        "{ran:?}"
    );
    let ran = diptych(&["train", &path, "--resume"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("12 samples"), "{}", ran.stderr);
    assert!(ran.stdout.trim_end().ends_with("other/model"), "{ran:?}");
}

#[test]
fn train_refuses_a_folder_of_other_files() {
    let files = sources();
    fs_err::write(files.path().join("arch.json"), ARCHITECTURE).unwrap();
    let run = "out = \"classes\"\narchitecture = \"arch.json\"\n\
        [optimizer]\nsteps = 2\nbatch_size = 3\nlearning_rate = 1e-3\nwarmup_steps = 1\n\
        [[data]]\ntable = \"pairs.csv\"\ntexts = \"captions\"\n";
    let path = within(&files, "run.toml");
    fs_err::write(&path, run).unwrap();
    let before = fs_err::read_dir(files.path().join("classes"))
        .unwrap()
        .count();
    diptych(&["train", &path]).fails(&["classes", "`out` holds other files (for example kind_0)"]);
    let after = fs_err::read_dir(files.path().join("classes"))
        .unwrap()
        .count();
    assert_eq!(before, after);
}
