//! `diptych classify`.

use serde_json::Value;

use crate::support::*;

/// `diptych classify ARGS --model tiny-vit`.
fn classify(args: &[&str]) -> Ran {
    diptych(&[&["classify"], args, &["--model", &golden("tiny-vit")]].concat())
}

fn predictions(line: &Value) -> &[Value] {
    line["predictions"].as_array().unwrap()
}

fn labels(line: &Value) -> Vec<&str> {
    predictions(line)
        .iter()
        .map(|p| p["label"].as_str().unwrap())
        .collect()
}

#[test]
fn every_picture_gets_a_line_of_json_with_the_best_label_first() {
    let (a, b) = (picture("RGB.png"), picture("420-q95.jpg"));
    let lines = classify(&[&a, &b, "--labels", "cat, dog,,on it", "--json"]).json();
    assert_eq!(lines.len(), 2);
    for (line, path) in lines.iter().zip([&a, &b]) {
        assert_eq!(line["path"], Value::from(path.as_str()));
        assert_eq!(line.as_object().unwrap().len(), 2);
        let mut names = labels(line);
        names.sort_unstable();
        assert_eq!(
            names,
            ["cat", "dog", "on it"],
            "split at commas, trimmed, none empty"
        );
        let all = |key| {
            predictions(line)
                .iter()
                .map(|p| number(p, key))
                .collect::<Vec<f32>>()
        };
        assert!(all("cosine").is_sorted_by(|a, b| a >= b), "{line}");
        assert!(
            (all("probability").iter().sum::<f32>() - 1.0).abs() < 1e-5,
            "{line}"
        );
    }
}

#[test]
fn chinese_labels_are_parted_and_asked_for_in_chinese() {
    let path = picture("RGB.png");
    let asked = |args: &[&str]| {
        // By the default model: the tiny one's context is too short for these.
        let lines = diptych(&[&["classify", &path, "--json"], args].concat()).json();
        lines[0]["predictions"].clone()
    };
    let plain = asked(&["--labels", "猫，狗、鸟"]);
    assert_eq!(plain.as_array().unwrap().len(), 3);
    let chinese = ["--labels", "猫,狗,鸟", "--template", "一张{}的照片。"];
    assert_eq!(plain, asked(&chinese));
    let english = ["--template", "a photo of a {}."];
    assert_ne!(
        plain,
        asked(&[&["--labels", "猫,狗,鸟"][..], &english].concat())
    );
    for labels in ["猫,dog", "ネコ科の猫,犬のこ"] {
        let all = ["--labels", labels];
        assert_eq!(asked(&all), asked(&[&all[..], &english].concat()));
    }
}

#[test]
fn people_get_a_line_a_label_under_each_path() {
    let path = picture("RGB.png");
    let text = classify(&[&path, "--labels", "cat,dog"]).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], path);
    for line in &lines[1..] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(matches!(words[..], [_, "%", _, "cat" | "dog"]), "{line}");
    }
}

#[test]
fn top_shortens_the_list_and_leaves_the_numbers() {
    let path = picture("RGB.png");
    let all = classify(&[&path, "--labels", "a,b,c", "--json"]).json();
    let best = classify(&[&path, "--labels", "a,b,c", "--json", "--top", "1"]).json();
    assert_eq!(predictions(&best[0]), &predictions(&all[0])[..1]);
    let more = classify(&[&path, "--labels", "a,b,c", "--json", "-k", "9"]).json();
    assert_eq!(more, all);
}

#[test]
fn a_single_label_is_certain() {
    let lines = classify(&[&picture("RGB.png"), "--labels", "cat", "--json"]).json();
    assert_eq!(number(&predictions(&lines[0])[0], "probability"), 1.0);
}

#[test]
fn labels_also_come_from_a_file_or_from_stdin() {
    let path = picture("RGB.png");
    let text = "\u{feff}red, blue\r\n\n  green  \n";
    let files = folder(&[("labels.txt", text.as_bytes())]);
    let file = within(&files, "labels.txt");
    let lines = classify(&[&path, "--labels", "x", "--labels-file", &file, "--json"]).json();
    let mut names = labels(&lines[0]);
    names.sort_unstable();
    assert_eq!(names, ["green", "red, blue", "x"]);

    let args = [
        "classify",
        &path,
        "--labels-file",
        "-",
        "--json",
        "--model",
        &golden("tiny-vit"),
    ];
    let lines = diptych_with(&args, b"one\ntwo").json();
    assert_eq!(predictions(&lines[0]).len(), 2);
}

#[test]
fn templates_are_averaged() {
    let path = picture("RGB.png");
    let cosine = |args: &[&str]| {
        let lines =
            classify(&[&[path.as_str(), "--labels", "cat", "--json"], args].concat()).json();
        number(&predictions(&lines[0])[0], "cosine")
    };
    let default = cosine(&[]);
    assert_eq!(default, cosine(&["--template", "a photo of a {}."]));
    let plain = cosine(&["--template", "{}"]);
    assert_ne!(default, plain);
    let both = cosine(&["--template", "{}", "--template", "a photo of a {}."]);
    assert!(both != plain && both != default);
}

#[test]
fn bad_pictures_are_reported_and_the_others_classified() {
    let png = fs_err::read(picture("RGB.png")).unwrap();
    let files = folder(&[
        ("cut.png", &png[..png.len() / 2]),
        ("text.jpg", b"Dear diary"),
        ("no", b""),
    ]);
    let [cut, text, none, missing] =
        ["cut.png", "text.jpg", "no", "gone.png"].map(|n| within(&files, n));
    let (a, b) = (picture("RGB.png"), picture("L.png"));
    let ran = classify(&[
        &cut, &a, &text, &none, &missing, &b, "--labels", "a,b", "--json",
    ]);
    let stdout = ran.fails(&[
        "cut.png: damaged PNG",
        "text.jpg: not a picture",
        "no: the picture",
        "gone.png",
    ]);
    let paths: Vec<Value> = parse(&stdout)
        .into_iter()
        .map(|line| line["path"].clone())
        .collect();
    assert_eq!(paths, [a, b]);
}

/// A folder with `b.png`, `sub/a.jpg`, a text and a hidden picture.
fn album() -> tempfile::TempDir {
    let files = folder(&[("notes.txt", b"no picture")]);
    fs_err::create_dir(files.path().join("sub")).unwrap();
    for (from, to) in [
        ("RGB.png", "b.png"),
        ("420-q95.jpg", "sub/a.jpg"),
        ("L.png", ".hidden.png"),
    ] {
        fs_err::copy(picture(from), files.path().join(to)).unwrap();
    }
    files
}

/// The paths of lines of JSON.
fn paths(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["path"].as_str().unwrap())
        .collect()
}

#[test]
fn folders_and_lists_stand_for_the_pictures_in_them() {
    let files = album();
    let at = |name: &str| within(&files, name);
    let root = files.path().to_str().unwrap();
    let want = [at("b.png"), at("sub/a.jpg")];
    let single = picture("RGBA.png");
    let lines = classify(&[&single, root, "--labels", "a,b", "--json"]).json();
    assert_eq!(paths(&lines), [&single, &want[0], &want[1]]);

    let list = format!("{}\r\n\n{}", want[1], want[0]);
    fs_err::write(at("list"), &list).unwrap();
    let listed = format!("@{}", at("list"));
    let lines = classify(&[&listed, "--labels", "a,b", "--json"]).json();
    assert_eq!(paths(&lines), [&want[1], &want[0]]);
    let model = golden("tiny-vit");
    for stdin in ["-", "@-"] {
        let args = [
            "classify", stdin, "--labels", "a", "--json", "--model", &model,
        ];
        assert_eq!(
            paths(&diptych_with(&args, list.as_bytes()).json()),
            [&want[1], &want[0]]
        );
    }

    // A folder without any is told, and costs itself alone.
    fs_err::create_dir(at("empty")).unwrap();
    let ran = classify(&[&at("empty"), &single, "--labels", "a", "--json"]);
    let stdout = ran.fails(&["empty: there is no picture in it"]);
    assert_eq!(paths(&parse(&stdout)), [&single]);
    classify(&["@gone", "--labels", "a"]).fails(&["gone"]);
    let both = ["classify", "-", "--labels-file", "-", "--model", &model];
    diptych_with(&both, b"a\n").fails(&["stdin stands for one list"]);
}

#[cfg(unix)]
#[test]
fn a_listed_name_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let files = folder(&[]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.png");
    let path = files.path().join(name);
    fs_err::copy(picture("RGB.png"), &path).unwrap();
    let model = golden("tiny-vit");
    let args = ["classify", "-", "--labels", "a", "--tsv", "--model", &model];
    let ran = {
        let mut child = start(&args);
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, path.as_os_str().as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    assert!(ran.status.success(), "{ran:?}");
    let row = [path.as_os_str().as_bytes(), b"\ta\t1\t"].concat();
    let found = ran.stdout.windows(row.len()).any(|bytes| bytes == row);
    assert!(found, "the bytes of the name are kept");
}

#[test]
fn labels_that_are_read_alike_are_merged_and_said() {
    let path = picture("RGB.png");
    let files = folder(&[("labels.txt", b"dog\nCAT\n")]);
    let file = within(&files, "labels.txt");
    let ran = classify(&[
        &path,
        "--labels",
        "cat,cat,dog",
        "--labels-file",
        &file,
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, beginning) in told.iter().zip([
        "label `cat` is given twice",
        "label `dog` is given twice",
        "label `CAT` is the same to the model as `cat`",
    ]) {
        assert!(line.starts_with(beginning), "{line}");
    }
    let plain = classify(&[&path, "--labels", "cat,dog", "--json"]).json();
    assert_eq!(parse(&ran.stdout), plain, "no probability is split");
}

#[test]
fn a_context_goes_into_every_template() {
    let path = picture("RGB.png");
    let run = |args: &[&str]| {
        classify(&[&[&*path, "--labels", "cat,dog", "--json"], args].concat()).json()
    };
    let templates = ["--template", "{}", "--template", "a {}."];
    let written = ["--template", "{}, a pet", "--template", "a {}, a pet."];
    let in_context = run(&[&templates[..], &["--context", " a pet "]].concat());
    assert_eq!(in_context, run(&written));
    assert_ne!(in_context, run(&templates));
    for wrong in ["", "a {}"] {
        classify(&[&path, "--labels", "a", "--context", wrong]).fails(&["--context"]);
    }
}

#[test]
fn tables_have_a_line_a_label_and_quote_what_would_break_them() {
    let files = folder(&[]);
    let path = within(&files, "a,\t\"b\".png");
    fs_err::copy(picture("RGB.png"), &path).unwrap();
    let json = classify(&[&path, "--labels", "cat,dog", "--json"]).json();
    for (flag, delimiter) in [("--csv", b','), ("--tsv", b'\t')] {
        let table = classify(&[&path, "--labels", "cat,dog", flag]).ok();
        let mut rows = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(table.as_bytes());
        let names: Vec<&str> = rows.headers().unwrap().iter().collect();
        assert_eq!(names, ["path", "label", "probability", "cosine"]);
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        for (row, prediction) in rows.iter().zip(predictions(&json[0])) {
            assert_eq!(
                (&row[0], &row[1]),
                (&*path, prediction["label"].as_str().unwrap())
            );
            for (cell, key) in [(&row[2], "probability"), (&row[3], "cosine")] {
                assert_eq!(cell.parse::<f32>().unwrap(), number(prediction, key));
            }
        }
    }
    classify(&[&path, "--labels", "a", "--csv", "--json"]).fails(&["cannot be used with"]);
}

#[test]
fn pictures_are_sorted_and_nothing_is_overwritten_or_lost() {
    let files = album();
    let at = |name: &str| files.path().join(name);
    // Another picture by a name that is there, too, and an older file in its way.
    fs_err::copy(picture("RGBA.png"), at("sub/b.png")).unwrap();
    fs_err::create_dir_all(at("out/x_y")).unwrap();
    fs_err::write(at("out/x_y/a.jpg"), "mine").unwrap();
    let (root, out) = (files.path().to_str().unwrap(), within(&files, "out"));
    let sort = |how: &str| {
        classify(&[
            root,
            "--labels",
            "x/y",
            "--json",
            "--sort-into",
            &out,
            "--sort-with",
            how,
        ])
    };
    let ran = sort("copy");
    assert!(ran.stderr.starts_with("3 copied into "), "{ran:?}");
    let places = |ran: &Ran| -> Vec<String> {
        let lines = parse(&ran.stdout);
        lines
            .iter()
            .map(|line| line["sorted"].as_str().unwrap().to_owned())
            .collect()
    };
    let want =
        ["b.png", "a-2.jpg", "b-2.png"].map(|name| within(&files, &format!("out/x_y/{name}")));
    assert_eq!(places(&ran), want);
    assert_eq!(fs_err::read(at("out/x_y/a.jpg")).unwrap(), b"mine");
    for (from, to) in [
        ("b.png", &want[0]),
        ("sub/a.jpg", &want[1]),
        ("sub/b.png", &want[2]),
    ] {
        assert_eq!(fs_err::read(at(from)).unwrap(), fs_err::read(to).unwrap());
        let time =
            |path: &std::path::Path| diptych_files::metadata(path).unwrap().modified().unwrap();
        assert_eq!(
            time(&at(from)),
            time(to.as_ref()),
            "the picture's day may hang on it"
        );
    }
    // Again, and what was sorted is not sorted itself.
    for how in ["copy", "link"] {
        let again = sort(how);
        assert!(again.stderr.contains("0 "), "{again:?}");
        assert!(again.stderr.ends_with(" 3 there already\n"), "{again:?}");
        assert_eq!(places(&again), want);
    }
    assert_eq!(fs_err::read_dir(at("out/x_y")).unwrap().count(), 4);
}

#[cfg(unix)]
#[test]
fn what_is_sorted_may_be_links() {
    use std::os::unix::fs::MetadataExt;
    let files = album();
    let path = within(&files, "b.png");
    for how in ["link", "symlink"] {
        let out = within(&files, how);
        let ran = classify(&[
            &path,
            "--labels",
            "cat",
            "--sort-into",
            &out,
            "--sort-with",
            how,
        ]);
        assert!(ran.stderr.starts_with("1 linked into "), "{ran:?}");
        let placed = files.path().join(how).join("cat/b.png");
        let inode = |path: &std::path::Path| diptych_files::metadata(path).unwrap().ino();
        assert_eq!(inode(&placed), inode(path.as_ref()));
        assert_eq!(placed.is_symlink(), how == "symlink");
    }
    // A place that can't be written costs its picture's copy, and is told.
    let file = within(&files, "notes.txt");
    let ran = classify(&[&path, "--labels", "cat", "--sort-into", &file, "--json"]);
    let stdout = ran.fails(&["notes.txt"]);
    assert!(parse(&stdout)[0].get("sorted").is_none());
    classify(&[&path, "--labels", "a:b,a?b", "--sort-into", "x"]).fails(&["`a:b` and `a?b`"]);
}

#[test]
fn order_is_kept_over_many_pictures() {
    let names = ["RGB.png", "L.png", "RGBA.png"].map(picture);
    let many: Vec<&str> = names.iter().map(String::as_str).cycle().take(150).collect();
    let lines =
        classify(&[&many[..], &["--labels", "a,b", "--json", "--threads", "1"]].concat()).json();
    let paths: Vec<&str> = lines
        .iter()
        .map(|line| line["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, many);
}

#[test]
fn wrong_labels_and_templates_are_refused() {
    let path = picture("RGB.png");
    let files = folder(&[("empty.txt", b"\n \n"), ("latin1.txt", b"cat\ncaf\xe9\n")]);
    let [empty, latin1] = ["empty.txt", "latin1.txt"].map(|name| within(&files, name));
    classify(&[&path]).fails(&["--labels"]);
    classify(&["--labels", "a"]).fails(&["<FILE>"]);
    classify(&[&path, "--labels", " , "]).fails(&["no label"]);
    classify(&[&path, "--labels-file", &empty]).fails(&["no label"]);
    classify(&[&path, "--labels-file", &latin1]).fails(&["latin1.txt: line 2 is not UTF-8"]);
    classify(&[&path, "--labels-file", "gone.txt"]).fails(&["gone.txt"]);
    classify(&[&path, "--labels", "a", "--template", "a photo"]).fails(&["'a photo'", "no `{}`"]);
    classify(&[&path, "--labels", "a", "--top", "0"]).fails(&["--top"]);
    let long = format!("b,{},c,y {}", "z ".repeat(30), "z ".repeat(30));
    let templates = ["--template", "{}", "--template", "a photo of a {}."];
    let refused = classify(&[&[&*path, "--labels", &long][..], &templates].concat());
    // In every template, with another number of tokens, and told once.
    assert_eq!(refused.stderr.matches("error: ").count(), 2, "{refused:?}");
    refused.fails(&[
        "label `z z",
        "label `y z",
        "tokens, but the context length is 18",
    ]);
}
