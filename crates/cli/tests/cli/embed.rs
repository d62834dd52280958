//! `diptych embed`.

use crate::support::*;

const DIM: usize = 24;

/// `diptych embed ARGS --model tiny-vit --out` a file; its shape and values.
fn embed(args: &[&str]) -> (String, Vec<f32>) {
    let files = folder(&[]);
    let out = within(&files, "x.npy");
    let model = golden("tiny-vit");
    assert_eq!(
        diptych(&[&["embed"], args, &["--out", &out, "--model", &model]].concat()).ok(),
        ""
    );
    assert_eq!(
        fs_err::read_dir(files.path()).unwrap().count(),
        1,
        "nothing else is left behind"
    );
    read_npy(&out)
}

fn norm(row: &[f32]) -> f32 {
    row.iter().map(|v| v * v).sum::<f32>().sqrt()
}

#[test]
fn pictures_become_unit_rows_in_order() {
    let [a, b] = ["RGB.png", "420-q95.jpg"].map(picture);
    let (shape, values) = embed(&["--images", &a, &b]);
    assert_eq!(shape, format!("(2, {DIM})"));
    let rows: Vec<&[f32]> = values.chunks(DIM).collect();
    assert!(rows.iter().all(|row| (norm(row) - 1.0).abs() < 1e-6));
    let (_, swapped) = embed(&["--images", &b, &a]);
    assert_close(&[rows[1], rows[0]].concat(), &swapped, 1e-6);
}

#[test]
fn raw_features_point_the_same_way() {
    let path = picture("RGB.png");
    let (_, unit) = embed(&["--images", &path]);
    let (_, raw) = embed(&["--images", &path, "--raw"]);
    assert!((norm(&raw) - 1.0).abs() > 1e-3, "{}", norm(&raw));
    let scaled: Vec<f32> = raw.iter().map(|v| v / norm(&raw)).collect();
    assert_close(&unit, &scaled, 1e-6);
}

#[test]
fn each_line_of_a_text_file_is_a_row_even_an_empty_one() {
    let files = folder(&[
        ("texts.txt", "a cat\n\nnaïve & café\r\n".as_bytes()),
        ("empty.txt", b""),
    ]);
    let (shape, values) = embed(&["--texts", &within(&files, "texts.txt")]);
    assert_eq!(shape, format!("(3, {DIM})"));
    assert!(values.chunks(DIM).all(|row| (norm(row) - 1.0).abs() < 1e-6));
    assert_eq!(
        embed(&["--texts", &within(&files, "empty.txt")]),
        (format!("(0, {DIM})"), vec![])
    );
}

#[test]
fn texts_also_come_from_stdin() {
    let files = folder(&[("texts.txt", b"a cat\na dog")]);
    let (_, want) = embed(&["--texts", &within(&files, "texts.txt")]);
    let (out, model) = (within(&files, "x.npy"), golden("tiny-vit"));
    for stdin in [&["--texts", "-"][..], &["-"]] {
        let args = [&["embed", "--out", &out, "--model", &model], stdin].concat();
        diptych_with(&args, b"a cat\na dog\n").ok();
        assert_eq!(read_npy(&out).1, want);
    }
}

#[test]
fn many_inputs_give_the_rows_of_single_ones() {
    let names = ["RGB.png", "L.png", "RGBA.png"].map(picture);
    let many: Vec<&str> = names.iter().map(String::as_str).cycle().take(100).collect();
    let (shape, values) = embed(&[&["--images"], &many[..]].concat());
    assert_eq!(shape, format!("(100, {DIM})"));
    let (_, last) = embed(&["--images", many[99]]);
    assert_close(&values[99 * DIM..], &last, 1e-6);
}

#[test]
fn one_bad_input_fails_the_file_and_leaves_the_old_one() {
    let files = folder(&[
        ("x.npy", b"\x93NUMPY, old"),
        ("cut.png", b"\x89PNG\r\n\x1a\n"),
        ("latin1.txt", b"\xe9"),
    ]);
    let [out, cut, latin1] = ["x.npy", "cut.png", "latin1.txt"].map(|name| within(&files, name));
    let model = golden("tiny-vit");
    let check = |args: &[&str], words: &[&str]| {
        let ran = diptych(&[&["embed", "--out", &out, "--model", &model], args].concat());
        assert_eq!(ran.fails(words), "");
        assert_eq!(fs_err::read(&out).unwrap(), b"\x93NUMPY, old");
        assert_eq!(
            fs_err::read_dir(files.path()).unwrap().count(),
            3,
            "no part is left behind"
        );
    };
    check(
        &["--images", &picture("RGB.png"), &cut],
        &["cut.png: damaged PNG", "\n\nhint: nothing was written"],
    );
    check(&["--images", "gone.png"], &["gone.png"]);
    check(&["--texts", "gone.txt"], &["gone.txt"]);
    check(&["--texts", &latin1], &["latin1.txt: line 1 is not UTF-8"]);
    check(&[], &["--images", "--texts"]);
    check(
        &["--images", &cut, "--texts", &latin1],
        &["cannot be used with"],
    );
}

#[test]
fn a_text_that_is_too_long_is_named_or_cut() {
    let long = "z ".repeat(30);
    let text = format!("{}{long}\n", "short\n".repeat(70)); // in the second chunk
    let files = folder(&[("texts.txt", text.as_bytes())]);
    let [texts, out] = ["texts.txt", "x.npy"].map(|name| within(&files, name));
    let args = [
        "embed",
        "--texts",
        &texts,
        "--out",
        &out,
        "--model",
        &golden("tiny-vit"),
    ];
    diptych(&args).fails(&["texts.txt: line 71: text has 32 tokens, but the context length is 18"]);
    let (shape, _) = embed(&["--texts", &texts, "--truncate"]);
    assert_eq!(shape, format!("(71, {DIM})"));
}

#[test]
fn every_bad_input_is_named_wherever_it_stands() {
    let files = folder(&[("cut.png", b"\x89PNG\r\n\x1a\n"), ("words.jpg", b"words")]);
    let [cut, words, gone] = ["cut.png", "words.jpg", "gone.png"].map(|name| within(&files, name));
    let (good, out, model) = (
        picture("RGB.png"),
        within(&files, "x.npy"),
        golden("tiny-vit"),
    );
    // More than are decoded ahead.
    let many = vec![good.as_str(); 50];
    let inputs = [&many[..], &[&cut], &many[..], &[&words, &good, &gone]].concat();
    let args = [
        &["embed", "--out", &out, "--model", &model, "--images"],
        &inputs[..],
    ]
    .concat();
    let ran = diptych(&args);
    for name in [&cut, &words, &gone] {
        assert_eq!(
            ran.stderr.matches(name.as_str()).count(),
            1,
            "{}",
            ran.stderr
        );
    }
    assert_eq!(
        ran.stderr.matches("\n\nhint: ").count(),
        1,
        "{}",
        ran.stderr
    );
    assert_eq!(
        (ran.code, diptych_files::metadata(&out).is_ok()),
        (Some(2), false)
    );
}

#[test]
fn bad_inputs_are_passed_over_if_asked_and_rows_are_listed() {
    let files = folder(&[
        ("cut.png", b"\x89PNG\r\n\x1a\n"),
        ("texts.txt", b"a cat\n\xe9\n\na dog\n"),
    ]);
    let [a, b] = ["RGB.png", "420-q95.jpg"].map(picture);
    let (cut, out, model) = (
        within(&files, "cut.png"),
        within(&files, "x.npy"),
        golden("tiny-vit"),
    );
    let args = ["embed", "--skip-bad", "--out", &out, "--model", &model];
    let run = |inputs: &[&str]| diptych(&[&args[..], inputs].concat());
    let list = |name: &str| fs_err::read_to_string(within(&files, name)).unwrap();

    let words = [
        "cut.png: damaged PNG",
        "2 of 4 inputs passed over",
        "x.paths.txt",
    ];
    assert_eq!(
        run(&["--images", &cut, &b, "gone.png", &a]).fails(&words),
        ""
    );
    let (_, want) = embed(&["--images", &b, &a]);
    assert_eq!(read_npy(&out), (format!("(2, {DIM})"), want));
    assert_eq!(list("x.paths.txt"), format!("{b}\n{a}\n"));

    let texts = within(&files, "texts.txt");
    run(&["--texts", &texts]).fails(&["texts.txt: line 2 is not UTF-8", "x.texts.txt"]);
    assert_eq!(read_npy(&out).0, format!("(3, {DIM})"));
    assert_eq!(list("x.texts.txt"), "a cat\n\na dog\n");

    // Where nothing is bad nothing is said, and the list is there all the same.
    fs_err::remove_file(within(&files, "x.texts.txt")).unwrap();
    assert_eq!(run(&["--images", &a]).ok(), "");
    assert_eq!(list("x.paths.txt"), format!("{a}\n"));
    // A name of two lines has one in the list, which reads back as the name.
    let two = within(&files, "two\nlines.png");
    fs_err::copy(&a, &two).unwrap();
    assert_eq!(run(&["--images", &two]).ok(), "");
    let line = list("x.paths.txt");
    let line = line.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(*diptych_files::unspell(line), *std::path::Path::new(&two));
}

#[test]
fn a_list_belongs_to_one_array() {
    let files = folder(&[]);
    let (a, model) = (picture("RGB.png"), golden("tiny-vit"));
    let run = |out: &str, skip_bad: &[&str]| {
        let out = within(&files, out);
        let args = ["embed", "--out", &out, "--model", &model, "--images", &a];
        diptych(&[&args[..], skip_bad].concat())
    };
    for out in ["v.1", "v.2", "v.npy"] {
        run(out, &["--skip-bad"]).ok();
    }
    let names = ["v.1.paths.txt", "v.2.paths.txt", "v.paths.txt"];
    assert!(names.iter().all(|name| files.path().join(name).is_file()));

    // A list that this run did not write is told, and left as it is.
    let ran = run("v.npy", &[]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.starts_with("warning: ")
            && ran.stderr.contains("v.paths.txt is not of this run"),
        "{ran:?}"
    );

    // What can't be listed is not begun.
    fs_err::create_dir(files.path().join("w.paths.txt")).unwrap();
    run("w.npy", &["--skip-bad"]).fails(&["cannot write", "w.paths.txt: it is a directory"]);
    assert!(!files.path().join("w.npy").exists());
}

#[test]
fn a_folder_is_embedded_with_a_list_of_its_rows() {
    let files = folder(&[("notes.txt", b"")]);
    fs_err::create_dir(files.path().join("sub")).unwrap();
    for (from, to) in [("RGB.png", "sub/b.png"), ("420-q95.jpg", "sub/a.jpg")] {
        fs_err::copy(picture(from), files.path().join(to)).unwrap();
    }
    let (out, model) = (within(&files, "x.npy"), golden("tiny-vit"));
    let root = within(&files, "sub");
    let args = ["embed", "--out", &out, "--model", &model, "--images"];
    diptych(&[&args[..], &[&root]].concat()).ok();
    let want = [within(&files, "sub/a.jpg"), within(&files, "sub/b.png")];
    let list = || fs_err::read_to_string(within(&files, "x.paths.txt")).unwrap();
    assert_eq!(list(), format!("{}\n{}\n", want[0], want[1]));
    let (_, rows) = embed(&["--images", &want[0], &want[1]]);
    assert_eq!(read_npy(&out).1, rows);
    // A list on stdin, in its order.
    let lines = format!("{}\n{}\n", want[1], want[0]);
    diptych_with(&[&args[..], &["-"]].concat(), lines.as_bytes()).ok();
    assert_eq!(list(), lines);
    // What can't be looked into fails the array as a bad picture does.
    let gone = ["--images", &within(&files, "empty"), &want[0]];
    fs_err::create_dir(files.path().join("empty")).unwrap();
    let before = fs_err::read(&out).unwrap();
    let failing = [&args[..5], &gone[..]].concat();
    diptych(&failing).fails(&["empty: there is no picture", "hint: nothing was written"]);
    assert_eq!(fs_err::read(&out).unwrap(), before);
    diptych(&[&failing[..], &["--skip-bad"]].concat()).fails(&["empty: there is no picture"]);
    assert_eq!(read_npy(&out).0, format!("(1, {DIM})"));
}

#[test]
fn an_array_on_stdout_is_the_one_in_a_file() {
    let [a, b] = ["RGB.png", "420-q95.jpg"].map(picture);
    let model = golden("tiny-vit");
    let files = folder(&[]);
    let out = within(&files, "x.npy");
    let run = |out: &str, more: &[&str]| {
        let args = ["embed", "--model", &model, "--out", out, "--images", &a, &b];
        let mut command = command(&[&args[..], more].concat());
        command.stdin(std::process::Stdio::null()).output().unwrap()
    };
    assert!(run(&out, &[]).status.success());
    let printed = run("-", &[]);
    assert!(
        printed.status.success() && printed.stderr.is_empty(),
        "{printed:?}"
    );
    assert_eq!(printed.stdout, fs_err::read(&out).unwrap());
    // All or nothing there, too.
    let failed = run("-", &["gone.png"]);
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(2), 0));
    for flag in ["--skip-bad", "--resume"] {
        let refused = run("-", &[flag]);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(
            told.contains("- is no plain file") && told.contains(flag),
            "{told}"
        );
    }
}

#[test]
fn rows_of_an_earlier_call_are_gone_on_from() {
    let files = folder(&[("bad.png", b"\x89PNG\r\n\x1a\n")]);
    let [a, b, c] = ["RGB.png", "420-q95.jpg", "L.png"].map(picture);
    let [out, part, bad] = ["x.npy", "x.npy.part", "bad.png"].map(|name| within(&files, name));
    let model = golden("tiny-vit");
    let run = |more: &[&str]| {
        let args = ["embed", "--resume", "--out", &out, "--model", &model];
        diptych(&[&args[..], more].concat())
    };
    // One that is bad ends the first call; what was encoded before it is kept.
    run(&["--images", &a, &b, &bad, &c]).fails(&["bad.png", "kept for the next `--resume`"]);
    assert!(!std::path::Path::new(&out).exists());
    let kept = fs_err::read(&part).unwrap();
    let header = 20 + u32::from_le_bytes(kept[16..20].try_into().unwrap()) as usize;
    assert_eq!(kept.len(), header + 2 * (32 + 4 * DIM));
    // Mended, the rest is encoded alone; the array is that of one call.
    fs_err::copy(&c, &bad).unwrap();
    let ran = run(&["--images", &a, &b, &bad, &c]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "2 of 4 rows were there\n");
    assert!(!std::path::Path::new(&part).exists());
    let (_, want) = embed(&["--images", &a, &b, &c, &c]);
    assert_close(&read_npy(&out).1, &want, 1e-6);
    // Rows of other choices are neither taken nor thrown away.
    run(&["--images", &a, "gone.png"]).fails(&["gone.png"]);
    let kept = fs_err::read(&part).unwrap();
    for (other, now) in [
        (&["--raw"][..], "`--raw`"),
        (&["--no-orient"], "`--no-orient`"),
        (&["--decode", "fast"], "`--decode fast`"),
        (&["--precision", "int8"], "`--precision int8`"),
    ] {
        let said = run(&[&["--images", &a][..], other].concat());
        let (was, would) = said.stderr.split_once(", and those of this call").unwrap();
        assert!(was.contains("`--decode exact`") && !was.contains(now));
        assert!(would.contains(now), "{would}");
        said.fails(&["x.npy.part: its rows are ", "stays as it is", "remove it"]);
        assert!(fs_err::read(&part).unwrap() == kept);
    }
    let texts = run(&["--texts", &picture("cases.tsv")]);
    texts.fails(&["its rows are of pictures", "would be of texts"]);
    fs_err::remove_file(&part).unwrap();
    run(&["--images", &a, "--raw"]).ok();
    assert_eq!(read_npy(&out).1, embed(&["--images", &a, "--raw"]).1);
    // Texts, of which a line that is no text is not an empty one.
    let texts = folder(&[("t.txt", b"a cat\n\n\xe9\n")]);
    let texts = within(&texts, "t.txt");
    run(&["--texts", &texts]).fails(&["line 3 is not UTF-8"]);
    let ran = run(&["--texts", &texts]);
    assert_eq!(ran.code, Some(2));
    for told in ["2 of 3 rows were there", "line 3 is not UTF-8"] {
        assert!(ran.stderr.contains(told), "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_passed_over_in_what_goes_to_a_device() {
    let (a, model) = (picture("RGB.png"), golden("tiny-vit"));
    let args = [
        "embed",
        "--out",
        "/dev/stdout",
        "--model",
        &model,
        "--images",
        &a,
    ];
    let printed = diptych(&[&args[..], &["--skip-bad"]].concat())
        .fails(&["/dev/stdout is no plain file; `--skip-bad` writes a list"]);
    assert_eq!(printed, "");
}

#[test]
fn every_bad_text_is_named() {
    let long = "z ".repeat(30);
    let text = [
        b"ok\n\xe9\n",
        long.as_bytes(),
        b"\nok\n",
        long.as_bytes(),
        b"\n\xff",
    ]
    .concat();
    let files = folder(&[("texts.txt", &text)]);
    let [texts, out] = ["texts.txt", "x.npy"].map(|name| within(&files, name));
    let args = [
        "embed",
        "--texts",
        &texts,
        "--out",
        &out,
        "--model",
        &golden("tiny-vit"),
    ];
    diptych(&args).fails(&[
        "texts.txt: line 2 is not UTF-8",
        "texts.txt: line 3: text has 32 tokens",
        "texts.txt: line 5: text has 32 tokens",
        "texts.txt: line 6 is not UTF-8",
    ]);
    let ran = diptych(&[&args[..], &["--truncate"]].concat());
    assert_eq!(ran.stderr.matches("error: ").count(), 2, "{}", ran.stderr);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let files = folder(&[]);
    let path = picture("RGB.png");
    let model = golden("tiny-vit");
    for out in [within(&files, ""), within(&files, "gone/x.npy")] {
        let args = ["embed", "--images", &path, "--out", &out, "--model", &model];
        diptych(&args).fails(&["cannot write", &out]);
    }
}

#[cfg(unix)]
#[test]
fn a_link_keeps_leading_to_the_file_that_is_replaced() {
    let files = folder(&[("real.npy", b"\x93NUMPY, old")]);
    std::os::unix::fs::symlink("real.npy", files.path().join("link.npy")).unwrap();
    let out = within(&files, "link.npy");
    let args = [
        "embed",
        "--images",
        &picture("RGB.png"),
        "--out",
        &out,
        "--model",
        &golden("tiny-vit"),
    ];
    diptych(&args).ok();
    assert_eq!(
        read_npy(&within(&files, "real.npy")).0,
        format!("(1, {DIM})")
    );
    assert!(files.path().join("link.npy").is_symlink());
}

#[test]
fn lower_precisions_give_nearly_the_same_rows() {
    let a = picture("420-q95.jpg");
    let rows = |precision| embed(&["--images", &a, "--precision", precision]).1;
    let want = rows("f32");
    for (precision, most) in [("bf16", 0.02), ("int8", 0.05)] {
        let got = rows(precision);
        assert_close(&got, &want, most);
        assert_ne!(got, want, "{precision} rounds");
    }
    let auto = rows("auto");
    assert!(auto == want || auto == rows("bf16"));
}

#[test]
fn a_precision_that_there_is_not_is_refused() {
    let out = ["--texts", "-", "--out", "x.npy"];
    let refused = diptych(&[&["embed", "--precision", "fp8"], &out[..]].concat());
    refused.fails(&["auto, f32, bf16, int8"]);
    let gpu = ["embed", "--precision", "int8", "--device", "cuda"];
    diptych(&[&gpu, &out[..]].concat()).fails(&["precision `int8` is for the CPU"]);
}
