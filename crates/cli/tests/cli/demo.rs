//! `diptych demo`, with the default model: the labels need its vocabulary.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// `diptych demo --out OUT ARGS`.
fn demo(out: &str, args: &[&str]) -> Ran {
    diptych(&[&["demo", "--out", out], args].concat())
}

/// The object that `--json` prints.
fn report(out: &str) -> Value {
    let mut lines = demo(out, &["--json"]).json();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            let bytes = fs_err::read(&path).unwrap();
            all.insert(path.to_str().unwrap().to_owned(), bytes);
        }
    }
    all
}

#[test]
fn the_accuracy_is_that_of_the_pictures_it_lists() {
    let folder = folder(&[]);
    let report = report(&within(&folder, "new"));
    let pictures = list(&report, "pictures");
    let n = pictures.len();
    assert!(n >= 50);
    assert_eq!(report["model"], "default");
    assert_eq!(report["n_pictures"], n);
    let share = |k: u64| {
        let right = pictures.iter().filter(|p| p["rank"].as_u64().unwrap() <= k);
        right.count() as f32 / n as f32
    };
    assert_eq!(number(&report, "top_1"), share(1));
    assert_eq!(number(&report, "top_5"), share(5));
    assert_eq!(number(&report, "chance_top_1"), 1.0 / n as f32);
    assert_eq!(number(&report, "chance_top_5"), 5.0 / n as f32);
    for picture in pictures {
        let label = text(picture, "label");
        let predictions = list(picture, "predictions");
        let rank = picture["rank"].as_u64().unwrap() as usize;
        let place = predictions.iter().position(|p| p["label"] == label);
        assert_eq!(place, (rank <= 5).then(|| rank - 1), "{picture}");
        assert_eq!(predictions.len(), 5);
        let cosines = predictions.iter().map(|p| number(p, "cosine"));
        assert!(cosines.is_sorted_by(|a, b| a >= b), "{picture}");
        let png = fs_err::read(text(picture, "path")).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    }
}

#[test]
fn searches_find_what_similarity_says_of_the_written_files() {
    let folder = folder(&[]);
    let report = report(&within(&folder, "new"));
    let pictures = list(&report, "pictures");
    let searches = list(&report, "searches");
    assert!(searches.len() >= 6);
    let search = &searches[0];
    let mut args = vec!["similarity", "--json"];
    args.extend(pictures.iter().map(|picture| text(picture, "path")));
    args.extend(["--texts", text(search, "query")]);
    let lines = diptych(&args).json();
    let mut nearest: Vec<(f32, &str)> = lines
        .iter()
        .map(|line| (number(&line["texts"][0], "cosine"), text(line, "path")))
        .collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    let hits = list(search, "hits");
    assert_eq!(hits.len(), 5);
    for (hit, (cosine, path)) in hits.iter().zip(nearest) {
        assert_close(&[number(hit, "cosine")], &[cosine], 1e-5);
        assert_eq!(text(hit, "path"), path);
        let picture = pictures.iter().find(|p| p["path"] == path).unwrap();
        assert_eq!(hit["label"], picture["label"]);
    }
}

#[test]
fn the_page_holds_all_it_shows() {
    let folder = folder(&[]);
    let report = report(&within(&folder, "new"));
    let html = fs_err::read_to_string(text(&report, "page")).unwrap();
    for outside in ["http", "<script", "<link", "@import", "url(", "//"] {
        let without_data = html.split("data:image/png;base64,").enumerate();
        let outside_data = without_data.map(|(i, part)| match i {
            0 => part,
            _ => part.split_once('"').unwrap().1,
        });
        assert!(
            outside_data.into_iter().all(|part| !part.contains(outside)),
            "{outside}"
        );
    }
    let pictures = list(&report, "pictures");
    let hits = list(&report, "searches").iter();
    let hits: usize = hits.map(|search| list(search, "hits").len()).sum();
    let images = html.matches("<img ").count();
    assert_eq!(images, pictures.len() + hits);
    assert_eq!(
        html.matches("src=\"data:image/png;base64,iVBORw0KGgo")
            .count(),
        images
    );
    for picture in pictures {
        assert!(html.contains(&format!("<figcaption>{} <span>", text(picture, "label"))));
    }
    let right = pictures.iter().filter(|p| p["rank"] == 1).count();
    assert_eq!(html.matches('✓').count(), right);
    assert_eq!(html.matches('✗').count(), pictures.len() - right);
    assert!(html.contains(&format!("<b>{right} of {}</b>", pictures.len())));
}

#[test]
fn people_get_the_accuracy_with_its_chance_and_then_the_next_command() {
    let folder = folder(&[]);
    let out = within(&folder, "new");
    let ran = demo(&out, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let n = contents(&folder.path().join("new/pictures")).len();
    assert_eq!(lines[0], format!("{n} drawings, {n} labels, model default"));
    for (line, k) in lines[1..3].iter().zip([1, 5]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [top, right, "right", percent, "%", "(chance", chance, "%)"] = words[..] else {
            panic!("{line}");
        };
        assert_eq!(top, format!("top-{k}"));
        let share = |count: f32| format!("{:.1}", 100.0 * count / n as f32);
        assert_eq!(percent, share(right.parse().unwrap()));
        assert_eq!(chance, share(k as f32));
    }
    assert!(ran.stdout.contains("\nsomething to drink\n"), "{ran:?}");
    assert!(ran.note.contains("ViT-B/32"), "{ran:?}");
    let words = [&format!("{out}/gallery.html"), "diptych classify", &out];
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in {ran:?}");
    }
}

#[test]
fn an_earlier_demo_is_written_again_and_other_files_beside_it_stay() {
    let folder = folder(&[]);
    demo(&within(&folder, ""), &["--json"]).ok();
    let first = contents(folder.path());
    assert!(first.len() > 50);
    fs_err::write(within(&folder, "notes.txt"), "mine").unwrap();
    fs_err::write(within(&folder, "pictures/cat.png"), "spoilt").unwrap();
    demo(&within(&folder, ""), &["--json"]).ok();
    let mut second = contents(folder.path());
    let notes = second.remove(&within(&folder, "notes.txt"));
    assert_eq!(notes.as_deref(), Some(&b"mine"[..]));
    assert!(first == second, "the same files, to the byte");
}

#[test]
fn a_folder_with_anything_else_is_named_and_left_alone() {
    let page = "<!doctype html>\n<p>my own gallery</p>".as_bytes();
    for (name, bytes) in [("letter.txt", &b"dear"[..]), ("gallery.html", page)] {
        let folder = folder(&[(name, bytes)]);
        let before = contents(folder.path());
        demo(&within(&folder, ""), &[]).fails(&[name, "\n\nhint: ", "--out"]);
        assert_eq!(contents(folder.path()), before);
    }
    let files = folder(&[("file", b"")]);
    demo(&within(&files, "file"), &[]).fails(&["file"]);
}

#[test]
fn nothing_is_written_for_a_model_that_does_not_do() {
    let folder = folder(&[]);
    let out = within(&folder, "new");
    demo(&out, &["--model", "no-such-model"]).fails(&["no-such-model"]);
    // Its vocabulary has few words, so a prompt falls into more pieces than it reads.
    let tiny = golden("tiny-vit");
    demo(&out, &["--model", &tiny]).fails(&["label `", "the context length is 18"]);
    assert!(!folder.path().join("new").exists());
}
