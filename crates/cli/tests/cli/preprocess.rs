//! `diptych preprocess`.

use std::collections::HashSet;

use crate::support::*;

const SIDE: usize = 16;

#[test]
fn pixels_are_the_references_for_every_combination_of_choices() {
    // Of the OpenAI architectures; expected.rgb has the levels before them.
    let mean = [0.481_454_66, 0.457_827_5, 0.408_210_73];
    let std = [0.268_629_54, 0.261_302_6, 0.275_777_1];
    let cases = fs_err::read_to_string(picture("cases.tsv")).unwrap();
    let expected = fs_err::read(picture("expected.rgb")).unwrap();
    let files = folder(&[]);
    let out = within(&files, "x.npy");
    let mut seen = HashSet::new();
    for (case, rgb) in cases.lines().skip(1).zip(expected.chunks(SIDE * SIDE * 3)) {
        let [file, order, interpolation, resize_mode, size, orient, lossy] =
            case.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let is_new = seen.insert((order, interpolation, resize_mode, orient));
        if lossy == "true" || !is_new {
            continue;
        }
        let path = picture(file);
        let mut args = vec![
            "preprocess",
            &path,
            "--out",
            &out,
            "--model",
            "ViT-B-32",
            "--size",
            size,
        ];
        args.extend([
            "--order",
            order,
            "--interpolation",
            interpolation,
            "--resize-mode",
            resize_mode,
        ]);
        args.extend((orient == "false").then_some("--no-orient"));
        assert_eq!(diptych(&args).ok(), "");
        let (shape, values) = read_npy(&out);
        assert_eq!(shape, "(1, 3, 16, 16)");
        for (c, plane) in values.chunks(SIDE * SIDE).enumerate() {
            let want = rgb.iter().skip(c).step_by(3);
            let want: Vec<f32> = want
                .map(|&v| (f32::from(v) / 255.0 - mean[c]) / std[c])
                .collect();
            assert_eq!(plane, want, "{case}, channel {c}");
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

#[test]
fn choices_are_the_models_own_by_default() {
    let files = folder(&[]);
    let out = within(&files, "x.npy");
    let path = picture("RGB.png");
    for (model, side) in [
        ("ViT-B-32", 224),
        ("RN50x4", 288),
        (&*golden("tiny-resnet"), 64),
    ] {
        diptych(&["preprocess", &path, "--out", &out, "--model", model]).ok();
        let (shape, values) = read_npy(&out);
        assert_eq!(
            (shape, values.len()),
            (format!("(1, 3, {side}, {side})"), 3 * side * side)
        );
    }
}

#[test]
fn many_pictures_are_one_array() {
    let files = folder(&[]);
    let [one, two, both] = ["1.npy", "2.npy", "x.npy"].map(|name| within(&files, name));
    let [a, b] = ["RGB.png", "420-q95.jpg"].map(picture);
    let model = golden("tiny-vit");
    let run = |out: &str, pictures: &[&str]| {
        let args = ["preprocess", "--out", out, "--model", &model];
        diptych(&[&args[..], pictures].concat()).ok();
    };
    run(&one, &[&a]);
    run(&two, &[&b]);
    run(&both, &[&a, &b]);
    let (shape, values) = read_npy(&both);
    assert!(shape.starts_with("(2, 3, "), "{shape}");
    assert_eq!(values, [read_npy(&one).1, read_npy(&two).1].concat());
}

#[test]
fn rows_of_a_folder_are_told_beside_the_array() {
    let png = fs_err::read(picture("RGB.png")).unwrap();
    let files = folder(&[("b.png", &png), ("a.png", &png)]);
    let elsewhere = folder(&[]);
    let out = within(&elsewhere, "x.npy");
    diptych(&["preprocess", &within(&files, ""), "--out", &out]).ok();
    let list = fs_err::read_to_string(within(&elsewhere, "x.paths.txt")).unwrap();
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows, ["a.png", "b.png"].map(|name| within(&files, name)));
    // A list that names nothing is told.
    let none = within(&elsewhere, "none");
    fs_err::write(&none, "").unwrap();
    let ran = diptych(&["preprocess", &format!("@{none}"), "--out", &out]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("the list names no picture"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_picture_that_is_not_too_large_is_decoded_alike_in_a_hurry() {
    let files = folder(&[]);
    let out = within(&files, "x.npy");
    let path = picture("420-q95.jpg"); // 13×9
    let mut seen = Vec::new();
    for (size, decode) in [("9", "exact"), ("9", "fast"), ("4", "exact"), ("4", "fast")] {
        let args = ["preprocess", &path, "--out", &out, "--model", "ViT-B-32"];
        let choices = ["--size", size, "--decode", decode];
        diptych(&[&args[..], &choices].concat()).ok();
        seen.push(read_npy(&out).1);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[2], seen[3]);
}

#[test]
fn wrong_inputs_are_named_and_nothing_is_written() {
    let png = fs_err::read(picture("RGB.png")).unwrap();
    let files = folder(&[("cut.png", &png[..60]), ("text.png", b"no picture at all")]);
    let [cut, text, out] = ["cut.png", "text.png", "x.npy"].map(|name| within(&files, name));
    let check = |args: &[&str], words: &[&str]| {
        let all = [&["preprocess", "--out", &out, "--model", "ViT-B-32"], args].concat();
        diptych(&all).fails(words);
        assert!(!std::path::Path::new(&out).exists());
    };
    check(&[&cut], &["cut.png: damaged PNG"]);
    check(&[&text], &["text.png: not a picture"]);
    check(&["gone.png"], &["gone.png"]);
    check(
        &[&picture("RGB.png"), &cut, "gone.png"],
        &["cut.png", "gone.png"],
    );
    let empty = folder(&[]);
    check(&[&within(&empty, "")], &["there is no picture in it"]);
    check(&[&picture("RGB.png"), "--size", "0"], &["--size"]);
    check(&[&picture("RGB.png"), "--size", "100000"], &["--size"]);
    check(
        &[&picture("RGB.png"), "--order", "last"],
        &["native, rgb-first"],
    );
}
