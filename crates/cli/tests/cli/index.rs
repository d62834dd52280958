//! `diptych index` and what keeps an index.

use std::time::Duration;

use diptych::image::{Encoding, Picture};
use serde_json::{Value, json};

use crate::support::*;

/// A folder with an index and with pictures of one colour each.
pub(crate) struct Album {
    pub(crate) folder: tempfile::TempDir,
}

impl Album {
    pub(crate) fn new(pictures: usize) -> Self {
        let album = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs_err::create_dir(album.folder.path().join("pictures")).unwrap();
        (0..pictures).for_each(|i| album.draw(&format!("{i}.png"), i));
        album
    }

    pub(crate) fn path(&self, name: &str) -> String {
        within(&self.folder, name)
    }

    pub(crate) fn draw(&self, name: &str, i: usize) {
        let colour = [i as u8, (i / 256) as u8, 200];
        let picture = Picture::from_rgb(8, 8, colour.repeat(64)).unwrap();
        let path = self.folder.path().join("pictures").join(name);
        fs_err::write(path, Encoding::Png.encode(&picture).unwrap()).unwrap();
    }

    /// `diptych COMMAND ARGS --index INDEX`.
    pub(crate) fn run(&self, command: &[&str]) -> Ran {
        diptych(&[command, &["--index", &self.path("index")]].concat())
    }

    pub(crate) fn index(&self) -> Value {
        self.run(&["index", &self.path("pictures"), "--json"])
            .json()[0]
            .clone()
    }

    fn status(&self) -> Value {
        self.run(&["index", "status", "--json"]).json()[0].clone()
    }
}

#[test]
fn an_index_is_made_kept_up_to_date_and_told_of() {
    let album = Album::new(3);
    album.draw("again.png", 0);
    let report = album.index();
    assert_eq!(
        (&report["encoded"], &report["linked"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(album.index()["unchanged"], 4);
    let status = album.status();
    assert_eq!(
        (&status["files"], &status["contents"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(status["model"]["name"], "default");
    assert_eq!(status["method"], "scan");
    let text = album.run(&["index", "status"]).ok();
    assert!(
        text.contains("default") && text.contains("4 files"),
        "{text}"
    );
    assert_eq!(
        album.run(&["index", "verify"]).ok(),
        "4 files, 3 contents, 3 vectors\n"
    );
    album.run(&["index", "compact"]).ok();
    let forgotten = album
        .run(&["index", "forget", &album.path("pictures/again.png")])
        .stdout;
    assert_eq!(forgotten, "1 files forgotten\n");
    assert_eq!(album.status()["files"], 3);
}

#[test]
fn lists_of_paths_are_read() {
    let album = Album::new(3);
    let list = format!(
        "{}\n\n{}\n",
        album.path("pictures/0.png"),
        album.path("pictures/2.png")
    );
    fs_err::write(album.path("list"), list).unwrap();
    let report = album
        .run(&["index", &format!("@{}", album.path("list")), "--json"])
        .json();
    assert_eq!(report[0]["encoded"], 2);
}

#[test]
fn bad_pictures_are_told_at_the_end_and_in_the_exit_code() {
    let album = Album::new(2);
    fs_err::write(album.path("pictures/bad.jpg"), "no picture").unwrap();
    let out = album
        .run(&["index", &album.path("pictures")])
        .fails(&["bad.jpg", "not a picture"]);
    assert_eq!(
        out,
        "2 encoded, 0 copied, moved or equal to others, 0 removed, 0 unchanged, 1 failed\n"
    );
    let refused = album
        .run(&["index", "status", "--refused", "--json"])
        .json();
    assert!(refused[0]["path"].as_str().unwrap().ends_with("bad.jpg"));
}

#[test]
fn what_is_not_there_is_told() {
    let album = Album::new(1);
    album
        .run(&["search", "x"])
        .fails(&["index", "there is no index", "`diptych index DIR`"]);
    for watch in [&["--watch"][..], &[]] {
        album
            .run(&[&["index", &album.path("nowhere")], watch].concat())
            .fails(&["nowhere"]);
    }
    let empty = album.path("pictures/empty.txt");
    fs_err::write(&empty, "").unwrap();
    album
        .run(&["index", &format!("@{empty}")])
        .fails(&["no folder or picture is named"]);
    // Nothing was made of nothing.
    let made: Vec<_> = fs_err::read_dir(album.folder.path()).unwrap().collect();
    assert_eq!(made.len(), 1, "{made:?}");
    // One root of two is enough, and what is there is not undone by a root that is not.
    album
        .run(&["index", &album.path("pictures"), &album.path("nowhere")])
        .fails(&["nowhere"]);
    album
        .run(&["index", &album.path("nowhere")])
        .fails(&["nowhere"]);
    assert_eq!(album.status()["contents"], 1);
    album.run(&["index", "verify", "--json"]).json();
    fs_err::write(
        album.path("index"),
        "this is no database, but a text of some length",
    )
    .unwrap();
    album
        .run(&["index", &album.path("pictures")])
        .fails(&["is no index"]);
    let other = ["index", "status", "--store", "http://localhost"];
    diptych(&other).fails(&["qdrant://"]);
}

#[test]
fn another_model_is_refused_and_both_are_named() {
    let album = Album::new(1);
    album.index();
    let tiny = golden("tiny-vit");
    album
        .run(&["index", &album.path("pictures"), "--model", &tiny])
        .fails(&[
            "`default`",
            "tiny-vit",
            "fingerprint",
            "`--model default` asks",
        ]);
    album
        .run(&["search", "x", "--model", &tiny])
        .fails(&["`default`", "tiny-vit"]);
}

#[test]
fn another_way_to_decode_than_the_indexs_is_told() {
    let album = Album::new(1);
    let pictures = album.path("pictures");
    album.run(&["index", &pictures, "--decode", "exact"]).ok();
    album.run(&["index", &pictures]).ok();
    assert!(!album.run(&["index", "status"]).ok().contains("decoded"));
    let told = album.run(&["index", &pictures, "--decode", "fast"]);
    assert_eq!(told.code, Some(0));
    assert!(told.stderr.contains("`--decode exact`"), "{told:?}");
    let status = album.run(&["index", "status"]).ok();
    assert!(
        status.contains("decoded   exact, and some otherwise"),
        "{status}"
    );
    album.run(&["index", &pictures]).ok();
}

#[test]
fn whenever_it_is_killed_nothing_is_lost_or_doubled() {
    let album = Album::new(400);
    for milliseconds in [30, 60, 90, 120, 150, 180] {
        let mut child = start(&[
            "index",
            &album.path("pictures"),
            "--index",
            &album.path("index"),
        ]);
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        if std::path::Path::new(&album.path("index")).exists() {
            let verified = album.run(&["index", "verify"]);
            // Killed before its tables were there, it is empty, and told to be.
            assert!(
                verified.code == Some(0)
                    || verified.stderr.contains("no index")
                    || verified.stderr.contains("another program"),
                "{verified:?}"
            );
        }
    }
    album.index();
    assert_eq!(album.index()["unchanged"], 400);
    assert_eq!(
        album.run(&["index", "verify"]).ok(),
        "400 files, 400 contents, 400 vectors\n"
    );
}

#[test]
fn parts_are_imported_and_all_is_exported() {
    let album = Album::new(12);
    for part in ["1/2", "2/2"] {
        let index = album.path(&part.replace('/', " of "));
        diptych(&[
            "index",
            &album.path("pictures"),
            "--shard",
            part,
            "--index",
            &index,
        ])
        .ok();
        album.run(&["index", "import", &index]).ok();
    }
    assert_eq!(album.status()["contents"], 12);
    assert_eq!(album.index()["unchanged"], 12);
    let out = album.path("out");
    assert_eq!(
        album.run(&["index", "export", &out]).ok(),
        "12 embeddings\n"
    );
    let lines = parse(&fs_err::read_to_string(format!("{out}/metadata.jsonl")).unwrap());
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[0]["paths"].as_array().unwrap().len(), 1);
    let npy = fs_err::read(format!("{out}/embeddings.npy")).unwrap();
    assert_eq!(npy.len(), 128 + 12 * 192 * 4);
}

#[test]
fn embeddings_of_clip_retrieval_are_imported() {
    const GOLDEN: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../search/tests/golden/clip-retrieval"
    );
    let album = Album::new(1);
    let imported = album.run(&["index", "import", GOLDEN]);
    assert_eq!(imported.ok(), format!("5 contents from {GOLDEN}\n"));
    assert_eq!(album.run(&["index", "verify"]).code, Some(0));

    let out = album.path("out");
    album.run(&["index", "export", &out]).ok();
    let lines = parse(&fs_err::read_to_string(format!("{out}/metadata.jsonl")).unwrap());
    let npy = fs_err::read(format!("{out}/embeddings.npy")).unwrap();
    let values = npy[128..].as_chunks().0.iter();
    let values: Vec<f32> = values.map(|&b| f32::from_le_bytes(b)).collect();
    assert_eq!(lines.len(), 5);
    for (line, values) in lines.iter().zip(values.chunks_exact(192)) {
        let name = line["paths"][0].as_str().unwrap();
        let i: usize = name.strip_prefix("set/").unwrap().parse().unwrap();
        assert_eq!(line["payload"]["width"], 100 + i);
        let caption = line["payload"].get("caption_of_page");
        let wanted = (i != 4).then(|| json!(format!("a drawing of number {i}")));
        assert_eq!(caption, wanted.as_ref());
        // The formula of `parity/embeddings.py`, made of length 1.
        let wanted: Vec<f64> = (0..192)
            .map(|d| (d as f64 * (i + 1) as f64).sin())
            .collect();
        let length = wanted.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (value, wanted) in values.iter().zip(wanted) {
            assert!((f64::from(*value) - wanted / length).abs() < 1e-4);
        }
    }

    let refused = album.run(&["index", "import", &album.path("pictures")]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("img_emb"), "{}", refused.stderr);
}

#[test]
fn watching_follows_new_pictures_until_it_is_stopped() {
    let album = Album::new(2);
    let mut child = start(&[
        "index",
        &album.path("pictures"),
        "--watch",
        "--index",
        &album.path("index"),
    ]);
    let wait_for = |contents: u64| {
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(50));
            let status = album.run(&["index", "status", "--json"]);
            if status.code == Some(0) && parse(&status.stdout)[0]["contents"] == contents {
                return;
            }
        }
        panic!("not {contents} contents after ten seconds");
    };
    wait_for(2);
    album.draw("new.png", 77);
    wait_for(3);
    // A disc that is taken out and put in again, and a folder that is made anew.
    for round in 0..3 {
        let (here, away) = (album.path("pictures"), album.path("away"));
        if round < 2 {
            fs_err::rename(&here, &away).unwrap();
            std::thread::sleep(Duration::from_millis(if round == 0 { 500 } else { 0 }));
            fs_err::rename(&away, &here).unwrap();
        } else {
            fs_err::remove_dir_all(&here).unwrap();
            fs_err::create_dir(&here).unwrap();
            (0..5).for_each(|i| album.draw(&format!("again {i}.png"), 100 + i));
            wait_for(5);
        }
        // What was seen on the way must not be all.
        std::thread::sleep(Duration::from_millis(1500));
        album.draw(&format!("round {round}.png"), 80 + round);
        wait_for([4, 5, 6][round]);
    }
    // Meanwhile nobody else writes.
    album
        .run(&["index", &album.path("pictures")])
        .fails(&["another process"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_failed_before_is_told_again() {
    let album = Album::new(2);
    fs_err::write(album.path("pictures/bad.jpg"), "no picture").unwrap();
    fs_err::write(album.path("pictures/holiday.mp4"), "a film").unwrap();
    let run = || album.run(&["index", &album.path("pictures")]);
    let first = run().fails(&["bad.jpg", "films: 1 passed over"]);
    assert!(first.ends_with("0 unchanged, 1 failed\n"), "{first}");
    let again = run().fails(&["1 still refused", "`--retry`", "films: 1 passed over"]);
    assert!(
        again.ends_with("2 unchanged, 0 failed, 1 still refused\n"),
        "{again}"
    );
    let json = album.run(&["index", &album.path("pictures"), "--json"]);
    let json = &parse(&json.fails(&["1 still refused"]))[0];
    assert_eq!(
        (&json["refused"], &json["unchanged"], &json["skipped"]),
        (&json!(1), &json!(2), &json!({ "films": 1 }))
    );
    fs_err::remove_file(album.path("pictures/bad.jpg")).unwrap();
    assert_eq!(run().code, Some(0));
}

#[test]
fn without_a_folder_the_known_ones_are_looked_through() {
    let album = Album::new(2);
    album
        .run(&["index"])
        .fails(&["there is no index", "`diptych index DIR`"]);
    let more = album.path("more");
    fs_err::create_dir(&more).unwrap();
    album.run(&["index", &album.path("pictures"), &more]).ok();
    album.draw("new.png", 9);
    album.draw("../more/another.png", 10);
    let again = album.run(&["index", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.stderr.contains("looking through") && again.stderr.contains("more"),
        "{again:?}"
    );
    assert_eq!(parse(&again.stdout)[0]["encoded"], 2);
}

#[test]
fn what_is_no_index_is_named_with_what_to_do() {
    let album = Album::new(1);
    album.index();
    let pictures = album.path("pictures");
    let of = |index: &str, command: &[&str]| diptych(&[command, &["--index", index]].concat());
    for command in [
        &["search", "x"][..],
        &["index", "status"],
        &["index", &pictures],
        &["index", "compact"],
    ] {
        of(&pictures, command).fails(&["no index, but a folder", "hint: `--index FILE`"]);
    }
    let other = album.path("other.png");
    fs_err::copy(picture("RGB.png"), &other).unwrap();
    of(&other, &["index", &pictures]).fails(&["no index, but a file of another kind"]);
    let left = fs_err::exists(format!("{other}.lock"));
    assert!(!left.unwrap(), "a refused file is left alone");
    let mut damaged = fs_err::read(album.path("index")).unwrap();
    damaged[100..200].fill(0xff);
    fs_err::write(album.path("damaged"), damaged).unwrap();
    of(&album.path("damaged"), &["search", "x"])
        .fails(&["the index is damaged", "hint: take a copy that is whole"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_come_back_byte_for_byte() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    const NAMES: [&[u8]; 2] = [b"caf\xe9.png", b"two\nlines\xff.png"];
    let album = Album::new(0);
    let path = |name: &[u8]| {
        album
            .folder
            .path()
            .join("pictures")
            .join(OsStr::from_bytes(name))
    };
    for (name, shade) in NAMES.into_iter().zip(1..) {
        album.draw("plain.png", shade);
        fs_err::rename(path(b"plain.png"), path(name)).unwrap();
    }
    fs_err::write(path(b"bad\xe8.jpg"), "no picture").unwrap();
    album
        .run(&["index", &album.path("pictures")])
        .fails(&[r"bad'$'\350''.jpg': not a picture"]);
    // In JSON a byte is NUL and two digits.
    let found = album.run(&["search", "x", "--json"]).json();
    let spelled = found.iter().map(|hit| hit["path"].as_str().unwrap());
    let mut paths: Vec<_> = spelled
        .map(|path| diptych_files::unspell(path).into_owned())
        .collect();
    paths.sort();
    let real = |name: &&[u8]| fs_err::canonicalize(path(name)).unwrap();
    let wanted: Vec<_> = NAMES.iter().map(real).collect();
    assert_eq!(paths, wanted);
    // For programs they are bytes.
    let mut child = start(&["search", "x", "--paths0", "--index", &album.path("index")]);
    drop(child.stdin.take());
    let out = child.wait_with_output().unwrap().stdout;
    for path in &wanted {
        let name = [path.as_os_str().as_bytes(), b"\0"].concat();
        assert!(out.windows(name.len()).any(|at| at == name), "{out:?}");
    }
    // A list takes them as they are, and as JSON spells them.
    let list = [path(NAMES[0]).as_os_str().as_bytes(), b"\n"].concat();
    for list in [
        list,
        format!("{}\n", found[0]["path"].as_str().unwrap()).into_bytes(),
    ] {
        fs_err::write(album.path("list"), list).unwrap();
        let list = format!("@{}", album.path("list"));
        assert_eq!(
            album.run(&["index", &list, "--json"]).json()[0]["unchanged"],
            1
        );
    }
}
