//! One bad file among good ones costs that file, in every command that reads many, and no decoder's
//! panic is heard.

use crate::index::Album;
use crate::support::*;

/// A picture of other programs' making.
fn foreign(name: &str) -> Vec<u8> {
    fs_err::read(golden(&format!("pixels-foreign/{name}"))).unwrap()
}

/// Five good pictures, of which one is planes in cut tiles, and three bad ones.
fn album() -> Album {
    let album = Album::new(4);
    let add = |name: &str, bytes: &[u8]| {
        fs_err::write(album.path(&format!("pictures/{name}")), bytes).unwrap();
    };
    let planes = foreign("rgb-planar-tiles.tif");
    add("planes.tif", &planes);
    add("cut.tif", &planes[..planes.len() - 300]);
    // Of a frame of alpha and VP8 another size is announced than VP8 has.
    let mut frame = foreign("lossy-blend.webp");
    let at = frame.windows(4).position(|name| name == b"ANMF").unwrap();
    frame[at + 14] -= 2;
    add("frame.webp", &frame);
    add("words.jpg", b"no picture");
    album
}

const BAD: [&str; 3] = ["cut.tif", "frame.webp", "words.jpg"];

/// Asserts that every bad file is named and no panic told of.
fn assert_named(ran: &Ran) {
    for name in BAD {
        assert!(ran.stderr.contains(name), "{name} is not in {}", ran.stderr);
    }
    assert_quiet(ran);
}

/// Asserts that no panic is told of.
fn assert_quiet(ran: &Ran) {
    for word in ["panicked", "mistake", "gave up"] {
        assert!(!ran.stderr.contains(word), "{}", ran.stderr);
    }
}

#[test]
fn bad_pictures_among_good_ones_cost_themselves_alone() {
    let album = album();
    let pictures = album.path("pictures");

    let ran = album.run(&["index", &pictures, "--json"]);
    assert_named(&ran);
    assert_eq!(ran.code, Some(2));
    let report = &parse(&ran.stdout)[0];
    assert_eq!(report["encoded"], 5);
    assert_eq!(report["failed"].as_array().unwrap().len(), 3);
    assert_eq!(album.run(&["index", "verify"]).code, Some(0));

    let mut names: Vec<String> = fs_err::read_dir(&pictures)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let rows = names
        .iter()
        .map(|name| format!("{name},a picture of {name}\n"));
    let table = album.path("pictures/pairs.csv");
    fs_err::write(
        &table,
        rows.fold("image,caption\n".into(), |all: String, row| all + &row),
    )
    .unwrap();

    let ran = diptych(&["pack", &table, "--out", &album.path("shards"), "--json"]);
    assert_quiet(&ran);
    assert_eq!(ran.code, Some(2));
    let report = &parse(&ran.stdout)[0];
    assert_eq!(
        (&report["samples"], &report["skipped"]),
        (&5.into(), &3.into())
    );
    // By reason, with one of them.
    assert_eq!(report["reasons"][0]["count"], 3);
    let example = report["reasons"][0]["example"].as_str().unwrap();
    assert!(BAD.iter().any(|name| example.contains(name)), "{example}");

    let paths: Vec<String> = names
        .iter()
        .map(|name| format!("{pictures}/{name}"))
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (out, model) = (album.path("x.npy"), golden("tiny-vit"));
    let embed = [
        &["embed", "--out", &out, "--model", &model, "--images"],
        &paths[..],
    ]
    .concat();
    let ran = diptych(&embed);
    assert_named(&ran);
    assert_eq!(ran.code, Some(2));
    assert!(
        diptych_files::metadata(&out).is_err(),
        "rows would not match the inputs"
    );
    let ran = diptych(&[&embed[..], &["--skip-bad"]].concat());
    assert_named(&ran);
    assert_eq!(ran.code, Some(2));
    let good: Vec<&str> = paths
        .into_iter()
        .filter(|path| !BAD.iter().any(|name| path.ends_with(name)))
        .collect();
    assert_eq!(read_npy(&out).0, "(5, 24)");
    let listed = fs_err::read_to_string(album.path("x.paths.txt")).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), good);

    let architecture = r#"{
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 2, "head_width": 16},
        "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 16, "heads": 2, "layers": 1}
    }"#;
    fs_err::write(album.path("arch.json"), architecture).unwrap();
    let run = "out = \"run\"\narchitecture = \"arch.json\"\n\
        [optimizer]\nsteps = 4\nbatch_size = 4\nlearning_rate = 1e-3\nwarmup_steps = 1\n\
        [[data]]\ntable = \"pictures/pairs.csv\"\ntexts = \"captions\"\n";
    fs_err::write(album.path("run.toml"), run).unwrap();
    let ran = diptych(&["train", &album.path("run.toml")]);
    assert_named(&ran);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stdout.trim_end(), album.path("run/model"), "{ran:?}");
}

/// A folder as clip-retrieval writes it, with these metadata.
fn embeddings(metadata: &[u8]) -> tempfile::TempDir {
    const GOLDEN: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../search/tests/golden/clip-retrieval"
    );
    let folder = tempfile::tempdir().unwrap();
    for name in ["img_emb", "metadata"] {
        fs_err::create_dir(folder.path().join(name)).unwrap();
    }
    let vectors = "img_emb/img_emb_0.npy";
    fs_err::copy(format!("{GOLDEN}/{vectors}"), folder.path().join(vectors)).unwrap();
    fs_err::write(folder.path().join("metadata/metadata_0.parquet"), metadata).unwrap();
    folder
}

#[test]
fn parquet_that_is_damaged_or_nested_without_end_is_refused_in_a_sentence() {
    let album = Album::new(0);
    let import = |metadata: &[u8]| {
        let folder = embeddings(metadata);
        album.run(&["index", "import", folder.path().to_str().unwrap()])
    };
    // A schema of groups in groups, each required, named `a` and with one child; Thrift's compact
    // protocol.
    let levels = 10_000u32;
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    footer.extend([levels as u8 | 0x80, (levels >> 7) as u8]);
    for level in 1..=levels {
        footer.extend([0x35, 0, 0x18, 1, b'a']);
        footer.extend(if level < levels {
            &[0x15, 2, 0][..]
        } else {
            &[0]
        });
    }
    footer.extend([0x16, 6, 0x19, 0x0c, 0]);
    let length = (footer.len() as u32).to_le_bytes();
    let nested = [b"PAR1", &footer[..], &length, b"PAR1"].concat();
    import(&nested).fails(&["metadata_0.parquet: its schema is more than 64 levels deep"]);

    // A damaged page of data, which makes the crate panic.
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../search/tests/golden/clip-retrieval/metadata/metadata_0.parquet"
    );
    let mut damaged = fs_err::read(golden).unwrap();
    damaged[472] ^= 0x80;
    import(&damaged).fails(&["metadata_0.parquet: row 0: the file is damaged"]);
}
