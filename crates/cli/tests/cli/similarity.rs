//! `diptych similarity`.

use serde_json::Value;

use crate::support::*;

/// `diptych similarity ARGS --model MODEL`.
fn similarity(model: &str, args: &[&str]) -> Ran {
    diptych(&[&["similarity"], args, &["--model", &golden(model)]].concat())
}

#[test]
fn cosines_are_products_of_the_rows_that_embed_writes() {
    let images = ["RGB.png", "420-q95.jpg"].map(picture);
    let texts = ["a cat", "-on it", ""];
    let lines: String = texts.iter().map(|text| format!("{text}\n")).collect();
    for (model, dim, logit_scale) in [
        ("tiny-vit", 24, 4f32.exp()),
        ("tiny-resnet", 20, 3.5f32.exp()),
    ] {
        let files = folder(&[("texts.txt", lines.as_bytes())]);
        let folder = golden(model);
        let embed = |inputs: &[&str], out: &str| {
            let out = within(&files, out);
            diptych(&[&["embed", "--out", &out, "--model", &folder], inputs].concat()).ok();
            read_npy(&out).1
        };
        let image_rows = embed(&["--images", &images[0], &images[1]], "i.npy");
        let text_rows = embed(&["--texts", &within(&files, "texts.txt")], "t.npy");
        let args = [
            &images[0],
            &images[1],
            "--json",
            "--texts=a cat",
            "--texts=-on it",
            "--texts=",
        ];
        let lines = similarity(model, &args).json();
        assert_eq!(lines.len(), 2);
        for ((line, path), image) in lines.iter().zip(&images).zip(image_rows.chunks(dim)) {
            assert_eq!(line["path"], Value::from(path.as_str()));
            let found = line["texts"].as_array().unwrap();
            assert_eq!(found.len(), texts.len());
            for ((found, text), row) in found.iter().zip(texts).zip(text_rows.chunks(dim)) {
                assert_eq!(found["text"], text);
                let cosine: f32 = image.iter().zip(row).map(|(a, b)| a * b).sum();
                assert_close(&[number(found, "cosine")], &[cosine], 1e-6);
                assert_close(&[number(found, "logit")], &[logit_scale * cosine], 1e-3);
            }
        }
    }
}

#[test]
fn pictures_may_follow_texts_as_the_usage_line_has_them() {
    let path = picture("RGB.png");
    let texts = ["--texts", "a cat", "--texts", "a dog"];
    let text = similarity("tiny-vit", &[&texts[..], &[&path]].concat()).ok();
    assert_eq!(
        similarity("tiny-vit", &[&[&*path], &texts[..]].concat()).ok(),
        text
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], path);
    assert!(
        lines[1].ends_with("  a cat") && lines[2].ends_with("  a dog"),
        "{text}"
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn the_plain_template_makes_classify_and_similarity_agree() {
    let path = picture("L.png");
    let compared = similarity("tiny-resnet", &[&path, "--json", "--texts", "cat"]).json();
    let model = golden("tiny-resnet");
    let args = [
        "classify",
        &path,
        "--labels",
        "cat",
        "--template",
        "{}",
        "--json",
        "--model",
        &model,
    ];
    let classified = diptych(&args).json();
    let (a, b) = (&compared[0]["texts"][0], &classified[0]["predictions"][0]);
    assert_close(&[number(a, "cosine")], &[number(b, "cosine")], 1e-6);
}

#[test]
fn folders_stand_for_the_pictures_in_them() {
    let files = folder(&[("notes.txt", b"")]);
    for name in ["b.png", "a.png"] {
        fs_err::copy(picture("RGB.png"), files.path().join(name)).unwrap();
    }
    let root = files.path().to_str().unwrap();
    let lines = similarity("tiny-vit", &[root, "--json", "--texts", "a"]).json();
    let paths: Vec<&str> = lines
        .iter()
        .map(|line| line["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, [within(&files, "a.png"), within(&files, "b.png")]);
}

#[test]
fn bad_inputs_are_named() {
    let path = picture("RGB.png");
    let stdout =
        similarity("tiny-vit", &["gone.png", &path, "--json", "--texts", "a"]).fails(&["gone.png"]);
    assert_eq!(parse(&stdout).len(), 1);
    similarity("tiny-vit", &[&path]).fails(&["--texts"]);
    let long = "z ".repeat(30);
    let longer = format!("{long} y");
    let texts = ["a", &long, "b", &longer];
    let texts = texts.iter().flat_map(|text| ["--texts", text]);
    let args: Vec<&str> = std::iter::once(&*path).chain(texts).collect();
    similarity("tiny-vit", &args).fails(&[
        &format!("text `{long}`: text has 32 tokens, but the context length is 18"),
        &format!("text `{longer}`: text has 33 tokens"),
    ]);
}
