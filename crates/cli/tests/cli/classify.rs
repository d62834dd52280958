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

#[test]
fn a_folder_is_no_picture_and_the_hint_says_what_to_do() {
    classify(&[&golden("pixels"), "--labels", "a"]).fails(&[
        "pixels is a directory",
        "\n\nhint: ",
        "/*.jpg",
    ]);
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
