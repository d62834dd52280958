//! A command writes over no file of another kind, and over none of its inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::index::Album;
use crate::support::*;

/// A file that begins like an array.
const ARRAY: &[u8] = b"\x93NUMPY, an older one";

/// All files of a folder and what they hold.
fn all(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs_err::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), fs_err::read(path).unwrap()))
        .collect()
}

/// Asserts that a command is refused for `words`, and that no file of the folder is another
/// afterwards.
fn refused(folder: &Path, args: &[&str], words: &[&str]) {
    let before = all(folder);
    let printed = diptych(args).fails(&[words, &["it stays as it is\n\nhint: "]].concat());
    assert_eq!(printed, "");
    assert!(all(folder) == before, "{args:?}");
}

#[test]
fn inputs_are_not_written_over() {
    let files = folder(&[
        ("captions.texts.txt", b"a cat\na dog\n"),
        ("empty", b""),
        ("my.npy", ARRAY),
    ]);
    let [texts, captions, list, my, empty, pixels] = [
        "captions.texts.txt",
        "captions.npy",
        "my.paths.txt",
        "my.npy",
        "empty",
        "pp.npy",
    ]
    .map(|name| within(&files, name));
    let (a, model) = (picture("RGB.png"), golden("tiny-vit"));
    fs_err::write(&list, format!("{a}\n")).unwrap();
    diptych(&["preprocess", &a, "--out", &pixels, "--model", &model]).ok();
    let embed = |input: &[&str], name: &str| {
        let args = [&["embed", "--model", &model], input].concat();
        refused(files.path(), &args, &[name, "it is one of the inputs"]);
    };
    let name = "captions.texts.txt";
    embed(&["--skip-bad", "--texts", &texts, "--out", &captions], name);
    let at = format!("@{list}");
    embed(&["--images", &at, "--out", &my], "my.paths.txt");
    embed(&["--texts", &empty, "--out", &empty], "empty");
    // By whatever path.
    let other = within(&files, "../")
        + files.path().file_name().unwrap().to_str().unwrap()
        + "/captions.npy";
    embed(&["--skip-bad", "--texts", &texts, "--out", &other], name);
    let bench = ["bench", "--model", &model, "--input", &pixels];
    refused(
        files.path(),
        &[&bench[..], &["--out", &pixels]].concat(),
        &["pp.npy", "it is one of the inputs"],
    );
}

#[test]
fn files_of_another_kind_are_not_written_over() {
    let album = Album::new(2);
    album.index();
    let root = album.folder.path();
    fs_err::copy(picture("RGB.png"), album.path("io.png")).unwrap();
    fs_err::write(album.path("labels.txt"), "cat\ndog\n").unwrap();
    let (index, model) = (album.path("index"), golden("tiny-vit"));
    let [io, labels] = ["io.png", "labels.txt"].map(|name| album.path(name));
    let pages = ["no page that Diptych wrote"];
    for query in [
        &["search", "cat", "--index", &index, "--html"][..],
        &["similar", &io, "--index", &index, "--html"],
        &["duplicates", "--index", &index, "--html"],
    ] {
        refused(root, &[query, &[&io]].concat(), &pages);
        refused(root, &[query, &[&labels]].concat(), &pages);
    }
    let arrays = ["no NumPy array"];
    let to = |out| ["--model", &model, "--out", out];
    for out in [&labels, &index] {
        let embed = [&["embed", "--images", &io], &to(out)[..]].concat();
        refused(root, &embed, &arrays);
        let preprocess = [&["preprocess", &io], &to(out)[..]].concat();
        refused(root, &preprocess, &arrays);
    }
    let preprocess = [&["preprocess", &io], &to(&io)[..]].concat();
    refused(root, &preprocess, &["io.png", "it is one of the inputs"]);
    // An index is exported beside nobody's own notes.
    fs_err::write(album.path("metadata.jsonl"), "{}\n").unwrap();
    let export = ["index", "export", &album.path(""), "--index", &index];
    refused(root, &export, &["metadata.jsonl", "no array's list"]);
}

#[test]
fn a_list_that_no_array_has_is_not_written_over() {
    let files = folder(&[("holiday.paths.txt", b"my own notes\n")]);
    let (a, model, out) = (
        picture("RGB.png"),
        golden("tiny-vit"),
        within(&files, "holiday.npy"),
    );
    let embed = [
        "embed",
        "--skip-bad",
        "--images",
        &a,
        "--model",
        &model,
        "--out",
        &out,
    ];
    let words = ["holiday.paths.txt", "no array's list", "holiday.npy"];
    refused(files.path(), &embed, &words);
    // An empty file is no array.
    fs_err::write(&out, b"").unwrap();
    refused(files.path(), &embed, &words);
}

#[test]
fn its_like_an_empty_file_and_a_device_are_written_over() {
    let album = Album::new(2);
    album.index();
    let files = folder(&[
        ("x.npy", ARRAY),
        ("x.paths.txt", b"of the older one\n"),
        ("empty.npy", b""),
        ("empty.paths.txt", b""),
        ("page.html", b""),
    ]);
    let (a, model) = (picture("RGB.png"), golden("tiny-vit"));
    for name in ["x", "empty"] {
        let out = within(&files, &format!("{name}.npy"));
        let args = ["embed", "--skip-bad", "--images", &a, "--model", &model];
        diptych(&[&args[..], &["--out", &out]].concat()).ok();
        assert_eq!(read_npy(&out).0, "(1, 24)");
        let list = within(&files, &format!("{name}.paths.txt"));
        assert_eq!(fs_err::read_to_string(list).unwrap(), format!("{a}\n"));
    }
    let page = within(&files, "page.html");
    for query in ["a cat", "a dog"] {
        album.run(&["search", query, "--html", &page]).ok();
        let written = fs_err::read_to_string(&page).unwrap();
        assert!(written.contains(query), "{written}");
    }
    #[cfg(unix)]
    {
        album.run(&["search", "cat", "--html", "/dev/null"]).ok();
        let null = std::path::Path::new("/dev/null");
        assert!(!null.metadata().unwrap().is_file(), "it is still a device");
    }
}
